package dissector

import (
	"shark/dissector/stream"
	"shark/packet"
)

// datagram takes a datagram of the conversation: one message, whole or cut.
func (c *conn) datagram(d int, p *packet.Packet) {
	if len(p.Payload) == 0 {
		return
	}
	if c.talk == nil {
		c.talk = c.p.talk(c)
	}
	t := c.talk
	at := stream.At{Time: p.Time, Number: p.Number, Acked: -1}
	if t.c.p.tap != nil {
		t.c.p.tap.Data(c.id, d, -1, p.Payload, at)
	}
	if t.dead || !t.hear(d, p.Payload) {
		c.lone(d, p)
		return
	}
	l := letter{data: p.Payload, size: int64(p.PayloadLen), first: at, last: at}
	for _, f := range p.Fragments {
		l.first.Time, l.first.Number = min(l.first.Time, f.Time), min(l.first.Number, f.Number)
	}
	if !t.letter(d, &l) {
		c.lone(d, p)
	}
}

// letter is a message that comes whole: a datagram, or a user message of SCTP.
type letter struct {
	data        []byte // as captured
	size        int64  // bytes on the wire
	cut         bool   // its end is missing, of a size that may not be known
	first, last stream.At
}

// hear finds out what a datagram is and who sent it: in a conversation of peers,
// each datagram says anew who asks.
func (t *talk) hear(d int, b []byte) bool {
	if t.proto != nil && t.proto.Peers {
		return true
	}
	if t.proto != nil {
		switch t.proto.Probe(b).sure() {
		case Request:
			t.role[d], t.role[d^1] = Client, Server
		case Response:
			t.role[d], t.role[d^1] = Server, Client
		}
		return true
	}
	if t.follow(d, b) {
		return true
	}
	p, role, _ := t.c.p.detect(t.c, d, b, nil)
	if p == nil {
		if t.probes[d]++; t.probes[d] >= MaxProbes {
			t.dead = true
		}
		return false
	}
	t.speak(p, d, role)
	return true
}

// letter parses one message that came whole and pairs it. It is false when nothing
// could be made of it.
func (t *talk) letter(d int, l *letter) bool {
	m := t.newMessage(d, l.last)
	m.Whole, m.Start, m.First = true, l.first.Time, l.first.Number
	m.Secrets = t.c.p.opts.Secrets
	_, err := t.parse(t.role[d], l.data, m)
	if m.Trail != nil {
		t.leave(m.Trail)
	}
	if m.Sealed != nil {
		t.unseal(d, m.Sealed, l.last)
	}
	if err != nil {
		t.c.p.report.ParseErrors++
		t.c.skipped[d] += int64(len(l.data))
		if m.Len() == 0 {
			t.c.p.free(m)
			return false
		}
		m.Truncated = true
	}
	if m.Skip {
		t.c.p.free(m)
		return true
	}
	m.settle()
	m.Truncated = m.Truncated || l.cut
	m.Size, m.Lost = l.size, l.size-int64(len(l.data))
	m.BodySize, m.head = m.bodyLen, m.bodyFrom
	if m.Detail {
		m.Raw = append(m.Raw, l.data...)
		if to := m.bodyFrom + m.bodyLen; m.bodyLen > 0 && to <= int64(len(l.data)) {
			m.Body = append(m.Body, l.data[m.bodyFrom:to]...)
		}
	}
	t.attach(m, l.last)
	m.done = true
	t.pairs.finished(t, m)
	return true
}
