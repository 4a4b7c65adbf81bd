package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/block"
	"shark/snapshot/bucket"
	"shark/snapshot/identity"
)

func TestImport(t *testing.T) {
	a, b, c := capture(t, "a.pcapng", 9000, 700, 0), capture(t, "b.pcapng", 100, 60, 2*time.Second), capture(t, "My Laptop.pcapng.gz", 50, 60, time.Hour)
	log := writeLog(t, identity.Record{Time: began, Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "cart-1", Addresses: []string{"10.0.0.1"}})
	store := openStore(t)
	var seen []Progress
	m, err := store.Import(t.Context(), ImportOptions{
		Files: []string{"n1=" + a, c, "n1=" + b}, Identity: log, Name: "outage", Note: "two nodes", Creator: "me", Cluster: "prod", Created: began,
	}, func(p Progress) { seen = append(seen, p) })
	if err != nil {
		t.Fatal(err)
	}
	if last := seen[len(seen)-1]; last.Bytes != last.Total || last.Packets != 9150 {
		t.Errorf("progress ends with %+v", last)
	}
	if !strings.HasPrefix(m.ID, "20260301t120000000z-") || m.Name != "outage" || m.Note != "two nodes" || m.Creator != "me" || m.Cluster != "prod" || !m.Created.Equal(began) {
		t.Errorf("manifest %+v", m)
	}
	refs := []string{m.ID, "outage", m.ID[:10]}
	if bucket.IsFolder(store.files) {
		refs = append(refs, filepath.Join(store.files.String(), m.ID))
	}
	for _, ref := range refs {
		s, err := find(t, store, ref)
		if err != nil {
			t.Fatal(err)
		}
		if s.Manifest.ID != m.ID {
			t.Fatalf("%s is %s", ref, s.Manifest.ID)
		}
		if len(s.Digest) != 64 {
			t.Errorf("digest %s", s.Digest)
		}
	}
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, kept(t, s, "n1"), packets(t, a, b))
	equal(t, kept(t, s, "My Laptop"), packets(t, c))

	l, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if o := l.Lookup(packet.AddrFrom4([]byte{10, 0, 0, 1}), began.UnixNano()); o.Pod != "cart-1" {
		t.Errorf("identity %+v", o)
	}
	if v, err := store.Verify(t.Context(), "outage", nil); err != nil || v.Objects != 7 || len(v.Unlisted) > 0 {
		t.Errorf("verify %+v, %v", v, err)
	}
	checkManifest(t, m)
	checkMetadata(t, s)
	checkBlocks(t, fetched(t, store, m.ID+"/"+m.Objects[0].Path), m.Objects[0].Blocks, 9100)
}

func checkManifest(t *testing.T, m *Manifest) {
	t.Helper()
	n := m.Nodes[0]
	if n.Name != "n1" || n.Packets != 9100 || n.CutPackets != 3034 || len(n.Interfaces) != 4 || len(n.Inputs) != 2 || n.Inputs[1].Name != "b.pcapng" {
		t.Errorf("node %+v", n)
	}
	if !n.Got.From.Equal(began) || !n.Got.To.Equal(began.Add(8999*time.Millisecond)) {
		t.Errorf("window %v", n.Got)
	}
	if i := n.Interfaces[0]; i.Name != "eth0" || i.Packets != 4500 || i.Received == nil || *i.Received != 9000 || *i.Dropped != 3 || i.LinkType != 1 {
		t.Errorf("interface %+v", i)
	}
	o := m.Objects[0]
	if o.Path != "nodes/n1/packets.pcapng.zst" || o.Packets != 9100 || o.Bytes != n.Bytes || o.Blocks != 3 || o.Node != "n1" {
		t.Errorf("object %+v", o)
	}
	if o := m.Objects[3]; o.Path != "nodes/=4dy=20=4captop/packets.pcapng.zst" || o.Node != "My Laptop" {
		t.Errorf("object %+v", o)
	}
	var notes []string
	for _, c := range m.Coverage {
		notes = append(notes, fmt.Sprint(c.Kind, " ", c.Node, ": ", c.Text))
	}
	want := []string{
		"drops n1: the capture dropped 6 packets", "cut n1: 3034 of 9100 packets were not captured whole",
		"drops My Laptop: the capture dropped 3 packets", "cut My Laptop: 17 of 50 packets were not captured whole",
	}
	if !slices.Equal(notes, want) {
		t.Errorf("coverage %q", notes)
	}
}

