package workbench

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
	"shark/snapshot/identity"
)

// cluster is an identity log of a shop: a cart with one address after the other, a
// payment service with its pod, and a node.
func cluster(t testing.TB) string {
	t.Helper()
	at := func(s int64) time.Time { return time.Unix(1e9+s, 0).UTC() }
	var b bytes.Buffer
	w := identity.NewWriter(&b)
	for _, r := range []identity.Record{
		{Time: at(-100), Op: identity.Upsert, Kind: identity.Node, Name: "worker-1", UID: "n1", Addresses: []string{"192.168.1.1"}},
		{Time: at(-100), Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "cart-1", UID: "p1", Addresses: []string{"10.0.0.1"}, Node: "worker-1", Workload: &identity.WorkloadRef{Kind: "Deployment", Name: "cart"}, Labels: map[string]string{"app": "cart"}},
		{Time: at(-100), Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "pay-1", UID: "p2", Addresses: []string{"10.0.0.2"}, Node: "worker-1", Workload: &identity.WorkloadRef{Kind: "StatefulSet", Name: "pay"}},
		{Time: at(-100), Op: identity.Upsert, Kind: identity.Service, Namespace: "shop", Name: "payment", UID: "s1", Addresses: []string{"10.96.0.1"}},
		{Time: at(-100), Op: identity.Upsert, Kind: identity.Endpoints, Namespace: "shop", Name: "payment", UID: "e1", Addresses: []string{"10.0.0.2"}},
		{Time: at(5), Op: identity.Delete, Kind: identity.Pod, Namespace: "shop", Name: "cart-1", UID: "p1"},
		{Time: at(6), Op: identity.Upsert, Kind: identity.Pod, Namespace: "other", Name: "thief", UID: "p3", Addresses: []string{"10.0.0.1"}},
	} {
		if err := w.Write(&r); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "identity.jsonl")
	replace(t, path, b.Bytes(), time.Now().Add(-time.Hour))
	return path
}

