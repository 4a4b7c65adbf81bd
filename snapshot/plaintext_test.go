package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/block"
)

// talk writes a capture of segments between pairs of addresses, each as it was captured and,
// a little later, as TLS libraries had it. With only, it has one of the two.
func talk(t testing.TB, n int, only string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "talk.pcapng")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pcapng.NewWriter(f, pcapng.Options{})
	if err != nil {
		t.Fatal(err)
	}
	interfaces := []packet.Interface{
		{Link: packet.LinkType(101), SnapLen: 65535, Name: "eth0", Received: ptr(uint64(n)), Dropped: ptr(uint64(3))},
		{Link: packet.LinkType(101), Name: packet.PlaintextInterface, Description: "what TLS libraries sent and received", Received: ptr(uint64(n)), Dropped: ptr(uint64(5))},
		{Link: packet.LinkType(101), SnapLen: 65535, Name: "eth1"},
	}
	if err := w.WriteSecrets(pcapng.Secret{Type: pcapng.SecretTLS, Data: []byte("CLIENT_RANDOM 00 11\n")}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for k, at := range []uint32{uint32(2 * (i % 2)), 1} {
			if only != "" && interfaces[at].Name != only && (only != "wire" || k == 1) {
				continue
			}
			data := segment(byte(i%7), byte(i%11), fmt.Sprintf("%s says %d", interfaces[at].Name, i))
			r := packet.Record{Data: data, OrigLen: uint32(len(data)), Interface: at, Link: packet.LinkType(101), Time: began.Add(time.Duration(i)*time.Millisecond + time.Duration(k)*time.Microsecond).UnixNano()}
			if err := w.Write(&r, interfaces); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range interfaces {
		if err := w.WriteStatistics(uint32(i), interfaces, began.UnixNano()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// segment is an IPv4 packet with a TCP segment from 10.0.0.a to 10.0.1.b.
func segment(a, b byte, text string) []byte {
	tcp := append([]byte{0x1f, 0x90, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0}, text...)
	n := 20 + len(tcp)
	return append([]byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, a, 10, 0, 1, b}, tcp...)
}

func objectsOf(m *Manifest, kind ObjectKind) (list []Object) {
	for _, o := range m.Objects {
		if o.Kind == kind {
			list = append(list, o)
		}
	}
	return list
}

// What TLS libraries sent and received has an object of its own, in the partitions of the
// connections that carried it, and is read with the packets as one.
func TestPlaintext(t *testing.T) {
	store := openStore(t)
	file := talk(t, 2000, "")
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + file, "n2=" + talk(t, 500, "wire"), "n3=" + talk(t, 300, packet.PlaintextInterface)}})
	wire, plain := objectsOf(m, KindPackets), objectsOf(m, KindPlaintext)
	if len(wire) != 3 || len(plain) != 2 || wire[0].Packets != 2000 || plain[0].Packets != 2000 || wire[1].Packets != 500 || wire[2].Packets != 0 || plain[1].Packets != 300 {
		t.Fatalf("%+v\n%+v", wire, plain)
	}
	if plain[0].Path != "nodes/n1/plaintext.pcapng.zst" || plain[0].Index != "nodes/n1/plaintext.blocks" {
		t.Errorf("%+v", plain[0])
	}
	if n := m.Nodes[0]; n.Packets != 2000 || len(n.Interfaces) != 3 || n.Interfaces[1].Packets != 2000 || *n.Interfaces[1].Dropped != 5 {
		t.Errorf("%+v", n)
	}
	if n := m.Nodes[2]; n.Got == nil || n.Packets != 0 {
		t.Errorf("%+v", n)
	}
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := kept(t, s, "n1")
	equal(t, got, packets(t, file))
	indexes, err := s.indexes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	of := func(at int) (interfaces []string, partitions map[int]int) {
		partitions = make(map[int]int)
		for _, f := range indexes[at].Index.Interfaces {
			interfaces = append(interfaces, f.Name)
		}
		for _, b := range indexes[at].Index.Blocks {
			partitions[b.Partition] += b.Packets
		}
		return interfaces, partitions
	}
	names, parts := of(0)
	others, theirs := of(3)
	if !slices.Equal(names, []string{"eth0", "eth1"}) || !slices.Equal(others, []string{packet.PlaintextInterface}) || fmt.Sprint(parts) != fmt.Sprint(theirs) || len(parts) != 2 {
		t.Errorf("%q in %v, %q in %v", names, parts, others, theirs)
	}
	if last, next := numbered(t, s, 2500), numbered(t, s, 2500+1); !strings.Contains(last, "eth") || !strings.Contains(next, packet.PlaintextInterface+" says") {
		t.Errorf("behind all packets, of which the last is %q, comes %q", last, next)
	}
}

// numbered returns the data of the packet with a number.
func numbered(t *testing.T, s *Snapshot, number uint64) string {
	t.Helper()
	p, err := s.Packets(t.Context(), Selection{Selection: block.Selection{Numbers: []uint64{number}}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var b packet.Batch
	for {
		if err := p.ReadBatch(&b); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.Records {
			if r.Number == number {
				return string(r.Data)
			}
		}
	}
}

// What opens TLS is left out if it is not to be kept, and the manifest says how much.
func TestPolicy(t *testing.T) {
	store := openStore(t)
	file := talk(t, 100, "")
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + file}, Policy: Policy{NoPlaintext: true, NoSecrets: true}})
	if len(objectsOf(m, KindPlaintext)) > 0 || len(objectsOf(m, KindSecrets)) > 0 || len(objectsOf(m, KindPackets)) != 1 {
		t.Errorf("%+v", m.Objects)
	}
	var notes []string
	for _, n := range m.Coverage {
		if n.Kind == NotePolicy && n.Node == "n1" {
			notes = append(notes, n.Text)
		}
	}
	if len(notes) != 2 || !strings.HasPrefix(notes[0], "100 segments of TLS plaintext") || !strings.HasPrefix(notes[1], "1 TLS session secrets") {
		t.Errorf("%q", notes)
	}
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range kept(t, s, "") {
		if strings.Contains(p, packet.PlaintextInterface) {
			t.Fatal(p)
		}
	}
}

// Copies have the plaintext, verify finds damage of it, and its index is made anew.
func TestPlaintextIsKeptLikePackets(t *testing.T) {
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{"n1=" + talk(t, 800, "")}})
	from, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	target := openStore(t)
	if _, err := from.Copy(t.Context(), target, CopyOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	s, err := target.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, kept(t, s, ""), kept(t, from, ""))
	problems := func() []Problem {
		v, err := target.Verify(t.Context(), m.ID, nil)
		if err != nil && !errors.Is(err, ErrIntegrity) {
			t.Fatal(err)
		}
		return v.Problems
	}
	if p := problems(); len(p) > 0 {
		t.Fatal(p)
	}
	plain := objectsOf(m, KindPlaintext)[0]
	put(t, target, m.ID+"/"+plain.Index, "lost")
	if p := problems(); len(p) == 0 || p[0].Path != plain.Index {
		t.Fatal(p)
	}
	if r, err := repair(t, target, m.ID); err != nil || len(r.Left) > 0 {
		t.Fatal(r, err)
	}
	if p := problems(); len(p) > 0 {
		t.Fatal(p)
	}
	data := []byte(stored(t, target)[m.ID+"/"+plain.Path])
	data[len(data)/2] ^= 1
	put(t, target, m.ID+"/"+plain.Path, string(data))
	if p := problems(); len(p) != 1 || p[0].Path != plain.Path {
		t.Fatal(p)
	}
}
