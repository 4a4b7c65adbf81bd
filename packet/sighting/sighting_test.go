package sighting_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/sighting"
	"shark/packet/sighting/sightingtest"
)

// verdict is what a Tracker made of a world.
type verdict struct {
	further int // sightings that are not the first of their packet
	found   int // of these, as such
	wrong   int // sightings taken for another packet's
	alike   int // the same, of packets that are bit by bit the same within moments
	offsets []sighting.Offset
	stats   sighting.Stats
}

// judge lets a Tracker see a world, or what some of its interfaces captured.
func judge(t testing.TB, w *sightingtest.World, o sighting.Options) verdict {
	t.Helper()
	tracker := sighting.NewTracker(o)
	var v verdict
	first := make(map[int]uint64) // by packet
	packets := make(map[uint64]int)
	for i := range w.Sightings {
		s := &w.Sightings[i]
		packets[s.Number] = s.Packet
		got := tracker.First(&s.Record, sightingtest.Clock(s.Interface))
		switch {
		case packets[got] == s.Packet:
		case w.Alike[s.Packet] || w.Alike[packets[got]]:
			v.alike++
		default:
			v.wrong++
			if v.wrong < 5 && testing.Verbose() {
				t.Logf("packet %d on %d: taken for %d", s.Packet, s.Interface, packets[got])
			}
		}
		if want, ok := first[s.Packet]; !ok {
			first[s.Packet] = s.Number
		} else {
			v.further++
			if got == want {
				v.found++
			}
		}
	}
	v.offsets, v.stats = tracker.Offsets(), tracker.Stats()
	return v
}

// Of two nodes with clocks up to half a second apart, each of which misses one packet in a
// hundred, 99.9 % of the further sightings are known as such, no packet is taken for another,
// and the offset is right to a millisecond.
func TestTwoNodes(t *testing.T) {
	further, found := 0, 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		o := sightingtest.Options{
			Seed: seed, Talks: 400, Loss: 0.01, NAT: seed%4 != 3, Overlay: sightingtest.Overlay(seed % 3), Resend: 0.03,
			Offset: time.Duration(rng.Int64N(int64(time.Second))) - 500*time.Millisecond,
		}
		if seed%5 == 4 {
			o.Drift = rng.Float64()*100 - 50
		}
		w := sightingtest.Make(o)
		v := judge(t, w, sighting.Options{})
		further, found = further+v.further, found+v.found
		if v.wrong+v.alike > 0 {
			t.Errorf("seed %d: %d sightings taken for another packet's", seed, v.wrong+v.alike)
		}
		if share := float64(v.found) / float64(v.further); share < 0.998 {
			t.Errorf("seed %d: %d of %d further sightings found, %.3f %%", seed, v.found, v.further, 100*share)
		}
		checkOffset(t, fmt.Sprintf("seed %d", seed), o, v.offsets)
	}
	if float64(found) < 0.999*float64(further) {
		t.Errorf("%d of %d further sightings found", found, further)
	}
}

// checkOffset compares the estimated offset with the true one.
func checkOffset(t *testing.T, what string, o sightingtest.Options, got []sighting.Offset) {
	t.Helper()
	if len(got) != 1 || got[0].A != 0 || got[0].B != 1 || !got[0].TwoWay {
		t.Errorf("%s: offsets %+v", what, got)
		return
	}
	err := (got[0].Offset - o.Offset).Abs()
	if err > time.Millisecond {
		t.Errorf("%s: offset %v is %v off, stated ±%v", what, got[0].Offset, err, got[0].Uncertainty)
	}
	if o.Drift == 0 && (err > got[0].Uncertainty || got[0].Uncertainty > time.Millisecond) {
		t.Errorf("%s: offset is %v off, stated ±%v", what, err, got[0].Uncertainty)
	}
}

// What is sent again is another packet, where half of all packets are and a fifth of the
// sightings is missing. Only where it is bit by bit the same and follows within moments, and both
// nodes missed one of the two, nothing tells.
func TestResent(t *testing.T) {
	for _, kind := range []sightingtest.Kind{
		sightingtest.TCP, sightingtest.TCPPlain, sightingtest.TCP6, sightingtest.TCP6Plain, sightingtest.UDP, sightingtest.UDP6, sightingtest.Beat,
	} {
		resent, alike := 0, 0
		for seed := range uint64(4) {
			o := sightingtest.Options{
				Seed: seed, Talks: 100, Loss: 0.2, NAT: true, Overlay: sightingtest.VXLAN, Resend: 0.5, Only: kind | sightingtest.TCP,
				Offset: time.Duration(int(seed)-2) * 200 * time.Millisecond,
			}
			w := sightingtest.Make(o)
			v := judge(t, w, sighting.Options{})
			resent, alike = resent+w.Resent, alike+len(w.Alike)
			if v.wrong > 0 || v.alike > len(w.Sightings)/500 {
				t.Errorf("kind %b, seed %d: %d of %d sightings taken for another packet's, %d where it can hardly be told", kind, seed, v.wrong, len(w.Sightings), v.alike)
			}
		}
		if resent < 100 || alike == 0 {
			t.Errorf("kind %b: only %d packets were sent again", kind, resent)
		}
	}
}

