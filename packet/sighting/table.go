package sighting

// seen is one sighting of a packet.
type seen struct {
	look
	number uint64
	first  uint64 // number of the packet's first sighting
	time   int64
	older  uint32 // count of the latest sighting with another key that has the same low bits
	iface  uint32
	clock  uint32
	slot   uint32 // of a Source, where it holds the packet
	alike  uint32 // count of the one before with the same key
	ttl    uint8
}

// seenSize is what a sighting costs in bytes, with its place in the table.
const seenSize = 80 + 4

// table holds the latest sightings, by key. Sightings are counted from 1; the count modulo the
// size is the place in the ring. Those of one key are a list, of which the latest stands in
// another list, of the keys with the same low bits: however many packets look alike, they hide
// none that do not, and what is found does not depend on what the keys happen to be.
type table struct {
	ring      []seen
	heads     []uint32 // by low bits of the key: count of the latest sighting
	last      uint32   // count of the latest
	most      int      // how large the ring may become
	forgotten int64
}

// leastRing is how large the ring is at first.
const leastRing = 1 << 10

func newTable(memory int) table {
	most := leastRing
	for most*2*seenSize <= memory {
		most *= 2
	}
	return table{ring: make([]seen, leastRing), heads: make([]uint32, leastRing), most: most}
}

// at returns a sighting by its count; nil if it was forgotten or never was.
func (t *table) at(count uint32) *seen {
	if count == 0 || t.last-count >= uint32(len(t.ring)) {
		return nil
	}
	return &t.ring[count%uint32(len(t.ring))]
}

// link returns where the latest sighting with a key is named, and that sighting; nil if there is
// none, and then where the list of the keys with its low bits begins.
func (t *table) link(key uint64) (*uint32, *seen) {
	head := &t.heads[key%uint64(len(t.heads))]
	for at := head; ; {
		s := t.at(*at)
		if s == nil {
			return head, nil
		}
		if s.key == key {
			return at, s
		}
		at = &s.older
	}
}

// add keeps a sighting in the place of the oldest. If that is not older than the window, the
// ring grows, or what is needed is forgotten.
func (t *table) add(s *seen, window int64) *seen {
	if old := &t.ring[(t.last+1)%uint32(len(t.ring))]; old.number != 0 && s.time-old.time < window {
		if len(t.ring) < t.most {
			t.grow()
		} else {
			t.forgotten++
		}
	}
	t.last++
	if t.last == 0 { // 2^32 sightings: begin anew, which misses a few
		clear(t.heads)
		clear(t.ring)
		t.last = 1
	}
	return t.put(s, t.last)
}

// put keeps a sighting as the latest of all.
func (t *table) put(s *seen, count uint32) *seen {
	s.alike = 0
	if at, before := t.link(s.key); before != nil {
		s.alike, *at = *at, before.older
	}
	head := &t.heads[s.key%uint64(len(t.heads))]
	s.older = *head
	at := &t.ring[count%uint32(len(t.ring))]
	*at, *head = *s, count
	return at
}

// grow doubles the ring.
func (t *table) grow() {
	old := *t
	t.ring, t.heads = make([]seen, 2*len(old.ring)), make([]uint32, 2*len(old.heads))
	for i := range uint32(len(old.ring)) {
		count := old.last - uint32(len(old.ring)) + 1 + i
		s := old.at(count)
		if s == nil || s.number == 0 {
			continue
		}
		t.put(s, count)
	}
}

// aliases name for a connection something that is known of it. Of the older half those are
// forgotten that are not asked for again.
type aliases struct {
	young, old map[uint64]uint64
}

// get returns what is named for a connection.
func (x *aliases) get(conn uint64) (to uint64, ok bool) {
	conn &^= reverse
	if to, ok = x.young[conn]; ok {
		return to, true
	}
	if to, ok = x.old[conn]; ok {
		x.set(conn, to)
	}
	return to, ok
}

func (x *aliases) set(conn, to uint64) {
	if x.young == nil || len(x.young) >= maxConns {
		x.young, x.old = make(map[uint64]uint64), x.young
	}
	x.young[conn&^reverse] = to
}

// nats are connections behind NAT, with one that each has before it.
type nats struct{ aliases }

// of returns the connection that stands for a connection and for what NAT makes of it: of those
// that were joined, the one that was seen first.
func (x *nats) of(conn uint64) uint64 {
	conn &^= reverse
	root, hops := conn, 0
	for to, ok := x.get(root); ok; to, ok = x.get(root) {
		root = to
		hops++
	}
	if hops > 1 {
		x.set(conn, root)
	}
	return root
}

// join notes that a connection is another one, which was seen before.
func (x *nats) join(conn, before uint64) {
	if conn, before = x.of(conn), x.of(before); conn != before {
		x.set(conn, before)
	}
}
