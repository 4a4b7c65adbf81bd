package sighting

import "shark/packet"

// Times that tell packets apart which look the same, in nanoseconds.
const (
	// likelyBand is how far from what the clocks say the time of a likely sighting may be. No
	// sender repeats a packet for want of an answer as soon as that (RFC 6298 has a second, Linux
	// 200 ms).
	likelyBand = 50e6
	// mostBand and leastBand bound how far that of a sighting may be which only its time proves.
	mostBand, leastBand = 10e6, 5e6
	// clearly is by how much more than twice as far the next such packet must be.
	clearly = 20e3
)

// candidate is a packet that another may be a further sighting of.
type candidate struct {
	first    uint64
	by       *seen // the sighting that is nearest in time
	err      int64 // of its time
	excluded bool
}

// Packet is First for a packet that was decoded by a Decoder of single packets.
func (t *Tracker) Packet(p *packet.Packet, clock int) uint64 {
	first, _ := t.sight(p, clock)
	return first
}

// sight is Packet. It also returns where the packet is remembered, until the next call; nil if
// it is of a kind that is not compared.
func (t *Tracker) sight(p *packet.Packet, clock int) (first uint64, by *seen) {
	t.stats.Packets++
	s := seen{look: t.look(p), number: p.Number, first: p.Number, time: p.Time, iface: p.Interface, clock: uint32(clock), ttl: p.TTL}
	if s.proof == none {
		return p.Number, nil
	}
	if c := t.find(&s); c != nil {
		t.further(&s, c)
	}
	return s.first, t.seen.add(&s, t.window)
}

// find returns the packet that s is a further sighting of; nil if there is none, or more than
// one may be it.
func (t *Tracker) find(s *seen) *candidate {
	some := t.alike[:0]
	_, e := t.seen.link(s.key)
	for range maxAlike {
		if e == nil || s.time-e.time > t.window {
			break
		}
		some = t.consider(some, s, e)
		e = t.seen.at(e.alike)
	}
	return t.choose(some)
}

// consider adds the packet of a sighting that looks like s, or what more this sighting tells.
func (t *Tracker) consider(some []candidate, s, e *seen) []candidate {
	i := 0
	for i < len(some) && some[i].first != e.first {
		i++
	}
	if i == len(some) {
		some = append(some, candidate{first: e.first})
	}
	c := &some[i]
	if e.iface == s.iface {
		c.excluded = true // one interface sees a packet once
		return some
	}
	if err, ok := t.fits(s, e); ok && (c.by == nil || err < c.err) {
		c.by, c.err = e, err
	}
	return some
}

// fits tells whether s and e may be sightings of one packet, and how far apart their times are
// beyond what the clocks differ.
func (t *Tracker) fits(s, e *seen) (err int64, ok bool) {
	if s.conn != e.conn && !t.translated(s, e) {
		return 0, false
	}
	between, known := t.clocks.between(e.clock, s.clock)
	late := s.time - e.time - between.offset
	err = max(late, -late)
	switch {
	case !known:
		return err, s.proof >= likely
	case s.proof == sure:
		ok = err <= t.window
	case s.proof == likely:
		ok = err <= likelyBand
	default:
		ok = err <= between.band()
	}
	// Who routes a packet lowers its time to live: what has the lower one is later.
	if slack := between.slack(); s.ttl < e.ttl && late < -slack || s.ttl > e.ttl && late > slack {
		ok = false
	}
	return err, ok
}

// translated tells whether s and e, of different connections, may be one packet before and
// behind NAT.
func (t *Tracker) translated(s, e *seen) bool {
	switch {
	case s.unique && s.proof >= likely:
		return true
	case s.src != e.src && s.dst != e.dst: // it may even be an answer that repeats the question
		return false
	}
	return s.proof == sure || s.proof == byTime // whose key has the connection in it
}

// choose returns the candidate that is nearest in time, if it clearly is.
func (t *Tracker) choose(some []candidate) *candidate {
	var best, next *candidate
	for i := range some {
		switch c := &some[i]; {
		case c.excluded || c.by == nil:
		case best == nil || c.err < best.err:
			best, next = c, best
		case next == nil || c.err < next.err:
			next = c
		}
	}
	if next != nil && next.err < 2*best.err+clearly {
		t.stats.Doubtful++
		return nil
	}
	return best
}

// further makes s a sighting of a packet.
func (t *Tracker) further(s *seen, c *candidate) {
	s.first, s.slot = c.first, c.by.slot
	t.stats.Further++
	if s.conn != c.by.conn {
		t.stats.Translated++
		t.nats.join(s.conn, c.by.conn)
	}
	if s.clock != c.by.clock && s.proof >= likely {
		t.clocks.pair(c.by, s)
	}
}