// A Source gives each packet once and in the order in which they were sent, by the clock of the
// node that saw the connection first; captured times stay.
func TestOnce(t *testing.T) {
	for seed := range uint64(6) {
		o := sightingtest.Options{
			Seed: seed, Talks: 300, Loss: 0.05, Overlay: sightingtest.VXLAN, Only: sightingtest.TCP,
			Offset: time.Duration(int(seed)*170-500) * time.Millisecond,
		}
		w := sightingtest.Make(o)
		src := sighting.Once(&records{world: w, size: 100}, clock, sighting.Options{ByFlow: true})
		got := make(map[int]int)
		var last int64
		var b [3]packet.Batch // as a consumer that keeps some
		given, late := int64(0), 0
		for i := 0; ; i++ {
			x := &b[i%3]
			if err := src.ReadBatch(x); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			for _, r := range x.Records {
				s := &w.Sightings[r.Number-1]
				if s.Time != r.Time || !bytes.Equal(s.Data, r.Data) {
					t.Fatalf("seed %d: packet %d changed", seed, r.Number)
				}
				got[s.Packet]++
				given++
				at := r.Time - int64(s.Node)*int64(o.Offset)
				if at < last-int64(time.Millisecond) {
					late++
				}
				last = max(last, at)
			}
		}
		twice := 0
		for _, n := range got {
			if n > 1 {
				twice++
			}
		}
		if twice > w.Packets/1000 || late > 0 {
			t.Errorf("seed %d: %d of %d packets given more than once, %d late", seed, twice, len(got), late)
		}
		merged, _ := src.Merged()
		if given+merged != int64(len(w.Sightings)) {
			t.Errorf("seed %d: %d given and %d merged of %d", seed, given, merged, len(w.Sightings))
		}
		if filled := src.Filled(); filled == 0 || filled > int64(w.Packets)/100 {
			t.Errorf("seed %d: %d of %d packets by the other clock", seed, filled, w.Packets)
		}
	}
}

func clock(iface uint32) int { return sightingtest.Clock(iface) }

// records is a source of a world's sightings, or of those of one interface, in small batches
// whose memory is used again.
type records struct {
	world *sightingtest.World
	size  int
	at    int
}

func (r *records) ReadBatch(b *packet.Batch) error {
	b.Records, b.Buf = b.Records[:0], b.Buf[:0]
	for ; r.at < len(r.world.Sightings) && len(b.Records) < r.size; r.at++ {
		s := &r.world.Sightings[r.at]
		rec := s.Record
		if cap(b.Buf)-len(b.Buf) < len(s.Data) {
			if len(b.Records) > 0 {
				return nil
			}
			b.Buf = make([]byte, 0, 1<<16)
		}
		n := len(b.Buf)
		b.Buf = append(b.Buf, s.Data...)
		rec.Data = b.Buf[n:len(b.Buf):len(b.Buf)]
		b.Records = append(b.Records, rec)
	}
	if len(b.Records) == 0 {
		return io.EOF
	}
	return nil
}

func (r *records) Interfaces() []packet.Interface { return sightingtest.Interfaces }
func (r *records) Damage() []packet.Damage        { return nil }
func (r *records) Close() error                   { return nil }

// What one interface captured passes through untouched, what comes twice too.
func TestOneInterface(t *testing.T) {
	w := sightingtest.Make(sightingtest.Options{Seed: 1, Talks: 50, Resend: 0.2})
	w.Sightings, _ = only(w, 0)
	w.Sightings = append(w.Sightings, w.Sightings...)
	src := sighting.Once(&records{world: w, size: 64}, clock, sighting.Options{})
	n := 0
	var b packet.Batch
	for src.ReadBatch(&b) == nil {
		n += len(b.Records)
	}
	if merged, _ := src.Merged(); n != len(w.Sightings) || merged != 0 || src.Tracker().Stats().Packets != 0 {
		t.Errorf("%d of %d packets, %d merged, %d looked at", n, len(w.Sightings), merged, src.Tracker().Stats().Packets)
	}
}

// What one clock captured stays in its order, even where its times go backwards.
func TestOwnOrder(t *testing.T) {
	w := sightingtest.Make(sightingtest.Options{Seed: 2, Talks: 100, Offset: 20 * time.Millisecond})
	for i := range w.Sightings {
		if i%5 == 0 {
			w.Sightings[i].Time -= int64(3 * time.Millisecond)
		}
	}
	src := sighting.Once(&records{world: w, size: 50}, clock, sighting.Options{Keep: true})
	last, n := make(map[int]uint64), 0
	var b packet.Batch
	for src.ReadBatch(&b) == nil {
		for _, r := range b.Records {
			if c := clock(r.Interface); r.Number < last[c] {
				t.Fatalf("packet %d comes after %d of the same clock", r.Number, last[c])
			} else {
				last[c] = r.Number
			}
			n++
		}
	}
	if n != len(w.Sightings) || len(last) != 2 {
		t.Errorf("%d of %d packets of %d clocks", n, len(w.Sightings), len(last))
	}
}

