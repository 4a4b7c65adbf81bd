package pcapng

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"shark/packet"
)

func open(t testing.TB, b []byte) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), "test")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// timed is a pcap file of packets at these seconds, each holding name and number.
func timed(name byte, link uint32, seconds ...uint32) []byte {
	e := newEncoder(false)
	e.pcapHeader(magicMicro, 0, link)
	for i, s := range seconds {
		e.record(s, 0, 2, []byte{name, byte('1' + i)})
	}
	return e.Bytes()
}

func TestMergeOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		files [][]byte
		want  string
	}{
		{"interleaved", [][]byte{timed('a', 1, 1, 3, 5), timed('b', 1, 2, 4, 6)}, "a1b1a2b2a3b3"},
		{"ties by input", [][]byte{timed('a', 1, 2, 2), timed('b', 1, 2, 2), timed('c', 1, 1, 2)}, "c1a1a2b1b2c2"},
		{"times going backwards stay", [][]byte{timed('a', 1, 5, 1, 6), timed('b', 1, 4, 7)}, "b1a1a2a3b2"},
		{"an empty one", [][]byte{timed('a', 1), timed('b', 1, 1)}, "b1"},
		{"one", [][]byte{timed('a', 1, 3, 2)}, "a1a2"},
		{"none", nil, ""},
	} {
		var sources []packet.Source
		for _, f := range c.files {
			sources = append(sources, open(t, f))
		}
		m := Merge(sources...)
		recs, err := readAll(m)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for i, rec := range recs {
			got = append(got, rec.Data...)
			if rec.Number != uint64(i+1) {
				t.Errorf("%s: packet %d has number %d", c.name, i+1, rec.Number)
			}
		}
		if string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestMergeMapsInterfaces(t *testing.T) {
	m := Merge(open(t, sampleNg(120, 100)), open(t, timed('p', 113, start, start+1)))
	recs, err := readAll(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(recs) != 122 {
		t.Fatalf("%d packets", len(recs))
	}
	interfaces, origins := m.Interfaces(), m.Origins()
	if len(interfaces) != 7 || len(origins) != 7 {
		t.Fatalf("%d interfaces, %d origins", len(interfaces), len(origins))
	}
	for i, rec := range recs {
		if interfaces[rec.Interface].Link != rec.Link {
			t.Errorf("packet %d of link type %d: interface %+v", i+1, rec.Link, interfaces[rec.Interface])
		}
		if file := origins[rec.Interface].File; (file == 1) != (rec.Link == 113) {
			t.Errorf("packet %d comes from file %d", i+1, file)
		}
	}
}

func TestMergeReadsTheOthersBeforeAnError(t *testing.T) {
	broken := errors.New("broken")
	b := timed('a', 1, 1, 2, 3)
	r, err := NewReader(io.MultiReader(bytes.NewReader(b), iotest.ErrReader(broken)), "broken")
	if err != nil {
		t.Fatal(err)
	}
	recs, err := readAll(Merge(r, open(t, timed('b', 1, 1, 9))))
	if len(recs) != 5 || !errors.Is(err, broken) {
		t.Errorf("%d packets, error %v", len(recs), err)
	}
}

// Batches are filled again while merged packets of them are in use.
func TestMergeOfLargeFiles(t *testing.T) {
	a, b := samplePcap(6000, 1400, false), sampleNg(6000, 1400)
	wantA, _ := read(t, a)
	m := Merge(open(t, a), open(t, b))
	recs, err := readAll(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(recs) != 12000 {
		t.Fatalf("%d packets", len(recs))
	}
	for i, rec := range recs {
		if want := &wantA[i/2]; !bytes.Equal(rec.Data, want.Data) || rec.Time != want.Time {
			t.Fatalf("packet %d is not that of its time", i+1)
		}
	}
}

// Whoever fills batches in turn may keep the records of each until its next turn.
func TestMergeKeepsWhatBatchesHold(t *testing.T) {
	const packets = 20_000
	plain := samplePcap(packets, 1400, false)
	want, _ := read(t, plain)
	m := Merge(open(t, plain), open(t, plain), open(t, timed('z', 1, start+1)))
	batches := make([]packet.Batch, 4)
	memory := make(map[*packet.Shared]bool)
	sum := 0
	for i := 0; ; i++ {
		for j := range batches { // what was read in the turns before
			for _, r := range batches[j].Records {
				n := int(r.Number - 1)
				if len(r.Data) > 2 && !bytes.Equal(r.Data, want[min(n/2, packets-1)].Data) && !bytes.Equal(r.Data, want[max(n-1, 0)/2].Data) {
					t.Fatalf("packet %d has changed in turn %d", r.Number, i)
				}
			}
		}
		b := &batches[i%len(batches)]
		err := m.ReadBatch(b)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sum += len(b.Records)
		for _, s := range b.Shared {
			memory[s] = true
		}
	}
	if sum != 2*packets+1 {
		t.Errorf("%d packets", sum)
	}
	if size := 2 * len(plain) / readSize; len(memory) > 12 || size < 24 {
		t.Errorf("%d MiB were read into %d batches", size, len(memory))
	}
}

// Batches that are large and hold next to nothing must not pile up.
func TestMergeOfSparseFilesIsBounded(t *testing.T) {
	sparse := func() []byte {
		e := newEncoder(false)
		e.section(1)
		e.iface(1, 0, nil)
		for i := range uint64(20) {
			e.packet(0, start*1e6+i, 4, []byte("data"), nil)
			e.block(blockCustom, func(e *encoder) { e.Write(make([]byte, readSize)) })
		}
		return e.Bytes()
	}
	m := Merge(open(t, sparse()), open(t, sparse()))
	var b packet.Batch
	for n := 0; ; {
		err := m.ReadBatch(&b)
		if err == io.EOF {
			if n != 40 {
				t.Errorf("%d packets", n)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if n += len(b.Records); len(b.Shared) > 5 {
			t.Fatalf("one batch keeps %d others", len(b.Shared))
		}
	}
}

// save writes captures to files.
func save(t *testing.T, captures ...[]byte) []string {
	dir := t.TempDir()
	var paths []string
	for i, b := range captures {
		path := filepath.Join(dir, string(rune('a'+i))+".capture")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// late is a pcapng file whose interfaces are described one by one between packets.
func late(n int) []byte {
	e := newEncoder(true)
	e.section(1)
	for i, p := range samplePackets(n, 1400) {
		if i%1000 == 0 {
			e.iface(uint16(i/1000), 0, nil)
		}
		e.packet(uint32(i/1000), start*1e6+uint64(i)*1000, uint32(len(p)), p, nil)
	}
	return e.Bytes()
}

func TestRestartOfOneFile(t *testing.T) {
	damaged := slices.Clone(sampleNg(5000, 1400))
	for i := 100_000; i < len(damaged); i += 700_000 {
		damaged[i] ^= 0xff
		clear(damaged[i+4000 : i+4040])
	}
	for i, path := range save(t, samplePcap(5000, 1400, false), sampleNg(5000, 1400), late(5000), damaged) {
		r, err := OpenFiles(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := readAll(r)
		if err != nil {
			t.Fatal(err)
		}
		interfaces := r.Interfaces()
		points, origins := r.Points(), r.Origins()
		r.Close()
		if len(points) < 3 {
			t.Fatalf("file %d: points %v", i, points)
		}
		for _, p := range points {
			r, ok, err := OpenFilesAt([]string{path}, []Point{p}, origins)
			if err != nil || !ok {
				t.Fatalf("file %d, point %+v: %v, %v", i, p, ok, err)
			}
			got, err := readAll(r)
			if err != nil {
				t.Fatal(err)
			}
			sameRecords(t, got, want[p.Number-1:])
			if n := len(r.Interfaces()); n != len(interfaces) {
				t.Errorf("file %d: %d interfaces, %d from the start", i, n, len(interfaces))
			}
			r.Close()
		}
	}
}

func TestRestartOfMergedFiles(t *testing.T) {
	short := timed('s', 113, start, start+1)
	paths := save(t, samplePcap(6000, 1400, false), late(6000), short, sampleNg(3000, 1400))
	m, err := OpenFiles(paths...)
	if err != nil {
		t.Fatal(err)
	}
	want, err := readAll(m)
	if err != nil {
		t.Fatal(err)
	}
	points, origins := m.Points(), m.Origins()
	m.Close()
	rng := rand.New(rand.NewPCG(5, 6))
	for range 8 {
		number := 1 + rng.Uint64N(uint64(len(want)))
		at := PointBefore(points, number)
		if len(at) != 4 || at[0].Number > number {
			t.Fatalf("packet %d: points %v", number, at)
		}
		m, ok, err := OpenFilesAt(paths, at, origins)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		got, err := readAll(m)
		if err != nil {
			t.Fatal(err)
		}
		sameRecords(t, got, want[at[0].Number-1:])
		m.Close()
	}
	if len(points) < 3*4 {
		t.Errorf("only %d points", len(points))
	}
	if PointBefore(points, 0) != nil {
		t.Error("a point before the first packet")
	}
}

func TestRestartWherePossibleOnly(t *testing.T) {
	plain := samplePcap(10, 100, false)
	want, _ := read(t, plain)
	paths := save(t, packGzip(t, plain), plain, sampleNg(10, 100))
	r, ok, err := OpenFilesAt(paths[:1], []Point{{Number: 5, Offset: 100}}, nil)
	if err != nil || ok {
		t.Fatal(ok, err)
	}
	got, _ := readAll(r)
	r.Close()
	sameRecords(t, got, want)
	for _, p := range []Point{{}, {Number: 1, Offset: 9, Section: 10}, {Number: 1, Offset: 60, Interfaces: 9}, {Number: 1, Offset: 9, Section: -1}} {
		if _, _, err := OpenFilesAt(paths[2:], []Point{p}, nil); err == nil {
			t.Errorf("point %+v: no error", p)
		}
	}
	m, ok, err := OpenFilesAt(paths[:2], []Point{{Number: 1}, {Number: 1, File: 1}}, nil)
	if err != nil || ok {
		t.Fatal(ok, err)
	}
	m.Close()
	if _, _, err := OpenFilesAt(paths[1:], []Point{{Number: 1}}, nil); err == nil {
		t.Error("one point for two files: no error")
	}
	if _, err := OpenFiles(paths[0], filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
