package freeze_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/freeze"
	"shark/recorder/ring"
	"shark/snapshot"
	"shark/snapshot/identity"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var interfaces = []packet.Interface{{Link: 1, SnapLen: 262144, Name: "eth0"}, {Link: 1, Name: "eth1"}}

// udp makes packet i of n, from 10.0.0.a to 10.0.0.b, one a millisecond.
func udp(i int, a, b byte) packet.Record {
	text := fmt.Sprintf("packet %d", i)
	ip := []byte{0x45, 0, 0, byte(28 + len(text)), 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, a, 10, 0, 0, b, 0x1f, 0x90, 0, 53, 0, byte(8 + len(text)), 0, 0}
	data := slices.Concat(make([]byte, 12), []byte{8, 0}, ip, []byte(text))
	return packet.Record{Data: data, OrigLen: uint32(len(data)), Interface: uint32(i % 2), Link: 1, Time: at(i).UnixNano()}
}

func at(i int) time.Time { return began.Add(time.Duration(i)*time.Millisecond + 3) }

// record makes a ring with 1000 packets among 10.0.0.1 to .5, in which some were dropped.
func record(t *testing.T, node string) (dir string, written []packet.Record) {
	t.Helper()
	dir = t.TempDir()
	w, err := ring.Create(dir, ring.Options{
		Node: node, Bytes: 8 << 20, SegmentBytes: 64 << 10, Flush: time.Hour, Now: func() time.Time { return at(1000) },
	})
	if err != nil {
		t.Fatal(err)
	}
	pod := func(i int, op identity.Op, space, name, ip string) identity.Record {
		return identity.Record{
			Time: at(i), Op: op, Kind: identity.Pod, UID: name, Namespace: space, Name: name, Addresses: []string{ip},
			Workload: &identity.WorkloadRef{Kind: "Deployment", Name: strings.TrimRight(name, "-0123456789")},
		}
	}
	// An address that changes hands: at any time it is that of one pod only.
	if err := w.Identity(pod(-1000, identity.Upsert, "shop", "cart-1", "10.0.0.1"), pod(-1000, identity.Upsert, "bank", "ledger-1", "10.0.0.2")); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if i == 500 {
			if err := w.Identity(pod(500, identity.Delete, "shop", "cart-1", "10.0.0.1"), pod(500, identity.Upsert, "bank", "audit-1", "10.0.0.1")); err != nil {
				t.Fatal(err)
			}
		}
		written = append(written, udp(i, byte(1+i%5), byte(1+(i/5+i)%5)))
		w.Write(written[i:], interfaces)
		if i == 300 {
			w.Lost(1, 7, interfaces)
		}
		if i%20 == 0 {
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, written
}

// create makes a snapshot and returns its packets, with the interface of each.
func create(t *testing.T, o snapshot.CreateOptions, dirs ...string) (*snapshot.Manifest, []string) {
	t.Helper()
	var err error
	if o.Recordings, err = freeze.Rings(dirs...); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "store")
	s, err := snapshot.OpenStore(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Create(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := x.Packets(t.Context(), snapshot.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var all []string
	for {
		var b packet.Batch
		err := p.ReadBatch(&b)
		for i := range b.Records {
			r := &b.Records[i]
			all = append(all, told(r, p.Interfaces()[r.Interface].Name))
		}
		if errors.Is(err, io.EOF) {
			return m, all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func told(r *packet.Record, name string) string {
	return fmt.Sprintf("%d %d %s %x", r.Time, r.OrigLen, name, r.Data)
}

// want are the packets of a window for which take is true.
func want(written []packet.Record, from, to int, take func(i int, a, b byte) bool) (all []string) {
	for i := from; i <= to; i++ {
		if r := &written[i]; take(i, r.Data[29], r.Data[33]) {
			all = append(all, told(r, interfaces[r.Interface].Name))
		}
	}
	return all
}

// A snapshot has the packets of the window that the filter takes, as they were recorded, and
// counts the others.
func TestCreate(t *testing.T) {
	dir, written := record(t, "node-a")
	either := func(a, b byte, one ...byte) bool { return slices.Contains(one, a) || slices.Contains(one, b) }
	for _, c := range []struct {
		name     string
		from, to int
		filter   snapshot.Filter
		take     func(i int, a, b byte) bool
	}{
		{"all", 0, 999, snapshot.Filter{}, func(int, byte, byte) bool { return true }},
		{"window", 250, 750, snapshot.Filter{}, func(int, byte, byte) bool { return true }},
		{"address", 0, 999, snapshot.Filter{Addresses: []string{"10.0.0.3", "10.0.0.4/32"}}, func(_ int, a, b byte) bool { return either(a, b, 3, 4) }},
		{"expression", 0, 999, snapshot.Filter{Expression: "src host 10.0.0.2"}, func(_ int, a, _ byte) bool { return a == 2 }},
		{"namespace", 0, 999, snapshot.Filter{Namespaces: []string{"shop"}}, func(i int, a, b byte) bool { return i < 500 && either(a, b, 1) }},
		{"another namespace", 400, 600, snapshot.Filter{Namespaces: []string{"bank"}}, func(i int, a, b byte) bool {
			return either(a, b, 2) || i >= 500 && either(a, b, 1)
		}},
		{"workload", 0, 999, snapshot.Filter{Workloads: []string{"bank/audit"}}, func(i int, a, b byte) bool { return i >= 500 && either(a, b, 1) }},
		{"pod and address", 0, 999, snapshot.Filter{Workloads: []string{"ledger-1"}, Addresses: []string{"10.0.0.5"}}, func(_ int, a, b byte) bool {
			return either(a, b, 2) && either(a, b, 5)
		}},
		{"nothing", 0, 999, snapshot.Filter{Namespaces: []string{"none"}}, func(int, byte, byte) bool { return false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, got := create(t, snapshot.CreateOptions{From: at(c.from), To: at(c.to), Filter: c.filter}, dir)
			expected := want(written, c.from, c.to, c.take)
			slices.Sort(got) // partitions of one time come in their order
			slices.Sort(expected)
			if !slices.Equal(got, expected) {
				t.Errorf("%d packets, want %d", len(got), len(expected))
			}
			n := m.Nodes[0]
			if n.Packets != uint64(len(expected)) || n.Packets+n.Filtered != uint64(c.to-c.from+1) {
				t.Errorf("%d packets and %d left out, want %d and %d", n.Packets, n.Filtered, len(expected), c.to-c.from+1-len(expected))
			}
			if (m.Filter == nil) != (c.name == "all" || c.name == "window") || !m.Asked.From.Equal(at(c.from)) || !m.Asked.To.Equal(at(c.to)) {
				t.Errorf("filter %v, asked %v", m.Filter, m.Asked)
			}
			dropped := uint64(0)
			for _, f := range n.Interfaces {
				dropped += *f.Dropped
			}
			if inside := c.from <= 300 && c.to >= 300; dropped > 7 || inside && dropped < 7 { // outside it may say too much
				t.Errorf("%d packets dropped in the window", dropped)
			}
			if left, err := os.ReadDir(filepath.Join(dir, "pins")); err != nil || len(left) > 0 {
				t.Errorf("pins are left: %v, %v", left, err)
			}
		})
	}
}

// Several nodes become one snapshot, each with its log; what was not recorded is noted.
func TestCreateOfNodes(t *testing.T) {
	a, written := record(t, "node-a")
	b, _ := record(t, "node-b")
	m, got := create(t, snapshot.CreateOptions{From: at(-5000), To: at(2000), Filter: snapshot.Filter{Addresses: []string{"10.0.0.0/24"}}}, a, b)
	if len(m.Nodes) != 2 || m.Name != "node-a" || len(got) != 2*len(written) {
		t.Errorf("%d nodes, %d packets, name %s", len(m.Nodes), len(got), m.Name)
	}
	var notes, kinds []string
	for _, n := range m.Coverage {
		notes = append(notes, n.Node+" "+string(n.Kind)+" "+n.Text)
	}
	for _, o := range m.Objects {
		kinds = append(kinds, o.Node+" "+string(o.Kind))
	}
	if wants := []string{
		"node-a window recorded from 2026-03-01T12:00:00.000000003Z on only", "node-a window recorded up to 2026-03-01T12:00:01.000000003Z only",
		"node-a drops the capture dropped 7 packets",
		"node-a hole 7 packets were lost between 2026-03-01T12:00:00.000000003Z and 2026-03-01T12:00:00.500000003Z", // which was at 300 ms
		"node-b window recorded from 2026-03-01T12:00:00.000000003Z on only", "node-b window recorded up to 2026-03-01T12:00:01.000000003Z only",
		"node-b drops the capture dropped 7 packets",
		"node-b hole 7 packets were lost between 2026-03-01T12:00:00.000000003Z and 2026-03-01T12:00:00.500000003Z", // which was at 300 ms
	}; !slices.Equal(notes, wants) {
		t.Errorf("notes %q", notes)
	}
	if wants := []string{"node-a packets", "node-a blocks", "node-a identity", "node-b packets", "node-b blocks", "node-b identity"}; !slices.Equal(kinds, wants) {
		t.Errorf("objects %q", kinds)
	}
	one, _ := create(t, snapshot.CreateOptions{From: at(0), To: at(999), Filter: snapshot.Filter{Nodes: []string{"node-b"}}}, a, b)
	if len(one.Nodes) != 1 || one.Nodes[0].Name != "node-b" {
		t.Errorf("nodes %v, want node-b", one.Nodes)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir, _ := record(t, "node-a")
	again, _ := record(t, "node-a")
	bare := t.TempDir()
	w, err := ring.Create(bare, ring.Options{Node: "bare", Bytes: 1 << 20, Flush: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]packet.Record{udp(1, 1, 2)}, interfaces)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		dirs   []string
		filter snapshot.Filter
		err    string
	}{
		{"no node of the name", []string{dir}, snapshot.Filter{Nodes: []string{"x"}}, `no recording of node "x"`},
		{"two of one node", []string{dir, again}, snapshot.Filter{}, `two recordings are of node "node-a"`},
		{"no address", []string{dir}, snapshot.Filter{Addresses: []string{"cart"}}, `"cart" is neither an address nor a CIDR block`},
		{"no expression", []string{dir}, snapshot.Filter{Expression: "tcp porrt 1"}, "filter: "},
		{"nobody is known", []string{bare}, snapshot.Filter{Namespaces: []string{"shop"}}, "nothing was recorded of who had which address"},
		{"nothing is named", nil, snapshot.Filter{}, "no recording is named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			recordings, err := freeze.Rings(c.dirs...)
			if err != nil {
				t.Fatal(err)
			}
			store := t.TempDir()
			s, err := snapshot.OpenStore(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Create(t.Context(), snapshot.CreateOptions{Recordings: recordings, From: at(0), To: at(9), Filter: c.filter}, nil)
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if list, err := s.List(t.Context()); err != nil || len(list) > 0 {
				t.Errorf("%v is left, %v", list, err)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "pins", "*")); err != nil || len(left) > 0 {
				t.Errorf("pins %v are left", left)
			}
		})
	}
}

// Plaintext and TLS secrets of a window are in the snapshot beside its packets, in the order of
// time and on their own interface.
func TestPlaintextAndSecrets(t *testing.T) {
	dir := t.TempDir()
	now := func() time.Time { return at(1000) }
	packets, err := ring.Create(dir, ring.Options{Node: "node-a", Bytes: 8 << 20, Flush: time.Hour, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ring.Create(filepath.Join(dir, freeze.Plaintext), ring.Options{Node: "node-a", Bytes: 8 << 20, Flush: time.Hour, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	clear := []packet.Interface{{Link: 1, Name: "shark-plaintext"}}
	var want []string
	for i := range 100 {
		r := udp(i, 1, 2)
		name := interfaces[r.Interface].Name
		if i%3 == 0 {
			r.Interface, name = 0, clear[0].Name
			plain.Write([]packet.Record{r}, clear)
		} else {
			packets.Write([]packet.Record{r}, interfaces)
		}
		want = append(want, told(&r, name))
	}
	const line = "CLIENT_RANDOM 00 00\n"
	if err := packets.Secrets(at(5), []byte(line)); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*ring.Writer{packets, plain} {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	list, err := freeze.Rings(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := list[0].Pin(at(0), at(99))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	for range 2 { // whoever reads again reads the same
		src := p.Open()
		var got []string
		for err = nil; err == nil; {
			var b packet.Batch
			err = src.ReadBatch(&b)
			for i := range b.Records {
				r := &b.Records[i]
				got = append(got, told(r, src.Interfaces()[r.Interface].Name))
			}
		}
		if !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
			t.Errorf("%d packets, want %d, %v", len(got), len(want), err)
		}
		secrets := src.(interface{ Secrets() []pcapng.Secret }).Secrets()
		if len(secrets) != 1 || string(secrets[0].Data) != line {
			t.Errorf("secrets %v", secrets)
		}
		src.Close()
	}
	if p.Notes() != nil && len(p.Notes()) > 1 {
		t.Errorf("notes %q", p.Notes())
	}
	m, packed := create(t, snapshot.CreateOptions{From: at(0), To: at(99)}, dir)
	if len(packed) != 100 || !slices.ContainsFunc(m.Objects, func(o snapshot.Object) bool { return o.Kind == snapshot.KindSecrets }) {
		t.Errorf("%d packets, objects %v", len(packed), m.Objects)
	}
}