// only returns the sightings of one interface.
func only(w *sightingtest.World, iface uint32) (some []sightingtest.Sighting, n int) {
	for _, s := range w.Sightings {
		if s.Interface == iface {
			some = append(some, s)
		}
	}
	return some, len(some)
}

// The memory of a Tracker is bounded: what it forgets before its time is counted.
func TestForgets(t *testing.T) {
	w := sightingtest.Make(sightingtest.Options{Seed: 3, Talks: 400, Offset: 300 * time.Millisecond, Spread: time.Second})
	v := judge(t, w, sighting.Options{Memory: 1 << 17})
	if v.stats.Forgotten == 0 || v.wrong > 0 || v.found >= v.further {
		t.Errorf("%+v", v)
	}
}

// Any number of packets that look the same cost bounded time, and none is taken for another of
// its interface.
func TestAllTheSame(t *testing.T) {
	w := sightingtest.Make(sightingtest.Options{Seed: 3, Talks: 1, Only: sightingtest.Beat})
	r := w.Sightings[0].Record
	tracker := sighting.NewTracker(sighting.Options{})
	for i := range uint64(100_000) {
		r.Number, r.Time = i+1, r.Time+1
		if got := tracker.First(&r, 0); got != r.Number {
			t.Fatalf("packet %d taken for %d", r.Number, got)
		}
	}
}

// What is found does not depend on the hashes, which nobody can foresee: in another run the
// answer is the same, also of packets that dozens of interfaces saw and behind NAT.
func TestEveryRun(t *testing.T) {
	const runs, copies = 20, 30
	w := sightingtest.Make(sightingtest.Options{Seed: 5, Talks: 12, Loss: 0.05, NAT: true, Overlay: sightingtest.VXLAN, Resend: 0.2})
	for _, o := range []sighting.Options{{}, {ByFlow: true}, {Memory: 1 << 16}} {
		trackers := make([]*sighting.Tracker, runs)
		for i := range trackers {
			trackers[i] = sighting.NewTracker(o)
		}
		number := uint64(0)
		for i := range w.Sightings {
			r := w.Sightings[i].Record
			for j := range uint32(copies) {
				number++
				r.Number, r.Interface = number, w.Sightings[i].Interface+4*j
				want := trackers[0].First(&r, sightingtest.Clock(r.Interface))
				for _, x := range trackers[1:] {
					if got := x.First(&r, sightingtest.Clock(r.Interface)); got != want {
						t.Fatalf("%+v: packet %d is one with %d, in another run with %d", o, number, want, got)
					}
				}
			}
		}
		for _, x := range trackers[1:] {
			if x.Stats() != trackers[0].Stats() || !slices.Equal(x.Offsets(), trackers[0].Offsets()) {
				t.Fatalf("%+v: %+v and %d offsets, in another run %+v and %d, or others", o,
					trackers[0].Stats(), len(trackers[0].Offsets()), x.Stats(), len(x.Offsets()))
			}
		}
	}
}

// What a packet costs that several interfaces see.
func BenchmarkTracker(b *testing.B) {
	w := sightingtest.Make(sightingtest.Options{Seed: 1, Talks: 2000, Loss: 0.01, NAT: true, Overlay: sightingtest.VXLAN, Resend: 0.01})
	b.ReportAllocs()
	for b.Loop() {
		tracker := sighting.NewTracker(sighting.Options{})
		for i := range w.Sightings {
			tracker.First(&w.Sightings[i].Record, sightingtest.Clock(w.Sightings[i].Interface))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w.Sightings)), "ns/packet")
}

// What a packet costs that passes a Source, without and with its work.
func BenchmarkSource(b *testing.B) {
	w := sightingtest.Make(sightingtest.Options{Seed: 1, Talks: 2000, Loss: 0.01, Overlay: sightingtest.VXLAN})
	one := *w
	one.Sightings, _ = only(w, 0)
	for name, w := range map[string]*sightingtest.World{"one": &one, "several": w} {
		for _, through := range []bool{false, true} {
			b.Run(fmt.Sprint(name, through), func(b *testing.B) {
				for b.Loop() {
					var src packet.Source = &records{world: w, size: 1000}
					if through {
						src = sighting.Once(src, clock, sighting.Options{ByFlow: true})
					}
					var batch packet.Batch
					for src.ReadBatch(&batch) == nil {
						continue
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w.Sightings)), "ns/packet")
			})
		}
	}
}
