package identity

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is a number of seconds after the test's beginning.
func at(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }

func addr(s string) packet.Addr { return packet.AddrFrom(netip.MustParseAddr(s)) }

// logOf writes records and reads them again.
func logOf(t testing.TB, records ...Record) *Log {
	t.Helper()
	l, err := Read(bytes.NewReader(encode(t, records...)))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func encode(t testing.TB, records ...Record) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := NewWriter(&buf)
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func pod(s int, name, node string, addrs ...string) Record {
	return Record{
		Time: at(s), Op: Upsert, Source: "kubernetes", Kind: Pod, UID: "uid-" + name, Namespace: "shop", Name: name, Node: node, Addresses: addrs,
		Workload: &WorkloadRef{"Deployment", strings.TrimRight(name, "-0123456789")}, Labels: map[string]string{"app": name},
	}
}

func service(s int, name string, addrs ...string) Record {
	return Record{Time: at(s), Op: Upsert, Kind: Service, Namespace: "shop", Name: name, Addresses: addrs}
}

func endpoints(s int, name, service string, addrs ...string) Record {
	return Record{Time: at(s), Op: Upsert, Kind: Endpoints, Namespace: "shop", Name: name, Service: service, Addresses: addrs}
}

func node(s int, name string, addrs ...string) Record {
	return Record{Time: at(s), Op: Upsert, Kind: Node, Name: name, Addresses: addrs}
}

func host(r Record) Record { r.HostNetwork = true; return r }

func gone(s int, r Record) Record {
	return Record{Time: at(s), Op: Delete, Kind: r.Kind, UID: r.UID, Namespace: r.Namespace, Name: r.Name, Node: r.Node}
}

// short is an owner in one line: pod/service/node/nodeIP/workload/process, or why not.
func short(o Owner) string {
	if o.Unknown != "" {
		return "? " + o.Unknown
	}
	return strings.Join([]string{o.Pod, o.Service, o.Node, o.NodeIP, o.Workload, o.Process}, "/")
}

func TestLookup(t *testing.T) {
	cart, db := pod(0, "cart-1", "n1", "10.0.0.1", "fd00::1"), pod(10, "db-0", "n2", "10.0.0.2")
	reborn := pod(40, "db-0", "n1", "10.0.0.9")
	reborn.UID = "uid-db-0-b"
	late := pod(50, "db-0", "n2", "10.0.0.2") // what a slow node says of the one before
	process := Record{Time: at(0), Op: Upsert, Kind: Process, UID: "7", Name: "java", Addresses: []string{"10.0.0.1", "10.9.9.9"}}
	l := logOf(t,
		node(0, "n1", "192.168.0.1", "172.16.0.1"), node(0, "n2", "192.168.0.2"), node(60, "n1", "192.168.0.101", "172.16.0.1"),
		cart, db, gone(30, db), pod(20, "web-1", "n1", "10.0.0.3"), pod(35, "web-2", "n1", "10.0.0.2"), reborn, late,
		host(pod(5, "agent-1", "n1", "192.168.0.1")), pod(5, "agent-2", "n2", "192.168.0.2"), // the second does not say that it uses the host's network
		host(pod(5, "agent-3", "n3", "192.168.0.3")), host(pod(5, "agent-4", "", "192.168.0.4")),
		service(0, "cart", "10.96.0.1"), endpoints(15, "cart-abc", "cart", "10.0.0.1"), endpoints(15, "cart-def", "cart", "10.0.0.1"),
		endpoints(25, "all", "", "10.0.0.1", "10.0.0.3", "203.0.113.5"), endpoints(45, "all", "", "10.0.0.3"),
		service(0, "twin-a", "10.96.0.2"), service(0, "twin-b", "10.96.0.2"),
		pod(0, "x", "n1", "10.0.0.50"), pod(10, "y", "n1", "10.0.0.50"), gone(20, pod(0, "x", "n1")), pod(0, "z", "n2", "172.16.0.1"),
		process,
	)
	for _, c := range []struct {
		name, addr string
		at         int
		want       string
	}{
		{"pod before it has a service", "10.0.0.1", 3, "cart-1//n1/192.168.0.1/cart/java"},
		{"behind two slices of one service", "10.0.0.1", 15, "cart-1/cart/n1/192.168.0.1/cart/java"},
		{"behind two services", "10.0.0.1", 25, "cart-1//n1/192.168.0.1/cart/java"},
		{"behind one again", "10.0.0.1", 45, "cart-1/cart/n1/192.168.0.1/cart/java"},
		{"the node's address changed", "10.0.0.1", 60, "cart-1/cart/n1/192.168.0.101/cart/java"},
		{"IPv6", "fd00::1", 1, "cart-1//n1/192.168.0.1/cart/"},
		{"before the log", "10.0.0.1", -1, "? first seen at 2026-03-01T12:00:00Z, which is later"},
		{"seen later", "10.0.0.3", 19, "? first seen at 2026-03-01T12:00:20Z, which is later"},
		{"first owner", "10.0.0.2", 29, "db-0//n2/192.168.0.2/db/"},
		{"given up", "10.0.0.2", 34, "? nobody has had it since 2026-03-01T12:00:30Z"},
		{"reused, and a dead uid stays dead", "10.0.0.2", 55, "web-2//n1/192.168.0.1/web/"},
		{"same name, new pod", "10.0.0.9", 50, "db-0//n1/192.168.0.1/db/"},
		{"never seen", "10.1.1.1", 5, "? the identity log has no record of it"},
		{"loopback", "127.0.0.1", 5, "? a loopback address, which every host has"},
		{"node", "192.168.0.1", 3, "//n1/192.168.0.1//"},
		{"node with host-network pods", "192.168.0.1", 6, "//n1/192.168.0.1//"},
		{"node with pods that only look so", "192.168.0.2", 6, "//n2/192.168.0.2//"},
		{"node known by its host-network pods only", "192.168.0.3", 6, "//n3/192.168.0.3//"},
		{"host-network pod of no node", "192.168.0.4", 6, "? host-network pods of a node that is not named have it"},
		{"node address taken by another's pod", "172.16.0.1", 6, "? node n1 and 1 pods that are not its own have it at once"},
		{"service", "10.96.0.1", 3, "/cart////"},
		{"two services", "10.96.0.2", 3, "? 0 pods and 2 services have it at once"},
		{"one pod of two", "10.0.0.50", 5, "x//n1/192.168.0.1/x/"},
		{"two pods", "10.0.0.50", 15, "? 2 pods and 0 services have it at once"},
		{"the other of two", "10.0.0.50", 25, "y//n1/192.168.0.1/y/"},
		{"outside, behind a service", "203.0.113.5", 26, "/all////"},
		{"process outside Kubernetes", "10.9.9.9", 1, "/////java"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := short(l.Lookup(addr(c.addr), at(c.at).UnixNano())); got != c.want {
				t.Errorf("%s at %d: %s\nwant %s", c.addr, c.at, got, c.want)
			}
		})
	}
	o := l.Lookup(addr("10.0.0.1"), at(3).UnixNano())
	if o.PodNamespace != "shop" || o.WorkloadKind != "Deployment" || o.Labels["app"] != "cart-1" {
		t.Errorf("pod: %+v", o)
	}
	if o := l.Lookup(addr("10.96.0.1"), at(3).UnixNano()); o.ServiceNamespace != "shop" {
		t.Errorf("service: %+v", o)
	}
	var none *Log
	if o := none.Lookup(addr("10.0.0.1"), 0); o.Unknown == "" {
		t.Errorf("no log: %+v", o)
	}
}