// checkMetadata checks what a capture says beside its packets.
func checkMetadata(t *testing.T, s *Snapshot) {
	t.Helper()
	m, err := s.Packets(t.Context(), Selection{Node: "n1", Selection: block.Selection{Extras: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var b packet.Batch
	for m.ReadBatch(&b) == nil {
	}
	comments := m.Comments()
	slices.Sort(comments)
	if !slices.Equal(comments, []string{"about a.pcapng", "about b.pcapng"}) || len(m.Names()) != 1 || len(m.Secrets()) != 1 || len(m.Damage()) > 0 {
		t.Errorf("comments %q, names %v, secrets %v, damage %v", comments, m.Names(), m.Secrets(), m.Damage())
	}
	received := uint64(0)
	for _, i := range m.Interfaces() {
		if i.Received != nil {
			received += *i.Received
		}
	}
	if received != 9100 {
		t.Errorf("the interfaces received %d packets", received)
	}
}

// checkBlocks checks that every frame of a file is a capture of its own.
func checkBlocks(t *testing.T, path string, blocks, count int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	frames := 0
	for len(data) > 0 {
		n := frameSize(t, data)
		raw, err := z.DecodeAll(data[:n], nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := pcapng.NewReader(bytes.NewReader(raw), "block")
		if err != nil {
			t.Fatal(err)
		}
		var b packet.Batch
		for r.ReadBatch(&b) == nil {
			count -= len(b.Records)
		}
		if d := r.Damage(); len(d) > 0 || len(raw) > 5<<20 {
			t.Errorf("block %d of %d bytes: damage %v", frames, len(raw), d)
		}
		r.Close()
		frames++
		data = data[n:]
	}
	if frames != blocks || count != 0 {
		t.Errorf("%d frames, want %d; %d packets are missing", frames, blocks, count)
	}
}

// frameSize returns the size of the zstd frame that data begins with (RFC 8878
// section 3.1.1).
func frameSize(t *testing.T, data []byte) int {
	t.Helper()
	var h zstd.Header
	if err := h.Decode(data); err != nil {
		t.Fatal(err)
	}
	n := h.HeaderSize
	for last := false; !last; {
		b := uint32(data[n]) | uint32(data[n+1])<<8 | uint32(data[n+2])<<16
		last = b&1 == 1
		n += 3
		if kind := b >> 1 & 3; kind == 1 { // one byte repeated
			n++
		} else {
			n += int(b >> 3)
		}
	}
	if h.HasCheckSum {
		n += 4
	}
	return n
}

func TestImportReadByTshark(t *testing.T) {
	for _, tool := range []string{"zstd", "tshark"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	a := capture(t, "a.pcapng", 9000, 700, 0)
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{a}})
	unpack := exec.CommandContext(t.Context(), "zstd", "-dc", fetched(t, store, m.ID+"/"+m.Objects[0].Path))
	read := exec.CommandContext(t.Context(), "tshark", "-r", "-", "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.comment")
	var err error
	if read.Stdin, err = unpack.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := unpack.Start(); err != nil {
		t.Fatal(err)
	}
	out, err := read.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := unpack.Wait(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(lines) != 9000 || lines[0] != "1772366400.000000000\t700\thello" || lines[8998] != "1772366408.998000000\t700\t" {
		t.Errorf("tshark reads %d packets: %q ... %q", len(lines), lines[0], lines[len(lines)-2])
	}
}

func TestImportRefuses(t *testing.T) {
	good := capture(t, "good.pcapng", 10, 60, 0)
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte("no capture at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		o    ImportOptions
		want string
	}{
		{"nothing", ImportOptions{}, "no capture file is named"},
		{"no such file", ImportOptions{Files: []string{good, filepath.Join(dir, "none.pcap")}}, "no such file"},
		{"no such file of a node", ImportOptions{Files: []string{"n1=" + filepath.Join(dir, "none.pcap")}}, "no such file"},
		{"no node", ImportOptions{Files: []string{"=" + good}}, "no node is named"},
		{"a folder", ImportOptions{Files: []string{dir}}, "is a folder"},
		{"no capture", ImportOptions{Files: []string{good, text}}, "not a pcap or pcapng capture"},
		{"no identity log", ImportOptions{Files: []string{good}, Identity: text}, "not an identity log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := openStore(t)
			_, err := store.Import(t.Context(), c.o, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			leaves(t, store)
		})
	}
}

// An import that is stopped at any time leaves nothing behind.
func TestImportInterrupted(t *testing.T) {
	a, b := capture(t, "a.pcapng", 3000, 1500, 0), capture(t, "b.pcapng", 3000, 1500, 0)
	log := writeLog(t, identity.Record{Time: began, Op: identity.Upsert, Kind: identity.Node, Name: "n1"})
	for stop := 0; ; stop++ {
		store := openStore(t)
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		_, err := store.Import(ctx, ImportOptions{Files: []string{a, b}, Identity: log}, func(Progress) {
			if calls++; calls > stop*4 {
				cancel()
			}
		})
		interrupted := ctx.Err() != nil
		cancel()
		if !interrupted {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped after %d calls: %v", calls, err)
		}
		leaves(t, store)
	}
}

func TestImportConcurrently(t *testing.T) {
	a := capture(t, "a.pcapng", 100, 60, 0)
	store := openStore(t)
	const imports = 8
	done := make(chan error, imports)
	for range imports {
		go func() {
			_, err := store.Import(t.Context(), ImportOptions{Files: []string{a}, Name: "twin", Created: began}, nil)
			done <- err
		}()
	}
	for range imports {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	all, err := store.List(t.Context())
	if err != nil || len(all) != imports {
		t.Fatalf("%d snapshots, %v", len(all), err)
	}
	_, err = store.Get(t.Context(), "twin")
	for _, x := range all {
		if !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), x.ID) {
			t.Errorf("a name of many: %v does not name %s", err, x.ID)
		}
		s, err := store.Get(t.Context(), x.ID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, kept(t, s, ""), packets(t, a))
	}
}

func TestImportNames(t *testing.T) {
	a := capture(t, "x.pcapng", 5, 60, 0)
	b := capture(t, "x.pcap.gz", 5, 60, 0)
	c := capture(t, "n1=y.pcapng", 5, 60, 0) // the name of a file, not of a node
	m := mustImport(t, openStore(t), ImportOptions{Files: []string{a, b, c, "x-2=" + a, "../up=" + a, "CON=" + a, "con=" + a}})
	var got []string
	for _, o := range m.Objects {
		if o.Kind == KindPackets {
			got = append(got, o.Node+" "+o.Path)
		}
	}
	want := []string{
		"x-2 nodes/x-2/packets.pcapng.zst", "../up nodes/=2e.=2fup/packets.pcapng.zst", "CON nodes/=43=4f=4e/packets.pcapng.zst", "con nodes/=63on/packets.pcapng.zst",
		"x nodes/x/packets.pcapng.zst", "x-3 nodes/x-3/packets.pcapng.zst", "n1=y nodes/n1=3dy/packets.pcapng.zst",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestDamageOfAPackedFileIsToldByUnpackedBytes(t *testing.T) {
	data, err := os.ReadFile(capture(t, "a.pcapng", 5, 60, 0))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(data[:len(data)-2]); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a.pcapng.gz")
	if err := os.WriteFile(file, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	m := mustImport(t, openStore(t), ImportOptions{Files: []string{file}})
	if c := m.Coverage; len(c) == 0 || c[0].Kind != NoteDamage || !strings.Contains(c[0].Text, " of the unpacked data: ") {
		t.Errorf("coverage %v", c)
	}
}

func TestImportDamage(t *testing.T) {
	a := capture(t, "a.pcapng", 100, 60, 0)
	data, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.pcapng")
	if err := os.WriteFile(cut, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	pod := identity.Record{Time: began, Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "cart-1", Addresses: []string{"10.0.0.1"}}
	log := writeLog(t, pod)
	if f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	} else if _, err := f.WriteString(`{"time":"2026-03-01T12:00:07Z","op":"del`); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{Files: []string{cut}, Identity: log})
	kinds := map[NoteKind]int{}
	for _, n := range m.Coverage {
		kinds[n.Kind]++
	}
	if kinds[NoteDamage] != 1 || kinds[NoteIdentity] != 1 || m.Nodes[0].Inputs[0].Size != int64(len(data)/2) {
		t.Errorf("coverage %v, inputs %v", m.Coverage, m.Nodes[0].Inputs)
	}
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, kept(t, s, ""), packets(t, cut))
	l, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cart := packet.AddrFrom4([]byte{10, 0, 0, 1})
	if o := l.Lookup(cart, began.UnixNano()); o.Pod != "cart-1" {
		t.Errorf("before the cut: %+v", o)
	}
	if o := l.Lookup(cart, began.UnixNano()+1); o.Unknown == "" {
		t.Errorf("that the log was cut is forgotten: %+v", o)
	}
}

// What is imported from a snapshot is the same again.
func TestImportOfSnapshot(t *testing.T) {
	store := openStore(t)
	a := capture(t, "a.pcapng", 9000, 700, 0)
	s, err := store.Get(t.Context(), mustImport(t, store, ImportOptions{Files: []string{a}}).ID)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, o := range s.Manifest.Objects {
		if o.Kind == KindPackets || o.Kind == KindSecrets {
			files = append(files, "a="+fetched(t, store, s.Manifest.ID+"/"+o.Path))
		}
	}
	again, err := store.Get(t.Context(), mustImport(t, store, ImportOptions{Files: files, Name: "again"}).ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, kept(t, again, ""), packets(t, a))
	if again.Manifest.Nodes[0].Packets != s.Manifest.Nodes[0].Packets || len(again.Manifest.Objects) != 3 {
		t.Errorf("again: %+v", again.Manifest)
	}
}

func TestImportCaptures(t *testing.T) {
	dir := os.Getenv("SHARK_CAPTURES")
	if dir == "" {
		t.Skip("SHARK_CAPTURES names no folder of captures")
	}
	files, err := filepath.Glob(filepath.Join(dir, "formats", "*.pcap*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures in %s: %v", dir, err)
	}
	store := openStore(t)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			m := mustImport(t, store, ImportOptions{Files: []string{f}})
			s, err := store.Get(t.Context(), m.ID)
			if err != nil {
				t.Fatal(err)
			}
			got, want := kept(t, s, ""), packets(t, f)
			slices.Sort(got) // where times are missing or go back, partitions come one beside the other
			slices.Sort(want)
			equal(t, got, want)
		})
	}
	if all, err := store.List(t.Context()); err != nil || len(all) != len(files) {
		t.Errorf("%d snapshots of %d files, %v", len(all), len(files), err)
	}
}

func BenchmarkImport(b *testing.B) {
	a := capture(b, "a.pcapng", 60000, 1000, 0)
	info, err := os.Stat(a)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		store := openStore(b)
		mustImport(b, store, ImportOptions{Files: []string{a}})
	}
}
