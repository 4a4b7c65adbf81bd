// Package sighting recognises one packet in what several nodes and interfaces captured of it:
// before and behind NAT, inside and outside a tunnel (VXLAN, Geneve), by clocks that differ.
//
// In: packets of all interfaces, by their own times, in the order of those; each with the clock
// it was captured by, which is mostly one a node. Out: for each packet the number of the packet
// it is a further sighting of, or its own; and for each two clocks by how much they differ, as
// the pairs of sightings tell. Captured times are never changed.
//
// A packet is known again by what nobody on its way changes: identification, sequence numbers,
// TCP timestamps, payload. What was sent again differs in one of them, or comes again on an
// interface that has seen it already. Where nothing tells one transmission from the next (no
// identification and no timestamps, as of many UDP datagrams) it must be the same flow, or the
// same flow before and behind a NAT that other packets showed, and the time must fit closer than
// the next such packet does. A sighting that is not recognised does less harm than two packets
// taken for one: in doubt there are two. What remains is a packet that is sent again, bit by bit
// the same, a moment later, when one node missed the one and another the other.
//
// Memory is bounded by Options.Memory. A packet takes about 400 ns, half of which is reading it
// from memory. A Tracker is not safe for concurrent use.
package sighting

import (
	"hash/maphash"
	"time"

	"shark/packet"
)

// Limits. What is beyond them is not recognised.
const (
	// DefaultWindow is how far apart the times of two sightings may be: the difference of the
	// clocks and the time on the way.
	DefaultWindow = 2 * time.Second
	// DefaultMemory is how many bytes a Tracker keeps at most: the latest 260,000 packets.
	DefaultMemory = 32 << 20
	// maxAlike is how many packets that look the same are looked at, the latest first.
	maxAlike = 32
	// maxConns is of how many connections is known what NAT makes of them, and where they are seen.
	maxConns = 1 << 16
	// maxPairs is of how many pairs of clocks the difference is estimated.
	maxPairs = 1 << 12
)

// Options bound a Tracker.
type Options struct {
	Window time.Duration // 0: DefaultWindow
	Memory int           // bytes; 0: DefaultMemory
	// ByFlow says that packets with other addresses or ports are other packets: what NAT makes of
	// one is another.
	ByFlow bool
	// Offsets are what is known of the clocks beforehand.
	Offsets []Offset
	// Keep says that a Source leaves nothing out: it only puts packets in order.
	Keep bool
}

// Stats counts what a Tracker did.
type Stats struct {
	Packets    int64 // that it was asked about
	Further    int64 // sightings of packets that had been seen before
	Translated int64 // of those, the ones with other addresses or ports: through NAT
	Doubtful   int64 // packets that may be further sightings, but nothing proves of which packet
	Forgotten  int64 // packets that the memory limit forgot before the window ended
}

// Tracker finds the sightings of packets.
type Tracker struct {
	seed   maphash.Seed
	dec    *packet.Decoder
	window int64
	byFlow bool
	seen   table
	nats   nats
	clocks clocks
	stats  Stats
	packet packet.Packet
	buf    []byte
	alike  [maxAlike]candidate
}

// NewTracker returns a Tracker that has seen nothing.
func NewTracker(o Options) *Tracker {
	if o.Window <= 0 {
		o.Window = DefaultWindow
	}
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
	}
	t := &Tracker{
		seed: maphash.MakeSeed(), dec: packet.NewSingleDecoder(), window: int64(o.Window), byFlow: o.ByFlow,
		seen: newTable(o.Memory), clocks: newClocks(),
	}
	for _, x := range o.Offsets {
		t.clocks.assume(x)
	}
	return t
}

// First returns the number of the packet that r is a further sighting of, which is that of its
// first sighting; r's own number if it has not been seen before. So it is a number that all
// sightings of a packet have in common and no other packet has, such as pcapng's epb_packetid.
// Records come in the order of their times; clock says by which clock r was captured, counted
// from 0. Interfaces of one node have one clock.
func (t *Tracker) First(r *packet.Record, clock int) uint64 {
	t.dec.Decode(r, &t.packet)
	return t.Packet(&t.packet, clock)
}

// Stats returns the counts so far.
func (t *Tracker) Stats() Stats {
	s := t.stats
	s.Forgotten = t.seen.forgotten
	return s
}

// Offsets returns by how much clocks differ, in the order of the clocks; those only of which
// sightings of one packet were found.
func (t *Tracker) Offsets() []Offset { return t.clocks.offsets() }

// Offset is by how much two clocks differ.
type Offset struct {
	A, B        int           // clocks, A < B
	Offset      time.Duration // what B shows less what A shows at one moment
	Uncertainty time.Duration // the offset is this near, whatever the packets' ways were like, if TwoWay
	Pairs       int64         // of sightings that it rests on
	// TwoWay says that packets went both ways, so that the time on the way cancels out as far as
	// it can. If they did not, Offset has it in it and nothing says how much.
	TwoWay bool
}