// model answers lookups by playing all records from the beginning.
type model []Record

func (m model) lookup(a string, t time.Time) Owner {
	live, uids, dead := map[string]Record{}, map[string]string{}, map[string]bool{}
	for _, r := range m {
		key := fmt.Sprint(r.Kind, "/", r.Namespace, "/", r.Name)
		if r.Time.After(t) || dead[r.UID] {
			continue
		}
		if r.Op == Delete {
			dead[r.UID] = r.UID != ""
			if r.UID == "" || uids[key] == "" || r.UID == uids[key] {
				delete(live, key)
			}
			continue
		}
		if old := uids[key]; old != "" && r.UID != "" && old != r.UID {
			dead[old] = true
		}
		if r.UID != "" {
			uids[key] = r.UID
		}
		live[key] = r
	}
	var pods, hostPods, nodes, services []Record
	behind, nodeNames := map[string]Record{}, map[string]bool{}
	nodeIP := func(name string) string {
		if n, ok := live["node//"+name]; ok && len(n.Addresses) > 0 {
			return n.Addresses[0]
		}
		return ""
	}
	for _, r := range live {
		if !slices.Contains(r.Addresses, a) {
			continue
		}
		switch {
		case r.Kind == Pod && r.HostNetwork:
			hostPods = append(hostPods, r)
			nodeNames[r.Node] = true
		case r.Kind == Pod:
			pods = append(pods, r)
		case r.Kind == Node:
			nodes = append(nodes, r)
			nodeNames[r.Name] = true
		case r.Kind == Service:
			services = append(services, r)
		case r.Kind == Endpoints:
			behind[r.Service] = r
		}
	}
	if len(nodes) > 0 { // its own pods share its address
		pods = slices.DeleteFunc(pods, func(p Record) bool { return p.Node == nodes[0].Name })
	}
	owners := len(nodeNames) + len(pods) + len(services)
	switch {
	case owners > 1:
		return Owner{Unknown: "several"}
	case len(nodes) == 1:
		return Owner{Node: nodes[0].Name, NodeIP: nodeIP(nodes[0].Name)}
	case len(hostPods) > 0:
		return Owner{Node: hostPods[0].Node, NodeIP: a}
	case len(pods) == 1:
		o := Owner{Pod: pods[0].Name, Node: pods[0].Node, NodeIP: nodeIP(pods[0].Node), Workload: pods[0].Workload.Name}
		if len(behind) == 1 {
			for name := range behind {
				o.Service = name
			}
		}
		return o
	case len(services) == 1:
		return Owner{Service: services[0].Name}
	case len(behind) == 1:
		for name := range behind {
			return Owner{Service: name}
		}
	case len(behind) > 1:
		return Owner{Unknown: "several"}
	}
	return Owner{Unknown: "none"}
}

