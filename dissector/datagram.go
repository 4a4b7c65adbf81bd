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
	if t.dead {
		return
	}
	if !t.hear(d, p.Payload) {
		return
	}
	t.letter(d, p, at)
}

// hear finds out what a datagram is and who sent it: in a conversation of peers,
// each datagram says anew who asks.
func (t *talk) hear(d int, b []byte) bool {
	if t.proto != nil {
		switch t.proto.Probe(b).sure() {
		case Request:
			t.role[d], t.role[d^1] = Client, Server
		case Response:
			t.role[d], t.role[d^1] = Server, Client
		}
		return true
	}
	p, role, _ := t.c.p.detect(t.c, b)
	if p == nil {
		if t.probes[d]++; t.probes[d] >= MaxProbes {
			t.dead = true
		}
		return false
	}
	t.speak(p, d, role)
	return true
}

// letter parses one datagram and pairs it.
func (t *talk) letter(d int, p *packet.Packet, at stream.At) {
	m := t.newMessage(d, at)
	m.Whole = true
	for _, f := range p.Fragments {
		m.Start, m.First = min(m.Start, f.Time), min(m.First, f.Number)
	}
	_, err := t.parse(t.role[d], p.Payload, m)
	if err != nil {
		t.c.p.report.ParseErrors++
		t.c.skipped[d] += int64(len(p.Payload))
		if m.Len() == 0 {
			t.c.p.free(m)
			return
		}
		m.Truncated = true
	}
	if m.Skip {
		t.c.p.free(m)
		return
	}
	m.Size, m.Lost = int64(p.PayloadLen), int64(p.PayloadLen)-int64(len(p.Payload))
	m.BodySize, m.head = m.bodyLen, m.bodyFrom
	if m.Detail {
		m.Raw = append(m.Raw, p.Payload...)
		if to := m.bodyFrom + m.bodyLen; m.bodyLen > 0 && to <= int64(len(p.Payload)) {
			m.Body = append(m.Body, p.Payload[m.bodyFrom:to]...)
		}
	}
	t.attach(m, at)
	m.done = true
	t.pairs.finished(t, m)
}
