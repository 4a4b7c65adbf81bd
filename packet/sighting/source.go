package sighting

import (
	"io"
	"math"

	"shark/packet"
)

// Limits of a Source.
const (
	// maxHeld is how many bytes of packets are held to put them in order.
	maxHeld = 64 << 20
	// patience is how long, by the packets' times, a packet that was captured somewhere else
	// waits for its sighting where its connection is mostly seen.
	patience = 20e6
	// batchRecords and batchBytes are how large batches become.
	batchRecords, batchBytes = 1024, 256 << 10
)

// Source is another source without the further sightings of packets. Where several clocks
// are, packets come in the order in which they were seen, as far as is known how much the clocks
// differ; their times stay as they were captured. Of a packet's sightings that one is given which
// the interface has that saw its connection first, so that the times of a connection are by one
// clock, but for packets that only others captured. What one interface alone captured passes
// through as it is.
//
// Up to 64 MiB of packets are held, the latest second or so.
type Source struct {
	packet.Source
	clock   func(iface uint32) int
	keep    bool
	tracker *Tracker
	conns   aliases // interface that saw each connection first

	several  bool // more than one interface
	iface    uint32
	any      bool                   // a packet was read
	filledBy map[*packet.Batch]bool // those whose records stand in batches of the Source

	slots   []held
	spare   []uint32 // slots
	order   []place  // heap by time
	count   uint64   // of packets held so far
	bytes   int
	began   int64
	now     int64   // latest time read
	settled bool    // what is held is in order, as far as is known how much the clocks differ
	clocks  int     // highest clock, and one
	latest  []int64 // time of each
	shifts  []int64
	free    []*packet.Shared
	err     error // of the source, when all before it is given out

	merged, mergedBytes, filled int64
}

// held is a packet that waits.
type held struct {
	rec    packet.Record
	from   *packet.Shared
	number uint64 // of the packet's first sighting
	here   bool   // it is the sighting that is wanted
	clock  int
	time   int64 // the latest of its clock: what one captured stays in its order
	wanted int   // clock
}

// heldSize is what it costs to hold a packet, besides its bytes.
const heldSize = 256

func (h *held) size() int { return heldSize + len(h.rec.Data) + len(h.rec.Options) }

// place is where a held packet comes in the order.
type place struct {
	time  int64
	count uint64
	slot  uint32
}

// Once returns src without further sightings. clock says by which clock, counted from 0, an
// interface captured. src belongs to the result.
func Once(src packet.Source, clock func(iface uint32) int, o Options) *Source {
	return &Source{Source: src, clock: clock, keep: o.Keep, tracker: NewTracker(o), slots: make([]held, 1), filledBy: make(map[*packet.Batch]bool)}
}

// Merged returns how many further sightings were left out, and their captured bytes.
func (s *Source) Merged() (packets, bytes int64) { return s.merged, s.mergedBytes }

// Filled returns how many packets were given that another clock captured than that of most of
// their connection.
func (s *Source) Filled() int64 { return s.filled }

// Tracker returns what found the sightings.
func (s *Source) Tracker() *Tracker { return s.tracker }

// ReadBatch implements packet.Source.
func (s *Source) ReadBatch(b *packet.Batch) error {
	if !s.several {
		if done, err := s.pass(b); done {
			return err
		}
	}
	s.release(b)
	for size := 0; len(b.Records) < batchRecords && size < batchBytes; {
		switch {
		case s.due():
			size += s.give(b)
		case s.err == nil:
			s.read()
		case len(b.Records) > 0:
			return nil
		default:
			return s.err
		}
	}
	return nil
}

// pass reads a batch and hands it on, unless it has packets of another interface than those
// before it.
func (s *Source) pass(b *packet.Batch) (done bool, err error) {
	err = s.Source.ReadBatch(b)
	for i := range b.Records {
		iface := b.Records[i].Interface
		if !s.any {
			s.any, s.iface = true, iface
		}
		s.several = s.several || iface != s.iface
	}
	if !s.several {
		return true, err
	}
	first := &packet.Shared{Users: 1}
	first.Batch, *b = *b, packet.Batch{}
	if s.take(first); err != nil {
		s.err = err
	}
	return false, nil
}

// read reads a batch of the source and holds its packets.
func (s *Source) read() {
	b := &packet.Shared{}
	if n := len(s.free) - 1; n >= 0 {
		b, s.free = s.free[n], s.free[:n]
	}
	b.Users = 1
	s.err = s.Source.ReadBatch(&b.Batch)
	s.take(b)
}

// take holds the packets of a batch which are not further sightings.
func (s *Source) take(b *packet.Shared) {
	for i := range b.Records {
		s.hold(&b.Records[i], b)
	}
	s.leave(b)
	s.shifts = s.tracker.clocks.shifts(s.clocks)
}

