//go:build !race

package workbench

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shark/dissector/field"
	"shark/snapshot"
	"shark/workbench/index"
)

// processes are what the identity log of a cluster whose processes are known has beside
// that of the shop: a user's, and that of redis-0.
const processes = `
{"time":"2026-03-14T14:59:55Z","op":"upsert","kind":"process","uid":"1","name":"curl","addresses":["198.51.100.27"]}
{"time":"2026-03-14T14:59:55Z","op":"upsert","kind":"process","uid":"2","name":"redis-server","addresses":["10.244.2.60"]}
`

// examples are the fields whose examples have found nothing yet.
type examples struct {
	t         *testing.T
	catalogue *field.Catalogue
	left      []*field.Field
}

// TestEveryExample: the example of every field finds an entry in the captures of this
// repository, so what the reference shows is what traffic looks like.
func TestEveryExample(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	c := w.Catalogue()
	x := examples{t: t, catalogue: c, left: c.Fields()}
	x.ask(shopOfNodes(t, w))
	x.ask(open(t, newBench(t, func(c *Config) { c.Memory = 1 }), "../testdata/http/server.pcap"))
	x.ask(open(t, w, "../cmd/shark/testdata/https.pcapng.zst")) // recorded by shark record
	raw := newBench(t, func(c *Config) { c.Protocols = []string{"+tcp", "+udp", "+sctp"} })
	folders := map[string][]string{}
	for _, path := range ours(t) {
		folder := filepath.Base(filepath.Dir(path))
		folders[folder] = append(folders[folder], path)
	}
	delete(folders, "shop")
	bench := func(folder string) *Workbench {
		if slices.Contains([]string{"tcp", "udp", "sctp"}, folder) {
			return raw
		}
		return w
	}
	there := map[string]map[string]bool{}
	for folder, paths := range folders {
		there[folder] = x.ask(open(t, bench(folder), paths...))
	}
	// What only shows in captures by themselves: some are others without some packets.
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		for _, path := range folders[folder] {
			if slices.ContainsFunc(x.left, x.of(there[folder])) {
				x.ask(open(t, bench(folder), path))
			}
		}
	}
	for _, f := range x.left {
		t.Errorf("%s: the example finds no entry in any capture of testdata: %s", f.Name, f.Example)
	}
}

// shopOfNodes is a snapshot of the shop and of one other capture, by nodes whose names
// are known, as are some processes.
func shopOfNodes(t *testing.T, w *Workbench) *Evidence {
	t.Helper()
	log := filepath.Join(t.TempDir(), "identity.jsonl")
	known := must(os.ReadFile("../testdata/shop/identity.jsonl"))(t)
	if err := os.WriteFile(log, append(known, processes...), 0o600); err != nil {
		t.Fatal(err)
	}
	m := importSnapshot(t, w, snapshot.ImportOptions{Identity: log, Files: []string{
		"node-a=../testdata/shop/shop.pcapng.zst", "node-b=../testdata/http/server.pcap",
	}})
	return open(t, w, m.ID)
}

// ask asks for the examples of what is there. It returns the groups whose entries are there.
func (x *examples) ask(e *Evidence) map[string]bool {
	x.t.Helper()
	there := x.groups(e)
	of := x.of(there)
	x.left = slices.DeleteFunc(x.left, func(f *field.Field) bool { return of(f) && found(x.t, e, f.Example) })
	return there
}

// found tells whether a query finds an entry.
func found(t *testing.T, e *Evidence, kfl string) bool {
	t.Helper()
	for _, err := range must(e.Query(t.Context(), Query{KFL: kfl, Limit: 1}))(t).Rows {
		return must(true, err)(t)
	}
	return false
}

// of tells of a field whether it is of some groups.
func (x *examples) of(groups map[string]bool) func(*field.Field) bool {
	return func(f *field.Field) bool {
		return slices.ContainsFunc(x.catalogue.GroupsOf(f), func(g field.Group) bool { return groups[g.Name] })
	}
}

// groups returns which groups of fields the entries are of.
func (x *examples) groups(e *Evidence) map[string]bool {
	c := e.w.Catalogue()
	there := map[string]bool{}
	each(x.t, e, "true", func(r *index.Row) {
		for _, g := range c.Groups() {
			if !there[g.Name] {
				f := c.Flag(g.Name)
				there[g.Name] = f == nil || r.Value(f) == true
			}
		}
	})
	return there
}
