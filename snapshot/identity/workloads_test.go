package identity

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func workloadsLog(t *testing.T) *Log {
	cart, moved := pod(0, "cart-1", "n1", "10.0.0.1"), pod(20, "cart-1", "n1", "10.0.0.2", "fd00::2")
	moved.Labels = map[string]string{"app": "cart-1", "canary": "yes"}
	other := pod(5, "cart-1", "n2", "10.0.0.1")
	other.Namespace, other.UID = "bank", "b"
	other.Time = at(30)
	return logOf(t, node(0, "n1", "192.168.0.1"), cart, moved, other, gone(40, other), pod(5, "web-1", "n2", "10.0.0.3"), service(0, "cart-1", "10.96.0.1"),
		host(pod(0, "agent-1", "n1", "192.168.0.1")))
}

func TestWorkloads(t *testing.T) {
	l := workloadsLog(t)
	for _, c := range []struct {
		name string
		f    WorkloadFilter
		want string // namespace/name/kind:addresses
	}{
		{"all", WorkloadFilter{}, "bank/cart-1/pod:10.0.0.1 shop/agent-1/pod:192.168.0.1 shop/cart-1/pod:10.0.0.1,10.0.0.2,fd00::2 shop/cart-1/service:10.96.0.1 shop/web-1/pod:10.0.0.3"},
		{"exact name", WorkloadFilter{Name: "cart-1", Namespace: "shop"}, "shop/cart-1/pod:10.0.0.1,10.0.0.2,fd00::2 shop/cart-1/service:10.96.0.1"},
		{"no part of a name", WorkloadFilter{Name: "cart"}, ""},
		{"type", WorkloadFilter{Type: Service}, "shop/cart-1/service:10.96.0.1"},
		{"namespaces", WorkloadFilter{Namespaces: []string{"bank", "other"}}, "bank/cart-1/pod:10.0.0.1"},
		{"pattern", WorkloadFilter{NameRegex: "^(web|agent)-"}, "shop/agent-1/pod:192.168.0.1 shop/web-1/pod:10.0.0.3"},
		{"labels of once", WorkloadFilter{Labels: map[string]string{"app": "cart-1"}, Namespaces: []string{"shop"}}, "shop/cart-1/pod:10.0.0.1,10.0.0.2,fd00::2"},
		{"all labels", WorkloadFilter{Labels: map[string]string{"app": "cart-1", "canary": "yes"}}, "shop/cart-1/pod:10.0.0.1,10.0.0.2,fd00::2"},
		{"labels then", WorkloadFilter{Labels: map[string]string{"canary": "yes"}, At: at(19)}, ""},
		{"then", WorkloadFilter{At: at(4)}, "shop/agent-1/pod:192.168.0.1 shop/cart-1/pod:10.0.0.1 shop/cart-1/service:10.96.0.1"},
		{"at the change", WorkloadFilter{Name: "cart-1", Type: Pod, At: at(20)}, "shop/cart-1/pod:10.0.0.2,fd00::2"},
		{"at the end of one", WorkloadFilter{Namespace: "bank", At: at(40)}, ""},
		{"before all", WorkloadFilter{At: at(-1)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := l.Workloads(c.f)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range found {
				var ips []string
				for _, x := range w.IPs {
					ips = append(ips, x.IP)
				}
				got = append(got, w.Namespace+"/"+w.Name+"/"+string(w.Kind)+":"+strings.Join(ips, ","))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s\nwant %s", strings.Join(got, " "), c.want)
			}
		})
	}
	one, err := l.Workloads(WorkloadFilter{Name: "cart-1", Namespace: "shop", Type: Pod})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"cart-1","namespace":"shop","kind":"pod","labels":{"app":"cart-1","canary":"yes"},"ips":[` +
		`{"ip":"10.0.0.1","from":"2026-03-01T12:00:00Z","to":"2026-03-01T12:00:20Z"},{"ip":"10.0.0.2","from":"2026-03-01T12:00:20Z"},{"ip":"fd00::2","from":"2026-03-01T12:00:20Z"}],` +
		`"node":"n1","workload":{"kind":"Deployment","name":"cart"}}]`
	if got := asJSON(t, one); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	none, err := l.Workloads(WorkloadFilter{Name: "nobody"})
	if got := asJSON(t, none); err != nil || got != "[]" {
		t.Errorf("none: %s, %v", got, err)
	}
	for _, f := range []WorkloadFilter{{NameRegex: "("}, {NameRegex: strings.Repeat("x", maxRegex+1)}, {Type: Node}, {At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		if _, err := l.Workloads(f); err == nil {
			t.Errorf("%.60v: no error", f)
		}
	}
}

func TestIPs(t *testing.T) {
	l := workloadsLog(t)
	for _, c := range []struct {
		name string
		f    IPFilter
		want string
	}{
		{"one address", IPFilter{IP: "10.0.0.1"}, `[{"ip":"10.0.0.1","records":[` +
			`{"name":"cart-1","namespace":"shop","kind":"pod","from":"2026-03-01T12:00:00Z","to":"2026-03-01T12:00:20Z"},` +
			`{"name":"cart-1","namespace":"bank","kind":"pod","from":"2026-03-01T12:00:30Z","to":"2026-03-01T12:00:40Z"}]}]`},
		{"then", IPFilter{IP: "::ffff:10.0.0.1", At: at(30)}, `[{"ip":"10.0.0.1","records":[{"name":"cart-1","namespace":"bank","kind":"pod","from":"2026-03-01T12:00:30Z","to":"2026-03-01T12:00:40Z"}]}]`},
		{"between owners", IPFilter{IP: "10.0.0.1", At: at(25)}, `[]`},
		{"labels at the time of the address", IPFilter{Labels: map[string]string{"canary": "yes"}}, `[` +
			`{"ip":"10.0.0.2","records":[{"name":"cart-1","namespace":"shop","kind":"pod","from":"2026-03-01T12:00:20Z"}]},` +
			`{"ip":"fd00::2","records":[{"name":"cart-1","namespace":"shop","kind":"pod","from":"2026-03-01T12:00:20Z"}]}]`},
		{"pattern and namespace", IPFilter{NameRegex: "cart", Namespaces: []string{"bank"}}, `[{"ip":"10.0.0.1","records":[{"name":"cart-1","namespace":"bank","kind":"pod","from":"2026-03-01T12:00:30Z","to":"2026-03-01T12:00:40Z"}]}]`},
		{"a node and who shares its address", IPFilter{IP: "192.168.0.1"}, `[{"ip":"192.168.0.1","records":[` +
			`{"name":"n1","kind":"node","from":"2026-03-01T12:00:00Z"},{"name":"agent-1","namespace":"shop","kind":"pod","from":"2026-03-01T12:00:00Z"}]}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := l.IPs(c.f)
			if err != nil {
				t.Fatal(err)
			}
			if got := asJSON(t, found); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
	all, err := l.IPs(IPFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range all {
		got = append(got, x.IP)
	}
	if want := "10.0.0.1 10.0.0.2 10.0.0.3 10.96.0.1 192.168.0.1 fd00::2"; strings.Join(got, " ") != want {
		t.Errorf("addresses %v, want %s", got, want)
	}
	if _, err := l.IPs(IPFilter{IP: "cart"}); err == nil {
		t.Error("a name was taken for an address")
	}
}