// hold holds a packet, or leaves it out.
func (s *Source) hold(r *packet.Record, from *packet.Shared) {
	clock := s.clock(r.Interface)
	s.clocks = max(s.clocks, clock+1)
	if s.count == 0 {
		s.began = r.Time
	}
	s.now = max(s.now, r.Time)
	for len(s.latest) < s.clocks {
		s.latest = append(s.latest, math.MinInt64)
	}
	s.latest[clock] = max(s.latest[clock], r.Time)
	first, by := s.sight(r, clock)
	h := held{rec: *r, from: from, number: first, here: true, clock: clock, time: s.latest[clock], wanted: clock}
	if by != nil {
		iface := s.seenBy(by.conn, r.Interface)
		h.here, h.wanted = iface == r.Interface, s.clock(iface)
	}
	if first != r.Number {
		s.merged++
		s.mergedBytes += int64(len(r.Data))
		s.replace(by.slot, &h)
		return
	}
	slot := s.slot()
	s.slots[slot] = h
	if by != nil {
		by.slot = slot
	}
	from.Users++
	s.bytes += h.size()
	s.count++
	s.push(place{h.time + s.shift(clock), s.count, slot})
}

// sight returns what Tracker.sight does, unless every packet is kept.
func (s *Source) sight(r *packet.Record, clock int) (first uint64, by *seen) {
	if s.keep {
		return r.Number, nil
	}
	t := s.tracker
	t.dec.Decode(r, &t.packet)
	return t.sight(&t.packet, clock)
}

// seenBy returns the interface that saw a connection first.
func (s *Source) seenBy(conn uint64, iface uint32) uint32 {
	if first, ok := s.conns.get(conn); ok {
		return uint32(first)
	}
	s.conns.set(conn, uint64(iface))
	return iface
}

// replace puts a further sighting in the place of the first, if that is held and this one is
// wanted.
func (s *Source) replace(slot uint32, h *held) {
	old := &s.slots[slot]
	if old.from == nil || old.number != h.number || old.here || !h.here {
		return
	}
	h.from.Users++
	s.bytes += h.size() - old.size()
	s.leave(old.from)
	*old = *h
}

func (s *Source) slot() uint32 {
	if n := len(s.spare) - 1; n >= 0 {
		slot := s.spare[n]
		s.spare = s.spare[:n]
		return slot
	}
	s.slots = append(s.slots, held{})
	return uint32(len(s.slots) - 1)
}

func (s *Source) shift(clock int) int64 {
	if clock < len(s.shifts) {
		return s.shifts[clock]
	}
	return 0
}

// due tells whether the first packet held is to be given.
func (s *Source) due() bool {
	switch {
	case len(s.order) == 0:
		return false
	case s.err == nil && s.bytes <= maxHeld && s.clocks > 1 && s.now-s.began < s.tracker.window:
		return false // how much the clocks differ is still to be seen
	case !s.settled:
		s.settle()
	}
	if s.err != nil || s.bytes > maxHeld {
		return true
	}
	least := int64(0)
	for _, n := range s.shifts {
		least = min(least, n)
	}
	return s.order[0].time+patience < s.now+least
}

// settle puts what is held in order, now that it is known how much the clocks differ.
func (s *Source) settle() {
	s.settled = true
	all := s.order
	s.order = make([]place, 0, len(all))
	for _, p := range all {
		h := &s.slots[p.slot]
		p.time = h.time + s.shift(h.clock)
		s.push(p)
	}
}

// give puts the first packet held into b.
func (s *Source) give(b *packet.Batch) int {
	slot := s.pop().slot
	h := &s.slots[slot]
	if n := len(b.Shared); n == 0 || b.Shared[n-1] != h.from {
		b.Shared = append(b.Shared, h.from)
		h.from.Users++
	}
	b.Records = append(b.Records, h.rec)
	if h.clock != h.wanted {
		s.filled++
	}
	size := len(h.rec.Data)
	s.bytes -= h.size()
	s.leave(h.from)
	*h = held{}
	s.spare = append(s.spare, slot)
	return size
}

// release empties b. Its records are not used any more.
func (s *Source) release(b *packet.Batch) {
	if !s.filledBy[b] { // it passed through, and what is in it is the source's
		s.filledBy[b] = true
		if b.Buf != nil || b.Shared != nil {
			s.free = append(s.free, &packet.Shared{Batch: *b})
			*b = packet.Batch{}
		}
	}
	for _, x := range b.Shared {
		s.leave(x)
	}
	clear(b.Shared) // so that nothing is kept by it
	b.Records, b.Buf, b.Shared = b.Records[:0], b.Buf[:0], b.Shared[:0]
}

// leave ends one use of a batch.
func (s *Source) leave(b *packet.Shared) {
	if b.Users--; b.Users == 0 {
		s.free = append(s.free, b)
	}
}

// push adds a place to the heap.
func (s *Source) push(p place) {
	s.order = append(s.order, p)
	for i := len(s.order) - 1; i > 0; {
		up := (i - 1) / 2
		if !p.before(&s.order[up]) {
			break
		}
		s.order[i], s.order[up], i = s.order[up], p, up
	}
}

// pop takes the first place out of the heap.
func (s *Source) pop() place {
	first, n := s.order[0], len(s.order)-1
	last := s.order[n]
	s.order = s.order[:n]
	for i := 0; n > 0; {
		c := 2*i + 1
		if c+1 < n && s.order[c+1].before(&s.order[c]) {
			c++
		}
		if c >= n || !s.order[c].before(&last) {
			s.order[i] = last
			break
		}
		s.order[i], i = s.order[c], c
	}
	return first
}

func (p *place) before(q *place) bool {
	return p.time < q.time || p.time == q.time && p.count < q.count
}

var (
	_ packet.Source = (*Source)(nil)
	_ io.Closer     = (*Source)(nil)
)
