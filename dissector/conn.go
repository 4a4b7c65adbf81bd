package dissector

import (
	"encoding/binary"
	"slices"

	"shark/dissector/stream"
	"shark/packet"
)

// conn is one conversation: its packets, their order and what is said in it.
type conn struct {
	p         *partition
	id        uint64 // number of its first packet
	key       connKey
	hash      uint64      // of key
	twin      *conn       // of the same hash
	flow      packet.Flow // direction 0: who sent the first packet
	transport Transport
	tunnel    packet.Tunnel
	vlan      uint16
	iface     uint32

	first, last int64 // times
	dirs        [2]direction
	numbers     numberList
	unique      int64    // payload bytes of TCP put in order
	missing     [2]int64 // bytes never captured
	skipped     [2]int64 // bytes that made no sense to the parser

	tcp    *tcpState           // of TCP only
	sctp   *stream.Association // of SCTP only
	talk   *talk
	over   bool // all was said: there is no talk any more
	asker  int8 // direction of the client by what was said, once there is no talk; -1 when that does not tell
	spoken []*Protocol
	group  *flowGroup
	index  uint32 // entries so far
	mem    int    // bytes accounted to the partition
	stray  strays
	trails []trailKey // that it left, oldest first
	closed bool
	tls    *secured // nil: nothing is encrypted, as far as is known
	veiled *veil    // of what was taken from a TLS library, once that on the wire was seen

	prev, next *conn // by last use
}

// tcpState is what a TCP connection has besides what every conversation has: most of it.
type tcpState struct {
	order  stream.Conn
	health stream.Health
}

// direction counts what one end sent.
type direction struct {
	packets int64
	bytes   int64 // on the wire
	payload int64 // of the transport
}

// numberList keeps packet numbers as signed differences: about a byte each.
type numberList struct {
	enc  []byte
	last uint64
	n    int
}

func (l *numberList) add(n uint64) {
	l.enc = binary.AppendVarint(l.enc, int64(n-l.last))
	l.last = n
	l.n++
}

// appendTo returns the numbers in ascending order.
func (l *numberList) appendTo(out []uint64) []uint64 {
	last := uint64(0)
	for b := l.enc; len(b) > 0; {
		d, n := binary.Varint(b)
		last += uint64(d)
		out = append(out, last)
		b = b[n:]
	}
	slices.Sort(out)
	return out
}

// direction returns the flow of one direction.
func (c *conn) direction(d int) packet.Flow {
	if d == 0 {
		return c.flow
	}
	return c.flow.Reverse()
}

// dirOf tells in which direction a packet goes.
func (c *conn) dirOf(p *packet.Packet) int {
	if p.Src == c.flow.Src && p.SrcPort == c.flow.SrcPort {
		return 0
	}
	return 1
}

// packet takes the connection's next packet.
func (c *conn) packet(p *packet.Packet) {
	d := c.dirOf(p)
	c.last = max(c.last, p.Time)
	dir := &c.dirs[d]
	dir.packets++
	dir.bytes += int64(p.OrigLen)
	dir.payload += int64(p.PayloadLen)
	for _, f := range p.Fragments {
		dir.packets++
		dir.bytes += int64(f.OrigLen)
		c.first = min(c.first, f.Time)
		c.numbers.add(f.Number)
	}
	c.numbers.add(p.Number)
	if c.key.plain {
		c.lift()
	}
	switch p.Proto {
	case packet.TCP:
		c.segment(d, p)
	case packet.UDP, packet.ICMP, packet.ICMPv6:
		c.datagram(d, p)
	case packet.SCTP:
		c.chunks(d, p)
	}
}

func (c *conn) segment(d int, p *packet.Packet) {
	c.tcp.health.Segment(d, p)
	s := stream.Segment{
		Seq: p.Seq, Ack: p.Ack, Data: p.Payload, Len: p.PayloadLen, Time: p.Time, Number: p.Number,
		SYN: p.Flags&packet.SYN != 0, ACK: p.Flags&packet.ACK != 0, FIN: p.Flags&packet.FIN != 0, RST: p.Flags&packet.RST != 0,
	}
	if c.talk == nil && s.Len > 0 && !c.over {
		c.talk = c.p.talk(c)
		c.talk.joined = c.joined()
		c.talk.pairs.joined = c.talk.joined
	}
	if c.talk != nil {
		c.tcp.order.Add(d, &s, c.talk)
		c.hangUp()
	} else {
		c.tcp.order.Add(d, &s, silence{})
	}
	if c.stray.proto != nil && s.Len > 0 {
		c.straggle(d, p)
	}
	if !c.closed && (s.FIN || s.RST) && c.tcp.health.Closed() {
		c.closed = true
		c.p.closing(c)
	}
}

