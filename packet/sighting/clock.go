package sighting

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// How the difference of two clocks is estimated. A packet that goes from A to B is seen at B
// later than at A, one that goes from B to A earlier: each bounds the offset from one side. A
// connection whose packets go both ways bounds it from both, whichever way is which, for all of
// one direction are later. The tightest bounds count; the offset is in their middle. Clocks
// drift, so a bound widens as it grows old.
const (
	// drift is by how much two clocks may come to differ in a time, one part in 10,000: twice what
	// a bad quartz does.
	drift = 10_000
	// settled is how many pairs that went one way only are enough.
	settled = 8
	// many is how many pairs make bounds that will hardly become better.
	many = 64
	// jump is by how much bounds may contradict each other before a clock is taken to have been set.
	jump = 1e6
	// sameClock is how far one clock may be off at two interfaces, in nanoseconds.
	sameClock = 100e3
	// talks is how many connections' pairs are kept until their other direction is seen, and as
	// many more that were seen longer ago.
	talks = 1 << 12
)

// clocks is what is known of the differences between clocks.
type clocks struct {
	pairs map[[2]uint32]*between
	same  between // of sightings by one clock
	// Connections by what is the same in every run, whatever their hashes are: of the older ones
	// those are forgotten that are not seen again.
	young, old map[talkKey]*talk
}

// between is the difference of clocks a and b. Times are of b less those of a.
type between struct {
	offset int64 // as it is estimated now
	half   int64 // how far off it may be
	known  bool
	twoWay bool
	reach  int64  // how far from the offset pairs are, of late
	bounds bounds // of the offset, by connections that were seen in both directions
	all    bounds // the least and the most of all pairs
	pairs  int64
	told   told
}

// bounds are the least and the most of some times, of which older ones count less.
type bounds struct {
	lo, hi int64
	at     int64
	some   bool
}

// widen lets the bounds grow older.
func (b *bounds) widen(now int64) {
	if d := (now - b.at) / drift; d > 0 {
		b.lo, b.hi, b.at = b.lo-d, b.hi+d, now
	}
}

// outer takes another time between the bounds.
func (b *bounds) outer(d, now int64) {
	if !b.some {
		*b = bounds{d, d, now, true}
		return
	}
	if age := (now - b.at) / drift; age > 0 { // what is outermost is so for a while only
		b.lo, b.hi, b.at = min(b.lo+age, d), max(b.hi-age, d), now
	}
	b.lo, b.hi = min(b.lo, d), max(b.hi, d)
}

// talkKey is a connection seen by two clocks.
type talkKey struct {
	conn  uint64
	clock [2]uint32
}

// talk is the pairs of one connection, by direction.
type talk [2]bounds

// told gathers what is to be told of an offset in the end.
type told struct {
	sum            float64
	n              int64
	least, largest int64
	half           int64 // the best
}

func newClocks() clocks {
	return clocks{pairs: make(map[[2]uint32]*between), young: make(map[talkKey]*talk), same: between{known: true, half: sameClock}}
}

// assume takes an offset that was estimated before.
func (c *clocks) assume(o Offset) {
	if len(c.pairs) < maxPairs {
		x := &between{offset: int64(o.Offset), half: int64(o.Uncertainty), known: true}
		x.told.add(x.offset, x.half)
		c.pairs[[2]uint32{uint32(o.A), uint32(o.B)}] = x
	}
}

// between returns by how much more clock b shows than a.
func (c *clocks) between(a, b uint32) (between, bool) {
	if a == b {
		return c.same, true
	}
	x := c.pairs[[2]uint32{min(a, b), max(a, b)}]
	if x == nil || !x.known {
		return between{}, false
	}
	y := *x
	if a > b {
		y.offset = -y.offset
	}
	return y, true
}

// band is how far from the offset the time of a sighting may be.
func (b *between) band() int64 { return min(2*b.reach+leastBand, mostBand) }

// slack is by how much a packet may seem to be at its next place before it was at this one. Bounds
// that many pairs made are about as wide as a packet's way there and back, and the offset nearer to
// their middle than they say.
func (b *between) slack() int64 {
	if b.pairs >= many || b.pairs == 0 {
		return b.half/2 + clearly/2
	}
	return b.half + clearly/2
}

// pair learns from two sightings of one packet.
func (c *clocks) pair(a, b *seen) {
	if a.clock > b.clock {
		a, b = b, a
	}
	key := [2]uint32{a.clock, b.clock}
	x := c.pairs[key]
	if x == nil {
		if len(c.pairs) >= maxPairs {
			return
		}
		x = new(between)
		c.pairs[key] = x
	}
	d, now := b.time-a.time, max(a.time, b.time)
	lo, hi, ok := c.talk(a.conn, key, d, now)
	x.add(d, now)
	if ok {
		x.bound(lo, hi, now)
	}
	x.estimate(now)
}

