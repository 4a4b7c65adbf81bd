package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// small are the options of a ring of a few small segments, in which nothing happens by itself.
func small() Options {
	return Options{Node: "node-a", Bytes: 6 * leastSegment, SegmentBytes: leastSegment, BufferBytes: 256 << 10, Flush: time.Hour, Now: (&clock{began.Add(time.Hour)}).now}
}

func open(t testing.TB, dir string, o Options) *Writer {
	t.Helper()
	w, err := Create(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// traffic makes packets that tell which they are: the i-th is of 1 ms after the one before.
type traffic struct {
	rng        *rand.Rand
	n          uint64
	interfaces []packet.Interface
}

func newTraffic(seed uint64) *traffic {
	return &traffic{rng: rand.New(rand.NewPCG(seed, 1)), interfaces: []packet.Interface{
		{Link: 1, SnapLen: 262144, Name: "eth0", OS: "Linux"}, {Link: 101, Name: "tun0", Description: "of a pod"}, {Link: 1, SnapLen: 128, Name: "veth1", Filter: "tcp"},
	}}
}

// next makes n packets of up to most bytes.
func (x *traffic) next(n, most int) []packet.Record {
	out := make([]packet.Record, n)
	for i := range out {
		data := make([]byte, 8+x.rng.IntN(most))
		binary.BigEndian.PutUint64(data, x.n)
		for j := 8; j < len(data); j++ {
			data[j] = byte(x.rng.Uint32())
		}
		id := uint32(x.rng.IntN(len(x.interfaces)))
		out[i] = packet.Record{Data: data, OrigLen: uint32(len(data) + x.rng.IntN(2)*9), Interface: id, Link: x.interfaces[id].Link, Time: began.Add(time.Duration(x.n)*time.Millisecond + 7).UnixNano()}
		if x.rng.IntN(5) == 0 {
			out[i].Options = []byte{2, 0, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0}
		}
		x.n++
	}
	return out
}

// numberOf returns which packet of the traffic a record is.
func numberOf(r *packet.Record) uint64 { return binary.BigEndian.Uint64(r.Data) }

// same tells what two records differ in, of which one was read.
func same(got, want *packet.Record) error {
	options := got.Options
	if got.Time != want.Time || got.OrigLen != want.OrigLen || got.Link != want.Link || string(got.Data) != string(want.Data) || string(options) != string(want.Options) {
		return fmt.Errorf("%d %d %d %x %x, want %d %d %d %x %x", got.Time, got.OrigLen, got.Link, got.Data, options, want.Time, want.OrigLen, want.Link, want.Data, want.Options)
	}
	return nil
}

// read is what a window of a ring held.
type read struct {
	records    []packet.Record
	interfaces []packet.Interface
	damage     []packet.Damage
	notes      []string
}

func (r *read) dropped() (n uint64) {
	for _, i := range r.interfaces {
		n += *i.Dropped
	}
	return n
}

// window reads what a ring has of a window, to the end.
func window(t testing.TB, dir string, from, to time.Time) *read {
	t.Helper()
	p := pin(t, dir, from, to)
	defer func() {
		if err := p.Release(); err != nil {
			t.Error(err)
		}
	}()
	out := readPinned(t, p)
	return out
}

func readPinned(t testing.TB, p *Pinned) *read {
	t.Helper()
	src := p.Open()
	defer src.Close()
	out := &read{notes: p.Notes()}
	out.records = readAll(t, src)
	out.interfaces, out.damage = src.Interfaces(), src.Damage()
	return out
}

func readAll(t testing.TB, src packet.Source) (all []packet.Record) {
	t.Helper()
	for {
		var b packet.Batch // anew: the records are kept
		err := src.ReadBatch(&b)
		all = append(all, b.Records...)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

var always = [2]time.Time{time.Unix(0, 0), time.Unix(1<<33, 0)}

// checkRead compares what was read with what was written, of which it is a part: each packet
// there once, in order, as it was.
func checkRead(t testing.TB, got *read, written []packet.Record) {
	t.Helper()
	before := int64(-1)
	for i := range got.records {
		r := &got.records[i]
		n := numberOf(r)
		if int64(n) <= before || n >= uint64(len(written)) {
			t.Fatalf("packet %d comes after %d of %d", n, before, len(written))
		}
		before = int64(n)
		if err := same(r, &written[n]); err != nil {
			t.Fatalf("packet %d: %v", n, err)
		}
	}
	if len(got.damage) > 0 {
		t.Fatalf("damage: %v", got.damage)
	}
}

// segmentFiles lists the segments of a ring.
func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "packets-*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// bytesOf sums up the files of a ring that hold packets, or will.
func bytesOf(t testing.TB, dir string) (n int64) {
	t.Helper()
	spares, err := filepath.Glob(filepath.Join(dir, "spare-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(segmentFiles(t, dir), spares...) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

// plain reads a file as any program does that knows pcapng and nothing of rings.
func plain(t testing.TB, path string) ([]packet.Record, []packet.Interface) {
	t.Helper()
	r, err := pcapng.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := readAll(t, r)
	if d := r.Damage(); len(d) > 0 {
		t.Fatalf("%s: %v", path, d)
	}
	return all, r.Interfaces()
}