// shop opens a call from 10.0.0.1 to 10.0.0.2, a packet a millisecond from second
// 1e9 on, with the log.
func shop(t testing.TB, w *Workbench, log string) *Evidence {
	t.Helper()
	e := must(w.Open(t.Context(), []string{conversationOf(t, nil, "GET /pay HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}, OpenOptions{Identity: log}))(t)
	t.Cleanup(func() { e.Close() })
	return e
}

func TestNamesInEntries(t *testing.T) {
	e := shop(t, newBench(t), cluster(t))
	for _, kfl := range []string{
		`http && src.pod.name == "cart-1" && dst.pod.name == "pay-1" && src.pod.namespace == "shop"`,
		`http && dst.service.name == "payment" && src.workload.kind == "Deployment" && dst.workload.name == "pay"`,
		`conn && local_node_name == "worker-1" && map_get(local_labels, "app", "") == "cart"`,
	} {
		if len(ids(t, e, kfl)) != 1 {
			t.Errorf("%s: %v", kfl, ids(t, e, kfl))
		}
	}
}

func TestWorkloadsAndIPs(t *testing.T) {
	e := shop(t, newBench(t), cluster(t))
	list := must(e.Workloads(t.Context(), identity.WorkloadFilter{Namespace: "shop"}))(t)
	var names []string
	for _, w := range list {
		names = append(names, string(w.Kind)+" "+w.Name)
	}
	if !slices.Equal(names, []string{"pod cart-1", "pod pay-1", "service payment"}) {
		t.Errorf("workloads %q", names)
	}
	ips := must(e.IPs(t.Context(), identity.IPFilter{IP: "10.0.0.1"}))(t)
	if len(ips) != 1 || len(ips[0].Records) != 2 || ips[0].Records[0].Name != "cart-1" || ips[0].Records[1].Name != "thief" {
		t.Errorf("addresses %+v", ips)
	}
	if _, err := e.Workloads(t.Context(), identity.WorkloadFilter{NameRegex: "("}); !errors.Is(err, ErrUsage) {
		t.Errorf("a wrong expression: %v", err)
	}
	if _, err := e.IPs(t.Context(), identity.IPFilter{IP: "10.0.0"}); !errors.Is(err, ErrUsage) {
		t.Errorf("a wrong address: %v", err)
	}
	w := newBench(t)
	without := open(t, w, "../testdata/http/server.pcap")
	if _, err := without.Workloads(t.Context(), identity.WorkloadFilter{}); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "--identity") {
		t.Errorf("without a log: %v", err)
	}
	if _, err := without.IPs(t.Context(), identity.IPFilter{}); !errors.Is(err, ErrUsage) {
		t.Errorf("without a log: %v", err)
	}
	if c := without.IdentityCoverage(); c.Partial {
		t.Errorf("without a log: %+v", c)
	}
}

// TestExportOfWorkloads: by the pod, its workload, its service, at the packets' time.
func TestExportOfWorkloads(t *testing.T) {
	e := shop(t, newBench(t), cluster(t))
	all := int64(len(packetsOf(t, e.inputs[0].path)))
	for workload, want := range map[string]int64{
		"cart-1": all, "shop/cart-1": all, "cart": all, "payment": all, "shop/payment": all, "shop/pay": all,
		"other/thief": 0, // had the address, but later
	} {
		if _, x := export(t, e, Export{Workload: workload}); x.Packets != want {
			t.Errorf("%s: %d of %d packets", workload, x.Packets, all)
		}
	}
	if _, x := export(t, e, Export{Workload: "cart", IP: "10.0.0.2", BPF: "src host 10.0.0.1", KFL: "http"}); x.Packets == 0 || x.Packets >= all {
		t.Errorf("all conditions: %d of %d packets", x.Packets, all)
	}
	for _, workload := range []string{"card", "other/cart-1"} {
		if _, err := e.Export(t.Context(), Export{Workload: workload}, new(bytes.Buffer)); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", workload, err)
		}
	}
}

// TestDamagedIdentityLog: what of the log cannot be read makes answers partial.
func TestDamagedIdentityLog(t *testing.T) {
	log := cluster(t)
	replace(t, log, append([]byte("nonsense\n"), must(os.ReadFile(log))(t)...), time.Now().Add(-time.Hour))
	e := shop(t, newBench(t), log)
	a := must(e.Query(t.Context(), Query{}))(t)
	for _, c := range []Coverage{a.Coverage, e.IdentityCoverage()} {
		if text := strings.Join(c.Notes, "\n"); !c.Partial || strings.Count(text, "identity log, line 1") != 1 || strings.Contains(text, "identity log: identity log") {
			t.Errorf("%+v", c)
		}
	}
}

// carrying is the capture file with an identity log among its packets.
func carrying(t testing.TB, capture, log string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recorded.pcapng")
	var out bytes.Buffer
	w := must(pcapng.NewWriter(&out, pcapng.Options{}))(t)
	lines := must(os.ReadFile(log))(t)
	half := bytes.IndexByte(lines, '\n') + 1
	if err := w.WriteIdentity(lines[:half]); err != nil {
		t.Fatal(err)
	}
	in := must(pcapng.Open(capture))(t)
	defer in.Close()
	var b packet.Batch
	for in.ReadBatch(&b) == nil {
		for i := range b.Records {
			if err := w.Write(&b.Records[i], in.Interfaces()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.WriteIdentity(lines[half:]), w.Close()); err != nil {
		t.Fatal(err)
	}
	replace(t, path, out.Bytes(), time.Now().Add(-time.Hour))
	return path
}

// A capture file that carries an identity log answers as one with a log beside it, and as
// the snapshot made of it; a log that is given stands for the one it carries.
func TestCarriedNames(t *testing.T) {
	w := newBench(t)
	capture := conversationOf(t, nil, "GET /pay HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	path := carrying(t, capture, cluster(t))
	const kfl = `http && src.pod.name == "cart-1" && dst.service.name == "payment"`
	e := open(t, w, path)
	if n := len(ids(t, e, kfl)); n != 1 {
		t.Errorf("%d calls of the cart's", n)
	}
	if found := must(e.Workloads(t.Context(), identity.WorkloadFilter{}))(t); len(found) != 4 {
		t.Errorf("%d workloads", len(found))
	}
	if out := command(t, "tshark", "-r", path); strings.Count(out, "\n") != len(packetsOf(t, capture)) {
		t.Errorf("tshark shows other packets:\n%s", out)
	}
	other := filepath.Join(t.TempDir(), "other.jsonl")
	replace(t, other, []byte(`{"time":"2001-01-01T00:00:00Z","op":"upsert","kind":"pod","namespace":"shop","name":"someone","addresses":["10.0.0.1"]}`+"\n"), time.Now().Add(-time.Hour))
	e = must(w.Open(t.Context(), []string{path}, OpenOptions{Identity: other}))(t)
	t.Cleanup(func() { e.Close() })
	if n := len(ids(t, e, `http && src.pod.name == "someone"`)); n != 1 {
		t.Errorf("%d calls of whom the log that was given names", n)
	}
	dir := t.TempDir()
	store := must(snapshot.OpenStore(t.Context(), dir))(t)
	m := must(store.Import(t.Context(), snapshot.ImportOptions{Files: []string{path}}, nil))(t)
	w = newBench(t, func(c *Config) { c.Store = dir })
	if n := len(ids(t, open(t, w, m.ID), kfl)); n != 1 {
		t.Errorf("%d calls of the cart's in the snapshot", n)
	}
}