// talk takes the difference d that a packet of a connection showed. It returns the bounds of
// the offset if both of its directions are known.
func (c *clocks) talk(conn uint64, clock [2]uint32, d, now int64) (lo, hi int64, ok bool) {
	t := c.talkOf(talkKey{conn &^ reverse, clock})
	t[conn&reverse].outer(d, now)
	to, from := &t[0], &t[1]
	if !to.some || !from.some {
		return 0, 0, false
	}
	if to.lo+to.hi < from.lo+from.hi {
		to, from = from, to
	}
	// The tighter bound of each, as wide as its age makes it.
	return from.hi - max(now-from.at, 0)/drift, to.lo + max(now-to.at, 0)/drift, true
}

// talkOf returns what is kept of a connection.
func (c *clocks) talkOf(key talkKey) *talk {
	if t := c.young[key]; t != nil {
		return t
	}
	t := c.old[key]
	if t == nil {
		t = new(talk)
	}
	if len(c.young) >= talks {
		c.young, c.old = make(map[talkKey]*talk), c.young
	}
	c.young[key] = t
	return t
}

// add takes one pair's difference.
func (b *between) add(d, now int64) {
	b.pairs++
	b.all.outer(d, now)
	if b.known {
		b.reach = max(d-b.offset, b.offset-d, b.reach-b.reach/2048)
	}
}

// bound takes bounds of the offset. If they contradict those before, a clock was set: those are
// given up.
func (b *between) bound(lo, hi, now int64) {
	s := &b.bounds
	if s.widen(now); !s.some || lo > s.hi+jump || hi < s.lo-jump {
		*s = bounds{lo, hi, now, true}
		return
	}
	s.lo, s.hi = max(s.lo, lo), min(s.hi, hi)
}

// estimate works out the offset.
func (b *between) estimate(now int64) {
	switch s := &b.bounds; {
	case s.some:
		s.widen(now)
		b.offset, b.half = s.lo+(s.hi-s.lo)/2, max(s.hi-s.lo, s.lo-s.hi)/2
		if !b.twoWay {
			b.twoWay, b.told = true, told{}
			b.reach = max(b.all.hi-b.offset, b.offset-b.all.lo)
		}
	case b.pairs >= settled && !b.twoWay:
		b.offset, b.half = b.all.lo+(b.all.hi-b.all.lo)/2, (b.all.hi-b.all.lo)/2
		b.reach = max(b.reach, b.half)
	default:
		return
	}
	b.known = true
	b.told.add(b.offset, b.half)
}

// add takes an estimate. Those that are much worse than others do not count.
func (t *told) add(offset, half int64) {
	switch {
	case t.n == 0 || half < t.half/2:
		*t = told{least: math.MaxInt64, largest: math.MinInt64, half: half}
	case half > 4*t.half+sameClock:
		return
	}
	t.sum += float64(offset)
	t.n++
	t.least, t.largest, t.half = min(t.least, offset), max(t.largest, offset), min(t.half, half)
}

// shifts returns what is to be added to the times of each of n clocks so that they are those of
// the first that it can be compared with, directly or by way of others.
func (c *clocks) shifts(n int) []int64 {
	shifts, done := make([]int64, n), make([]bool, n)
	keys := make([][2]uint32, 0, len(c.pairs))
	for key, x := range c.pairs {
		if x.known && int(key[1]) < n {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(x, y [2]uint32) int { // the surest first
		return cmp.Or(cmp.Compare(c.pairs[x].half, c.pairs[y].half), slices.Compare(x[:], y[:]))
	})
	for root := range n {
		done[root] = true
		for more := true; more; {
			more = false
			for _, key := range keys {
				a, b, offset := key[0], key[1], c.pairs[key].offset
				switch {
				case done[a] && !done[b]:
					shifts[b], done[b], more = shifts[a]-offset, true, true
				case done[b] && !done[a]:
					shifts[a], done[a], more = shifts[b]+offset, true, true
				}
			}
		}
	}
	return shifts
}

// offsets returns what is known, in the order of the clocks.
func (c *clocks) offsets() []Offset {
	var out []Offset
	for key, x := range c.pairs {
		if !x.known {
			continue
		}
		t := &x.told
		mean := int64(t.sum / float64(t.n))
		out = append(out, Offset{
			A: int(key[0]), B: int(key[1]), Offset: time.Duration(mean), Pairs: x.pairs, TwoWay: x.twoWay,
			Uncertainty: time.Duration(max(t.largest-mean, mean-t.least) + t.half),
		})
	}
	slices.SortFunc(out, func(x, y Offset) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
	return out
}