func TestLookupAgainstModel(t *testing.T) {
	const addresses, seconds = 6, 40
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		pick := func() (some []string) {
			for i := range addresses {
				if rng.IntN(4) == 0 {
					some = append(some, fmt.Sprintf("10.0.0.%d", i))
				}
			}
			return some
		}
		var records []Record
		for range 5 + rng.IntN(60) {
			var r Record
			s, n := rng.IntN(seconds), fmt.Sprint("n", rng.IntN(3))
			switch rng.IntN(8) {
			case 0:
				r = node(s, n, pick()...)
			case 1:
				r = service(s, fmt.Sprint("s", rng.IntN(3)), pick()...)
			case 2:
				r = endpoints(s, fmt.Sprint("e", rng.IntN(3)), fmt.Sprint("s", rng.IntN(2)), pick()...)
			case 3:
				r = host(pod(s, fmt.Sprint("p", rng.IntN(4)), n, pick()...))
			default:
				r = pod(s, fmt.Sprint("p", rng.IntN(4)), n, pick()...)
			}
			if r.UID = []string{"", "", fmt.Sprint(r.Kind, r.Name, rng.IntN(4))}[rng.IntN(3)]; rng.IntN(4) == 0 {
				r = gone(s, r)
			}
			records = append(records, r)
		}
		l := logOf(t, records...)
		slices.SortStableFunc(records, func(a, b Record) int { return a.Time.Compare(b.Time) })
		for i := range addresses {
			a := fmt.Sprintf("10.0.0.%d", i)
			for s := range seconds {
				got, want := l.Lookup(addr(a), at(s).UnixNano()), model(records).lookup(a, at(s))
				if (got.Unknown != "") != (want.Unknown != "") || want.Unknown == "" && short(got) != short(want) {
					t.Fatalf("seed %d, %s at %d: %s, want %s\n%s", seed, a, s, short(got), short(want), encode(t, records...))
				}
			}
		}
	}
}

// TestPodNodes: a node counts if a pod ever ran there, wherever that is now.
func TestPodNodes(t *testing.T) {
	moved := pod(3, "moved", "n2", "10.0.0.1")
	l := logOf(t, node(0, "empty", "10.1.0.1"), pod(1, "moved", "n1", "10.0.0.1"), moved, gone(4, moved), pod(1, "nowhere", "", "10.0.0.2"))
	if got, want := l.PodNodes(), []string{"", "n1", "n2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (*Log)(nil).PodNodes(); len(got) > 0 {
		t.Errorf("no log knows pods on %q", got)
	}
}

// TestOwners: they are those that Lookup names at some time, no others and none left out.
func TestOwners(t *testing.T) {
	web, cart := pod(10, "web-1", "n1", "10.0.0.1"), pod(30, "cart-1", "n2", "10.0.0.1")
	l := logOf(t, node(0, "n1", "192.168.0.1"), web, gone(20, web), cart, Record{Time: at(50), Op: Upsert, Kind: Cut, Name: "cut"})
	for _, a := range []string{"10.0.0.1", "192.168.0.1", "10.0.0.9", "127.0.0.1"} {
		for from := -5; from < 60; from += 5 {
			for to := from; to < 60; to += 5 {
				want := make(map[string]bool)
				for s := from; s <= to; s++ {
					o := l.Lookup(addr(a), at(s).UnixNano())
					o.NodeIP = ""
					want[short(o)] = true
				}
				got := make(map[string]bool)
				for _, o := range l.Owners(addr(a), at(from).UnixNano(), at(to).UnixNano()) {
					o.NodeIP = ""
					got[short(o)] = true
				}
				if !maps.Equal(got, want) {
					t.Errorf("%s from %d to %d: %v, want %v", a, from, to, got, want)
				}
			}
		}
	}
	var none *Log
	if o := none.Owners(addr("10.0.0.1"), 0, 1); len(o) != 1 || o[0].Unknown == "" {
		t.Errorf("without a log: %v", o)
	}
}

func BenchmarkLookup(b *testing.B) {
	var records []Record
	for i := range 5000 {
		p := pod(i%50, fmt.Sprint("pod-", i), fmt.Sprint("n", i%100), fmt.Sprintf("10.0.%d.%d", i/250, i%250))
		records = append(records, p, gone(100+i%50, p))
		p.Time, p.Name, p.UID = at(200+i%50), p.Name+"b", p.UID+"b"
		records = append(records, p)
	}
	for i := range 100 {
		records = append(records, node(0, fmt.Sprint("n", i), fmt.Sprintf("192.168.1.%d", i)))
	}
	l := logOf(b, records...)
	addrs := make([]packet.Addr, 5000)
	for i := range addrs {
		addrs[i] = addr(fmt.Sprintf("10.0.%d.%d", i/250, i%250))
	}
	b.ReportAllocs()
	for i := range b.N {
		if o := l.Lookup(addrs[i%5000], at(260).UnixNano()); o.Pod == "" {
			b.Fatal(o)
		}
	}
}