// joined tells whether the connection was joined in its middle. Of what was taken from a TLS
// library, the connection on the wire says so, if it was seen.
func (c *conn) joined() bool {
	k := c.key
	if k.plain {
		k.plain = false
		if c = c.p.find(k.hash(), &k); c == nil || c.tcp == nil {
			return false
		}
	}
	_, opened := c.tcp.health.Client()
	return !opened
}

// hangUp ends the talk when both sides have said their last word: what it keeps is
// most of what a connection does that waits for late packets.
func (c *conn) hangUp() {
	t := c.talk
	if !t.side[0].ended || !t.side[1].ended {
		return
	}
	t.close(false)
	c.talk, c.over, c.asker = nil, true, t.client()
	c.p.recycleTalk(t)
}

// silence receives what a connection without any payload hands out.
type silence struct{}

func (silence) Data(int, int64, []byte, stream.At) {}
func (silence) Gap(int, int64)                     {}
func (silence) End(int, stream.At)                 {}

// speaks notes a protocol found in the connection.
func (c *conn) speaks(p *Protocol) {
	c.spoke(p)
	if !slices.Contains(c.spoken, p) {
		c.spoken = append(c.spoken, p)
	}
}

// clientDir returns the direction in which the client sends: by the handshake, by
// what is said, by who has the well-known port, by who began.
func (c *conn) clientDir() int {
	if c.tcp != nil {
		if d, ok := c.tcp.health.Client(); ok {
			return d
		}
	}
	if c.sctp != nil {
		if d, ok := c.sctp.Client(); ok {
			return d
		}
	}
	asker := c.asker
	if !c.over {
		asker = c.talk.client()
	}
	if asker >= 0 {
		return int(asker)
	}
	from, to := c.flow.SrcPort, c.flow.DstPort
	if fromKnown, toKnown := c.p.known(c.transport, from), c.p.known(c.transport, to); fromKnown != toKnown {
		if fromKnown {
			return 1
		}
		return 0
	}
	if from < 1024 && to >= 1024 {
		return 1
	}
	return 0
}

// sideOf tells which side sends in a direction where what is said does not: by the
// handshake, or by which end has a port of the protocol.
func (c *conn) sideOf(d int, p *Protocol) (side Side, ok bool) {
	client := d
	if c.tcp != nil {
		client, ok = c.tcp.health.Client()
	}
	if !ok {
		f := c.direction(d)
		from, to := slices.Contains(p.Ports, f.SrcPort), slices.Contains(p.Ports, f.DstPort)
		if ok, client = from != to, d; from {
			client = d ^ 1
		}
	}
	if client == d {
		return Client, ok
	}
	return Server, ok
}

// footprint is roughly how many bytes the connection holds on to. It is told by what
// the connection has seen alone, not by how large the memory is that it got from another.
func (c *conn) footprint() int {
	n := 350 + len(c.numbers.enc)
	if c.tcp != nil {
		n += 650 + c.tcp.order.Held()
	}
	if c.sctp != nil {
		n += 1300 + c.sctp.Held()
	}
	n += 2000*len(c.stray.waiting) + trailSize*len(c.trails)
	if t := c.talk; t != nil {
		n += t.footprint()
	}
	return n
}

// footprint is what of it the talk holds on to.
func (t *talk) footprint() int {
	n := 300 + t.pairs.n*1500
	if t.pairs.early != nil {
		n += 1500
	}
	if t.side != &t.c.p.noSides {
		n += 350
		for d := range t.side {
			n += len(t.side[d].buf) + 40*len(t.side[d].marks)
		}
	}
	if t.tunnel != nil {
		n += t.tunnel.held()
	}
	n += t.sessionsHold()
	return n
}

// close hands out everything the connection still holds and then itself.
func (c *conn) close(evicted bool) {
	if c.sctp != nil {
		c.sctp.Flush(c)
	}
	if c.talk != nil {
		if c.tcp != nil {
			c.tcp.order.Flush(c.talk)
		}
		c.talk.close(evicted)
	}
	c.endStrays()
	c.emitConn(evicted)
	if c.talk != nil {
		c.p.recycleTalk(c.talk)
	}
}
