// Package sightingtest makes captures of two nodes that see the same packets, with what is true
// of each: pods on node A speak with pods on node B, directly or through a service address (the
// destination, and maybe the source, is rewritten on A), by an overlay or by plain routing. Each
// node captures at its pods' interface and at its own.
//
// In: Options with a seed. Out: a World, always the same for the same Options.
package sightingtest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"shark/packet"
)

// Overlay is how packets travel between the nodes.
type Overlay int

// The overlays.
const (
	Routed Overlay = iota
	VXLAN
	Geneve
)

// Options say what to make.
type Options struct {
	Seed    uint64
	Talks   int           // conversations
	Offset  time.Duration // what B's clock shows more than A's
	Drift   float64       // how much faster B's clock runs, in parts of a million
	Loss    float64       // probability that a capture lacks a packet, for each of its interfaces
	NAT     bool          // half of the conversations go to a service address
	Overlay Overlay
	Only    Kind // of conversations; 0: all
	// Resend is the probability that a segment or datagram is sent again.
	Resend float64
	// Spread is over how long the conversations begin; 0: 5 s.
	Spread time.Duration
}

// Kind is a set of kinds of conversations.
type Kind uint

// The kinds of conversations.
const (
	TCP       Kind = 1 << iota // IPv4, timestamps: what Linux does
	TCPPlain                   // IPv4, no timestamps
	TCP6                       // IPv6, timestamps
	TCP6Plain                  // IPv6, no timestamps
	UDP                        // IPv4, questions have an identification, answers none
	UDP6
	Ping
	Beat // the same datagram over and over, without identification
	kinds
)

// Sighting is a packet as one interface captured it.
type Sighting struct {
	packet.Record
	Packet int // which packet it is
	Node   int
}

// Interfaces of both nodes, by Record.Interface. Those of A come first.
var Interfaces = []packet.Interface{
	{Link: 1, Name: "veth0", Node: "a"},
	{Link: 1, Name: "eth0", Node: "a"},
	{Link: 1, Name: "veth0", Node: "b"},
	{Link: 1, Name: "eth0", Node: "b"},
}

// Clock returns the clock of an interface.
func Clock(iface uint32) int { return int(iface / 2) }

// World is what both nodes captured, in the order of their own times, numbered.
type World struct {
	Sightings []Sighting
	Packets   int // that were sent
	Resent    int // of these, the ones that repeat another
	Requests  int // of HTTP and DNS, with their answers
	// Alike are packets that repeat another bit by bit within moments, as only their place and
	// time can tell.
	Alike map[int]bool
	o     Options
	rng   *rand.Rand
	ids   [2][]uint16 // counters of identification, of each pod
}

// Epoch is when the captures begin, by the clock of A.
var Epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Make makes a world.
func Make(o Options) *World {
	if o.Spread == 0 {
		o.Spread = 5 * time.Second
	}
	w := &World{o: o, rng: rand.New(rand.NewPCG(o.Seed, 77)), Alike: make(map[int]bool)}
	for end := range w.ids {
		w.ids[end] = make([]uint16, pods)
		for i := range w.ids[end] {
			w.ids[end][i] = uint16(w.rng.Uint32())
		}
	}
	for i := range o.Talks {
		w.talk(i)
	}
	slices.SortStableFunc(w.Sightings, func(a, b Sighting) int { return cmp.Compare(a.Time, b.Time) })
	for i := range w.Sightings {
		w.Sightings[i].Number = uint64(i + 1)
	}
	return w
}

// On returns the records of some interfaces, numbered anew from 1, their interfaces counted
// from 0, and which packet each is.
func (w *World) On(ifaces ...uint32) (recs []packet.Record, packets []int) {
	for i := range w.Sightings {
		s := &w.Sightings[i]
		if n := slices.Index(ifaces, s.Interface); n >= 0 {
			r := s.Record
			r.Number, r.Interface = uint64(len(recs)+1), uint32(n)
			recs, packets = append(recs, r), append(packets, s.Packet)
		}
	}
	return recs, packets
}

// pods is how many there are on each node.
const pods = 20

// send lets a packet go from one end of a talk to the other at a time by A's clock, and
// returns when it arrives.
func (w *World) send(t *talk, from int, at time.Duration, p *transport) time.Duration {
	id := w.Packets
	w.Packets++
	p.id = t.identify(w, from)
	return w.pass(t, from, at, p, id, &t.arrived[from])
}

// again sends a packet once more some time after the first, as another packet: mostly with
// another identification. first is how it was then.
func (w *World) again(t *talk, from int, at, after time.Duration, p, first *transport) {
	id := w.Packets
	w.Packets++
	w.Resent++
	if w.rng.IntN(5) > 0 { // else as some kernels do
		p.id = t.identify(w, from)
	}
	numbered := t.ends[from].Addr().Is4() && p.id != first.id || p.stamped && p.stamps != first.stamps
	w.Alike[id] = !numbered && after < 10*time.Millisecond
	w.pass(t, from, at, p, id, new([4]time.Duration))
}

// pass shows a packet at each of the four interfaces on its way, behind those before it.
func (w *World) pass(t *talk, from int, at time.Duration, p *transport, id int, arrived *[4]time.Duration) time.Duration {
	way := []uint32{0, 1, 3, 2}
	if from == 1 {
		slices.Reverse(way)
	}
	if p.flow == 0 {
		p.flow = w.rng.Uint32N(1 << 20)
	}
	for i, iface := range way {
		at = max(at, arrived[i]+time.Microsecond)
		arrived[i] = at
		behind := Clock(iface) == 1 || iface == 1 // NAT is done before the packet leaves A
		data := t.frame(from, p, behind, iface%2 == 1, w.o.Overlay, byte(64-i))
		if w.rng.Float64() >= w.o.Loss {
			w.Sightings = append(w.Sightings, Sighting{Packet: id, Node: Clock(iface), Record: packet.Record{
				Data: data, OrigLen: uint32(len(data)), Link: 1, Interface: iface, Time: w.clock(iface, at),
			}})
		}
		if i == 1 {
			at += w.wire()
		} else {
			at += time.Duration(2000+w.rng.ExpFloat64()*8000) * time.Nanosecond
		}
	}
	return at
}

// wire is how long a packet takes between the nodes.
func (w *World) wire() time.Duration {
	d := 60*time.Microsecond + time.Duration(w.rng.ExpFloat64()*float64(40*time.Microsecond))
	if w.rng.IntN(200) == 0 { // a queue
		d += time.Duration(w.rng.IntN(int(3 * time.Millisecond)))
	}
	return d
}

// clock is what the clock of an interface's node shows.
func (w *World) clock(iface uint32, at time.Duration) int64 {
	t := Epoch.UnixNano() + int64(at)
	if Clock(iface) == 1 {
		t += int64(w.o.Offset) + int64(float64(at)*w.o.Drift/1e6)
	}
	return t
}
