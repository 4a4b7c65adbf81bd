package ring

import (
	"fmt"
	"testing"

	"shark/packet"
)

// TestLosses: a loss is between the times of packets that were recorded before and after it,
// whatever was read at once, and losses apart from each other are told apart.
func TestLosses(t *testing.T) {
	dir := t.TempDir()
	c := &clock{began}
	o := Options{Node: "node", Bytes: 256 << 20, SegmentBytes: 16 << 20, BufferBytes: 64 << 20, Now: c.now}
	w := open(t, dir, o)
	x := newTraffic(41)
	var want []packet.Loss
	for i := range 60 {
		records := x.next(200, 1000)
		w.Write(records, x.interfaces)
		if i == 15 || i == 16 || i == 45 {
			at := records[len(records)-1].Time
			w.Lost(0, uint64(i), x.interfaces)
			want = append(want, packet.Loss{From: at, To: at, Packets: uint64(i)})
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Pin(always[0], always[1])
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	s := p.Open().(*Source)
	defer s.Close()
	var b packet.Batch
	var first, last int64
	for s.ReadBatch(&b) == nil {
		if first == 0 {
			first = b.Records[0].Time
		}
		last = b.Records[len(b.Records)-1].Time
	}
	got := s.Losses()
	if len(got) != 2 || got[0].Packets != 31 || got[1].Packets != 45 {
		t.Fatalf("losses %+v, want those of %+v", got, want)
	}
	for i, k := range []int{0, 2} {
		if g := got[i]; g.From > want[k].From || g.To < want[k].To || g.To-g.From > (last-first)/3 {
			t.Errorf("loss %d is from %d to %d of %d to %d, and was at %d", i, g.From, g.To, first, last, want[k].From)
		}
	}
}

// TestManyLosses: of more than are told of none is forgotten.
func TestManyLosses(t *testing.T) {
	var l losses
	for i := range int64(3 * maxLosses) {
		l.add(packet.Loss{From: 10 * i, To: 10*i + 5, Packets: 1})
	}
	sum := uint64(0)
	for _, x := range l.list {
		sum += x.Packets
	}
	if end := l.list[len(l.list)-1]; len(l.list) != maxLosses || sum != 3*maxLosses || end.To != 10*(3*maxLosses-1)+5 {
		t.Error(fmt.Sprint(len(l.list), sum, end))
	}
}
