package freeze_test

import (
	"slices"
	"testing"

	"shark/snapshot"
)

// A filter that names a namespace or a workload that nobody knows has that said, with the
// namespaces that there are, whether or not another name selects something.
func TestCreateForStrangers(t *testing.T) {
	dir, _ := record(t, "node-a")
	for _, c := range []struct {
		name   string
		filter snapshot.Filter
		want   []string
	}{
		{"known", snapshot.Filter{Namespaces: []string{"shop"}, Workloads: []string{"cart", "shop/cart-1"}}, nil},
		{"misspelt", snapshot.Filter{Namespaces: []string{"shpo"}}, []string{`no pod or service is of namespace "shpo": the namespaces are bank, shop`}},
		{"one of two", snapshot.Filter{Namespaces: []string{"shop", "Bank"}}, []string{`no pod or service is of namespace "Bank": the namespaces are bank, shop`}},
		{"of another namespace", snapshot.Filter{Workloads: []string{"shop/ledger-1"}}, []string{`no pod, service or workload is called "shop/ledger-1": the namespaces are bank, shop`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := create(t, snapshot.CreateOptions{From: at(0), To: at(999), Filter: c.filter}, dir)
			var got []string
			for _, n := range m.Coverage {
				if n.Kind == snapshot.NoteFilter {
					got = append(got, n.Text)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
