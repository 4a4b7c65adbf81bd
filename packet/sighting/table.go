package sighting

// seen is one sighting of a packet.
type seen struct {
	look
	number uint64
	first  uint64 // number of the packet's first sighting
	time   int64
	older  uint32 // place of the one before with the same low bits of its key
	iface  uint32
	clock  uint32
	slot   uint32 // of a Source, where it holds the packet
	ttl    uint8
}

// seenSize is what a sighting costs in bytes, with its place in the table.
const seenSize = 80 + 4

// table holds the latest sightings, by key. Sightings are counted from 1; the count modulo the
// size is the place in the ring.
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

// latest returns the count of the latest sighting with the low bits of a key.
func (t *table) latest(key uint64) uint32 { return t.heads[key%uint64(len(t.heads))] }

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
	head := &t.heads[s.key%uint64(len(t.heads))]
	s.older = *head
	at := &t.ring[t.last%uint32(len(t.ring))]
	*at, *head = *s, t.last
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
		head := &t.heads[s.key%uint64(len(t.heads))]
		s.older = *head
		t.ring[count%uint32(len(t.ring))] = *s
		*head = count
	}
}

// aliases are connections behind NAT, with one that each has before it. Of the older half those
// are forgotten that are not asked for again.
type aliases struct {
	young, old map[uint64]uint64
}

// of returns the connection that stands for a connection and for what NAT makes of it.
func (x *aliases) of(conn uint64) uint64 {
	conn &^= reverse
	if to, ok := x.young[conn]; ok {
		return to
	}
	to, ok := x.old[conn]
	if !ok {
		return conn
	}
	x.set(conn, to)
	return to
}

// add notes that two connections are one.
func (x *aliases) add(a, b uint64) {
	one := min(x.of(a), x.of(b))
	x.set(a&^reverse, one)
	x.set(b&^reverse, one)
}

func (x *aliases) set(conn, to uint64) {
	if x.young == nil || len(x.young) >= maxConns {
		x.young, x.old = make(map[uint64]uint64), x.young
	}
	x.young[conn] = to
}
