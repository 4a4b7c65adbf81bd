package dissector

import (
	"shark/dissector/stream"
	"shark/packet"
)

// chunks takes an SCTP packet of the conversation. Each user message in it that is
// whole is what a datagram is to UDP. The paths of an association with several pairs
// of addresses are conversations of their own.
func (c *conn) chunks(d int, p *packet.Packet) {
	data := c.sctp.Add(d, p, c)
	switch {
	case c.stray.proto == nil:
	case data:
		c.straggle(d, p)
	default:
		c.lone(d, p)
	}
	if !c.closed && c.sctp.Closed() {
		c.closed = true
		c.p.closing(c)
	}
}

// Message implements stream.Listener.
func (c *conn) Message(d int, u *stream.UserMessage) {
	if c.talk == nil {
		c.talk = c.p.talk(c)
	}
	t := c.talk
	if c.p.tap != nil {
		c.p.tap.Data(c.id, d, -1, u.Data, u.Last)
	}
	if len(u.Data) == 0 || t.dead || !t.hear(d, u.Data) {
		return
	}
	t.letter(d, &letter{data: u.Data, size: u.Len, cut: u.Cut, first: u.First, last: u.Last})
}

// Drop implements stream.Listener.
func (c *conn) Drop(d int, n int64) { c.skipped[d] += n }
