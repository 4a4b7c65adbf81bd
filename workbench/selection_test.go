package workbench

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/packet"
	"shark/packet/pcapng"
)

// large writes a capture of many connections, some MiB long, so that it has places
// to restart at. Of pcapng it has two interfaces, met at different places.
func large(t testing.TB, format pcapng.Format, from int64) string {
	t.Helper()
	var list []packet.Record
	filler := strings.Repeat("x", 900)
	dropped := uint64(9)
	interfaces := []packet.Interface{{Link: 1, Name: "eth0"}, {Link: 1, Name: "eth1", Dropped: &dropped}}
	for i := range 4000 {
		r := packet.Record{Time: 1e18 + from + int64(i)*2000, Link: 1, Number: uint64(i + 1)}
		r.Data = segment(uint16(20000+i%500), 9, uint32(1000+i/500*900), 1, 0x18, filler)
		if i >= 2000 && format == pcapng.Pcapng {
			r.Interface = uint32(i % 2)
		}
		list = append(list, r)
	}
	return write(t, "large", pcapng.Options{Format: format}, interfaces, list, nil)
}

func packed(t testing.TB, path string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "packed.gz")
	f := must(os.Create(out))(t)
	defer f.Close()
	z := gzip.NewWriter(f)
	if _, err := z.Write(must(os.ReadFile(path))(t)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// glimpse is a packet as a selection gives it.
type glimpse struct {
	pkt
	number uint64
	index  uint32
}

func readAll(t testing.TB, s *selection) (out []glimpse) {
	t.Helper()
	defer s.Close()
	var b packet.Batch
	for {
		err := s.ReadBatch(&b)
		for i := range b.Records {
			r := &b.Records[i]
			out = append(out, glimpse{pkt{Time: r.Time, OrigLen: r.OrigLen, Link: r.Link, Data: string(r.Data), Iface: s.Interfaces()[r.Interface].Name}, r.Number, r.Interface})
		}
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestSelectionIsAFullScan: packets gone to by number are those that reading
// everything finds, whatever the files are.
func TestSelectionIsAFullScan(t *testing.T) {
	w := newBench(t)
	pcap, ng, other := large(t, pcapng.Pcap, 0), large(t, pcapng.Pcapng, 0), large(t, pcapng.Pcapng, 1000)
	rng := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		refs    []string
		restart bool
	}{
		"pcap": {[]string{pcap}, true}, "pcapng": {[]string{ng}, true}, "packed": {[]string{packed(t, ng)}, false},
		"merged": {[]string{pcap, ng, other}, true}, "some packed": {[]string{ng, packed(t, other)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, w, c.refs...)
			x := must(e.index(t.Context()))(t)
			if n := len(x.points()); (n > len(c.refs)) != c.restart {
				t.Errorf("%d restart points", n)
			}
			all := readAll(t, must(e.everything(t.Context(), whole))(t))
			if len(all) != 4000*len(c.refs) {
				t.Fatalf("%d packets", len(all))
			}
			for _, share := range []float64{0, 0.0005, 0.01, 0.5, 1} {
				var numbers []uint64
				var want []glimpse
				for _, s := range all {
					if rng.Float64() < share || share == 1 {
						numbers, want = append(numbers, s.number), append(want, s)
					}
				}
				for _, whole := range []bool{false, true} {
					got := readAll(t, must(e.selection(t.Context(), x, numbers, whole))(t))
					if !slices.Equal(got, want) {
						t.Errorf("share %v, whole %v: %d packets, want %d", share, whole, len(got), len(want))
					}
				}
			}
		})
	}
}

// TestSelectionPassesOver: where there are places to restart at, what lies between
// is not read.
func TestSelectionPassesOver(t *testing.T) {
	e := open(t, newBench(t), large(t, pcapng.Pcap, 0))
	x := must(e.index(t.Context()))(t)
	points := x.points()
	last := points[len(points)-1].Number
	s := must(e.selection(t.Context(), x, []uint64{1, last}, false))(t)
	defer s.Close()
	var b packet.Batch
	for range 2 {
		if err := s.ReadBatch(&b); err != nil {
			t.Fatal(err)
		}
	}
	if b.Records[0].Number != last || len(points) < 3 {
		t.Errorf("packet %d after that at 1, of %d points", b.Records[0].Number, len(points))
	}
	if err := s.ReadBatch(&b); !errors.Is(err, io.EOF) || s.at > 4000 && last < 3000 {
		t.Errorf("then %v at %d", err, s.at)
	}
}

// TestExportOfASelection: what lies between is not read, and yet the interfaces are
// described as they are, with their statistics.
func TestExportOfASelection(t *testing.T) {
	path := large(t, pcapng.Pcapng, 0)
	e := open(t, newBench(t), path)
	var want []pkt
	for i, p := range packetsOf(t, path) {
		if i%500 == 499 {
			want = append(want, p)
		}
	}
	out, x := export(t, e, Export{KFL: "conn && conn_id == 500"})
	if d := differ(packetsOf(t, out), want); d != "" || x.Conns != 1 {
		t.Errorf("%d connections, %s", x.Conns, d)
	}
	r := must(pcapng.OpenFiles(out))(t)
	defer r.Close()
	readToEnd(t, r)
	if i := r.Interfaces(); len(i) != 2 || i[0].Name != "eth0" || i[1].Name != "eth1" || i[0].Dropped != nil || i[1].Dropped == nil || *i[1].Dropped != 9 {
		t.Errorf("interfaces %+v", i)
	}
}

// TestSelectionOfWhatIsNotThere: a number beyond the file's end is an error, as is
// the end of the context.
func TestSelectionOfWhatIsNotThere(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	x := must(e.index(t.Context()))(t)
	var b packet.Batch
	for _, numbers := range [][]uint64{{1, 100000}, {0, 1}} {
		s := must(e.selection(t.Context(), x, numbers, false))(t)
		var err error
		for err == nil {
			err = s.ReadBatch(&b)
		}
		if errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "have the files changed") {
			t.Errorf("%v: %v", numbers, err)
		}
		s.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := must(e.selection(ctx, x, []uint64{1}, false))(t)
	defer s.Close()
	if err := s.ReadBatch(&b); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
