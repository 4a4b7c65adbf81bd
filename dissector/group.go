package dissector

import "shark/packet"

// groupSize is how many packets are looked up together.
const groupSize = 32

// group is packets of a partition that are looked up together. What they need is mostly
// not in the cache: it is fetched from memory for all at the same time, and not for one
// after the other. Short connections take a twentieth less time for it.
type group struct {
	keys   [groupSize]connKey
	hashes [groupSize]uint64
	conns  [groupSize]*conn
	seen   byte // of what was fetched, so that it is
}

// packets takes the next packets of the partition.
func (p *partition) packets(list []packet.Packet) {
	for len(list) > 0 {
		n := min(len(list), groupSize)
		p.fetch(list[:n])
		for i := range list[:n] {
			p.packet(&list[i], &p.group.keys[i], p.group.hashes[i], p.group.conns[i])
		}
		list = list[n:]
	}
}

// fetch looks at what the packets of a group will need. By the time a packet's turn comes
// its connection may be another.
func (p *partition) fetch(list []packet.Packet) {
	g := &p.group
	for i := range list {
		pk := &list[i]
		g.keys[i] = keyOf(pk)
		g.hashes[i] = g.keys[i].hash()
		g.seen ^= front(pk)
	}
	for i := range list {
		g.conns[i] = p.conns.get(g.hashes[i])
	}
	for _, c := range g.conns[:len(list)] {
		if c != nil {
			g.seen ^= byte(c.first ^ c.dirs[0].packets)
		}
	}
	for _, c := range g.conns[:len(list)] {
		if c != nil {
			g.seen ^= c.inner()
		}
	}
}

// front is the first byte of a packet that is going to be read.
func front(p *packet.Packet) byte {
	switch {
	case len(p.Payload) > 0:
		return p.Payload[0]
	case p.Flags&packet.SYN != 0 && len(p.Options) > 0:
		return p.Options[0]
	}
	return 0
}

// inner is something of all that a connection keeps outside of itself.
func (c *conn) inner() (seen byte) {
	if c.tcp != nil {
		seen ^= c.tcp.order.Touch() ^ c.tcp.health.Touch()
	}
	if c.talk != nil {
		seen ^= byte(c.talk.probes[0])
	}
	return seen
}

// all is something of all of a connection that was not touched for long, so that it comes
// from memory at the same time as that of others. What it returns means nothing.
func (c *conn) all() (seen byte) {
	seen = byte(c.id^c.hash) ^ byte(c.last^c.dirs[1].bytes) ^ byte(c.unique) ^ byte(c.mem) ^ c.inner()
	if len(c.numbers.enc) > 0 {
		seen ^= c.numbers.enc[0]
	}
	return seen
}
