package kubernetes

import (
	"slices"
	"testing"

	"shark/snapshot/identity"
)

// TestOnePod: what the API and the machine say of a pod is one pod, in whichever order they say it.
func TestOnePod(t *testing.T) {
	const ip, other, uid = "10.0.0.7", "172.16.0.7", "uid-a"
	pod := func(source string, seen float64, addresses ...string) *identity.Record {
		r := &identity.Record{
			Time: at(seen), Op: identity.Upsert, Source: source, Kind: identity.Pod, UID: uid,
			Namespace: "shop", Name: "a", Node: nodeName, Addresses: addresses,
		}
		if source == Source {
			r.Labels = map[string]string{"app": "cart"}
		}
		return r
	}
	api := func(seen float64, addresses ...string) *identity.Record { return pod(Source, seen, addresses...) }
	local := func(seen float64, addresses ...string) *identity.Record { return pod("kubelet", seen, addresses...) }
	gone := func(r *identity.Record) *identity.Record {
		r.Op = identity.Delete
		return r
	}
	away := func() bool { return false }
	there := func() bool { return true }
	for _, test := range []struct {
		name      string
		connected func() bool
		records   []*identity.Record
		want      map[float64]string // of ip
		labelled  bool               // at 20 s
		second    string             // of the other address, at 20 s
	}{
		{"the API first", there, []*identity.Record{api(5, ip), local(8, ip)}, map[float64]string{4: "?", 6: "a", 9: "a"}, true, "?"},
		{"the machine first", there, []*identity.Record{local(8, ip), api(5, ip)}, map[float64]string{4: "?", 6: "a", 9: "a"}, true, "?"},
		{"before the API knows the address", there, []*identity.Record{api(2), local(5, ip), api(9, ip)}, map[float64]string{3: "?", 6: "a", 10: "a"}, true, "?"},
		{"another network", there, []*identity.Record{api(5, ip), local(8, ip, other)}, map[float64]string{6: "a"}, true, "a"},
		{"its address is given up", there, []*identity.Record{api(5, ip), local(8, ip, other), api(15)}, map[float64]string{14: "a", 16: "?"}, true, "?"},
		{"only the machine", away, []*identity.Record{local(5, ip)}, map[float64]string{6: "a"}, false, "?"},
		{"gone, says the machine alone", away, []*identity.Record{local(5, ip), gone(local(15))}, map[float64]string{14: "a", 16: "?"}, false, "?"},
		{"gone, says the machine, while the API is away", away, []*identity.Record{api(5, ip), gone(local(15))}, map[float64]string{14: "a", 16: "?"}, false, "?"},
		{"still there, says the API", there, []*identity.Record{api(5, ip), local(6, ip), gone(local(15))}, map[float64]string{14: "a", 16: "a"}, true, "?"},
		{"gone does not come back", there, []*identity.Record{api(5, ip), gone(api(15)), local(17, ip)}, map[float64]string{14: "a", 18: "?"}, false, "?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out []identity.Record
			j := NewJoin(nodeName, test.connected, func(r *identity.Record) { out = append(out, *r) })
			for _, r := range test.records {
				if r.Source == Source {
					j.API(r)
				} else {
					j.Local(r)
				}
			}
			l := logOf(t, out)
			for when, want := range test.want {
				if got := who(l, ip, at(when)); got != want && !(want == "?" && got[0] == '?') {
					t.Errorf("after %v s: %s, want %s", when, got, want)
				}
			}
			if got := who(l, other, at(20)); got[:1] != test.second {
				t.Errorf("the second address is %s's, want %s", got, test.second)
			}
			pods, err := l.Workloads(identity.WorkloadFilter{Type: identity.Pod})
			if err != nil || len(pods) != 1 {
				t.Fatalf("%d pods, %v", len(pods), err)
			}
			named, _ := j.Pod(uid)
			if test.labelled != (named.Labels["app"] == "cart") {
				t.Errorf("labels %v", named.Labels)
			}
		})
	}
}

// TestOneNode: the addresses that the API knows, the one the node is known by first, and those that the
// machine has beside them.
func TestOneNode(t *testing.T) {
	var last identity.Record
	j := NewJoin(nodeName, func() bool { return true }, func(r *identity.Record) { last = *r })
	j.Local(&identity.Record{Time: at(1), Op: identity.Upsert, Kind: identity.Node, Name: nodeName, Addresses: []string{"172.17.0.1", "192.0.2.1"}})
	j.API(&identity.Record{Time: at(2), Op: identity.Upsert, Kind: identity.Node, Name: nodeName, Addresses: []string{"192.0.2.1"}, Labels: map[string]string{"zone": "b"}})
	if !slices.Equal(last.Addresses, []string{"192.0.2.1", "172.17.0.1"}) || last.Labels["zone"] != "b" {
		t.Errorf("node %+v", last)
	}
	other := &identity.Record{Time: at(3), Op: identity.Upsert, Kind: identity.Node, Name: "node-b", Addresses: []string{"192.0.2.2"}}
	if j.Local(other); last.Name != "node-b" {
		t.Error("another node is not told of")
	}
}

// TestTarget: pods are chosen as kubectl chooses them.
func TestTarget(t *testing.T) {
	pod := identity.Record{Source: Source, Kind: identity.Pod, Namespace: "shop", Name: "cart-7d9f-x2x", Labels: map[string]string{"app": "cart", "tier": "web"}}
	unlabelled := pod
	unlabelled.Source, unlabelled.Labels = "kubelet", nil
	for _, test := range []struct {
		namespaces, excluded []string
		name, selector       string
		api, local           bool // meant, when the API told of it and when it did not
	}{
		{nil, nil, "", "", true, true},
		{[]string{"shop"}, nil, "", "", true, true},
		{[]string{"bank", "shop"}, nil, "", "", true, true},
		{[]string{"bank"}, nil, "", "", false, false},
		{nil, []string{"shop"}, "", "", false, false},
		{[]string{"shop"}, []string{"shop"}, "", "", false, false},
		{nil, nil, "^cart-", "", true, true},
		{nil, nil, "art", "", true, true},
		{nil, nil, "^art", "", false, false},
		{nil, nil, "", "app=cart", true, false},
		{nil, nil, "", "app in (cart,db),tier!=db", true, false},
		{nil, nil, "", "!app", false, false},
		{[]string{"shop"}, nil, "cart", "tier=db", false, false},
	} {
		target, err := ParseTarget(test.namespaces, test.excluded, test.name, test.selector)
		if err != nil {
			t.Fatal(err)
		}
		if got := target.Matches(&pod); got != test.api {
			t.Errorf("%+v: %v, want %v", test, got, test.api)
		}
		if got := target.Matches(&unlabelled); got != test.local {
			t.Errorf("%+v without the API: %v, want %v", test, got, test.local)
		}
	}
	for _, bad := range [][3]string{{"Shop_1", "", ""}, {"", "(", ""}, {"", "", "app in ("}, {"", string(make([]byte, maxPattern+1)), ""}} {
		var namespaces []string
		if bad[0] != "" {
			namespaces = bad[:1]
		}
		if _, err := ParseTarget(namespaces, nil, bad[1], bad[2]); err == nil {
			t.Errorf("%.20q: no error", bad)
		}
	}
}
