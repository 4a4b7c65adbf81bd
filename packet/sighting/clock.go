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
// one direction are later. Of the bounds in some seconds the tightest count; the offset is in
// their middle. Clocks drift, so older bounds are given up.
const (
	// spanTime is how long bounds are gathered, in nanoseconds.
	spanTime = 5e9
	// settled is how many pairs a span needs before its estimate counts.
	settled = 8
	// jump is by how much bounds may contradict each other before a clock is taken to have been set.
	jump = 1e6
	// talks is how many connections' pairs are kept until their other direction is seen.
	talks = 1 << 12
)

// clocks is what is known of the differences between clocks.
type clocks struct {
	pairs map[[2]uint32]*between
	talks []talk
	same  between // of sightings by one clock
}

// between is the difference of clocks a and b. Times are of b less those of a.
type between struct {
	offset  int64 // as it is estimated now
	half    int64 // how far off it may be
	known   bool
	reach   int64 // how far from the offset pairs are, of late
	span    span
	pairs   int64
	twoWay  bool
	sum     float64 // of the estimates that counted, each as often as there were pairs
	least   int64   // estimate
	largest int64
	widest  int64 // half
	counted int64
}

// span is the pairs of some seconds.
type span struct {
	began    int64
	pairs    int
	lo, hi   int64 // bounds of the offset by connections that were seen in both directions
	both     bool
	min, max int64 // of all pairs
}

// talk is the pairs of one connection.
type talk struct {
	conn  uint64
	clock [2]uint32
	began int64
	dirs  [2]struct{ min, max int64 }
	have  [2]bool
}

func newClocks() clocks {
	return clocks{pairs: make(map[[2]uint32]*between), talks: make([]talk, talks), same: between{known: true}}
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

// slack is by how much a packet may seem to be at its next place before it was at this one.
func (b *between) slack() int64 { return b.half/2 + clearly/2 }

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
		x = &between{least: math.MaxInt64, largest: math.MinInt64}
		c.pairs[key] = x
	}
	d, now := b.time-a.time, max(a.time, b.time)
	if x.span.pairs == 0 || now-x.span.began > spanTime {
		x.renew(now)
	}
	x.add(d)
	conn := a.conn
	if b.conn&^reverse < conn&^reverse {
		conn = b.conn
	}
	if lo, hi, ok := c.talk(conn, key, d, now); ok {
		x.bound(lo, hi)
	}
	x.estimate()
}

// talk takes the difference d that a packet of a connection showed. It returns the bounds of
// the offset if both of its directions are known.
func (c *clocks) talk(conn uint64, clock [2]uint32, d, now int64) (lo, hi int64, ok bool) {
	t := &c.talks[(conn>>1)%talks]
	if t.conn != conn&^reverse || t.clock != clock || now-t.began > spanTime {
		*t = talk{conn: conn &^ reverse, clock: clock, began: now}
	}
	dir := conn & reverse
	if x := &t.dirs[dir]; !t.have[dir] {
		t.have[dir], x.min, x.max = true, d, d
	} else {
		x.min, x.max = min(x.min, d), max(x.max, d)
	}
	if !t.have[0] || !t.have[1] {
		return 0, 0, false
	}
	to, from := &t.dirs[0], &t.dirs[1]
	if to.min+to.max < from.min+from.max {
		to, from = from, to
	}
	return from.max, to.min, true
}

// renew begins another span.
func (b *between) renew(now int64) {
	b.count()
	b.span = span{began: now, lo: math.MinInt64, hi: math.MaxInt64, min: math.MaxInt64, max: math.MinInt64}
}

// add takes one pair's difference.
func (b *between) add(d int64) {
	b.pairs++
	s := &b.span
	s.pairs++
	s.min, s.max = min(s.min, d), max(s.max, d)
	if b.known {
		err := max(d-b.offset, b.offset-d)
		b.reach = max(err, b.reach-b.reach/256)
	}
}

// bound takes bounds of the offset. If they contradict those before, a clock was set, or runs
// fast: those before are given up.
func (b *between) bound(lo, hi int64) {
	s := &b.span
	if s.both && (lo > s.hi+jump || hi < s.lo-jump) {
		s.lo, s.hi = math.MinInt64, math.MaxInt64
	}
	s.lo, s.hi, s.both = max(s.lo, lo), min(s.hi, hi), true
}

// estimate works out the offset.
func (b *between) estimate() {
	s := &b.span
	switch {
	case b.known && s.pairs < settled: // as before
	case s.both:
		first := !b.twoWay
		b.offset, b.half = s.lo+(s.hi-s.lo)/2, max(s.hi-s.lo, s.lo-s.hi)/2
		b.twoWay, b.known = true, true
		if first {
			b.reach = max(s.max-b.offset, b.offset-s.min)
			b.sum, b.counted, b.least, b.largest, b.widest = 0, 0, math.MaxInt64, math.MinInt64, 0
		}
	case !b.twoWay && s.pairs >= settled:
		b.offset, b.half, b.known = s.min+(s.max-s.min)/2, (s.max-s.min)/2, true
		b.reach = max(b.reach, b.half)
	}
}

// count takes the estimate of the span that ends into the account.
func (b *between) count() {
	s := &b.span
	if !b.known || s.pairs == 0 || b.twoWay && !s.both || s.pairs < settled && b.counted > 0 {
		return
	}
	b.counted += int64(s.pairs)
	b.sum += float64(b.offset) * float64(s.pairs)
	b.least, b.largest, b.widest = min(b.least, b.offset), max(b.largest, b.offset), max(b.widest, b.half)
}

// offsets returns what is known, in the order of the clocks.
func (c *clocks) offsets() []Offset {
	var out []Offset
	for key, x := range c.pairs {
		b := *x
		if b.count(); b.counted == 0 {
			continue
		}
		mean := int64(b.sum / float64(b.counted))
		off := max(b.largest-mean, mean-b.least) + b.widest
		out = append(out, Offset{
			A: int(key[0]), B: int(key[1]), Offset: time.Duration(mean), Uncertainty: time.Duration(off), Pairs: b.pairs, TwoWay: b.twoWay,
		})
	}
	slices.SortFunc(out, func(x, y Offset) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
	return out
}
