package dissector

import "shark/packet"

// strays are the packets of a connection that belong to no entry. They become entries
// of their own where the transport is among the protocols.
type strays struct {
	proto   *Protocol  // the transport; nil: they do not
	waiting []*Message // until it is known whether a protocol is spoken
	deaf    bool       // nothing could be read any more before this packet
}

// straggle takes a packet with payload, once the connection has looked at it.
func (c *conn) straggle(d int, p *packet.Packet) {
	deaf := c.over || c.talk != nil && c.talk.dead
	if len(c.spoken) > 0 {
		c.forgetStrays()
		before := c.stray.deaf
		c.stray.deaf = deaf
		if !before || c.over {
			return
		}
	} else if !deaf && len(c.stray.waiting) < MaxStrays {
		c.stray.waiting = append(c.stray.waiting, c.strayMessage(d, p))
		return
	}
	c.endStrays()
	c.lone(d, p)
}

// lone makes an entry of a packet that belongs to no other.
func (c *conn) lone(d int, p *packet.Packet) {
	if c.stray.proto != nil {
		c.emitStray(c.strayMessage(d, p))
	}
}

// endStrays makes entries of the packets that waited in vain for a protocol.
func (c *conn) endStrays() {
	if len(c.spoken) > 0 {
		c.forgetStrays()
		return
	}
	for _, m := range c.stray.waiting {
		c.emitStray(m)
	}
	c.stray.waiting = nil
}

// forgetStrays lets go of packets that a protocol had a use for.
func (c *conn) forgetStrays() {
	for _, m := range c.stray.waiting {
		c.p.free(m)
	}
	c.stray.waiting = nil
}

// strayMessage reads a packet as a message.
func (c *conn) strayMessage(d int, p *packet.Packet) *Message {
	m := c.p.message()
	m.Flow, m.Transport, m.Detail, m.Role, m.done, m.proto = c.direction(d), c.transport, c.p.opts.Detail, OneWay, true, c.stray.proto
	m.Start, m.End, m.First, m.Last = p.Time, p.Time, p.Number, p.Number
	for _, f := range p.Fragments {
		m.Start, m.First = min(m.Start, f.Time), min(m.First, f.Number)
	}
	m.Size, m.Lost = int64(p.PayloadLen), int64(p.PayloadLen)-int64(len(p.Payload))
	if m.Detail {
		m.Raw = append(m.Raw, p.Payload...)
	}
	c.stray.proto.Packet(p, m)
	return m
}

// emitStray hands a packet to the sink as an entry.
func (c *conn) emitStray(m *Message) {
	p := c.p
	e := &p.entry
	*e = Entry{
		Protocol: c.stray.proto, Carriers: e.Carriers[:0], Time: m.Start, Conn: c.id, Group: c.groupOf(c.direction(c.clientDir())), Index: c.index,
		Flow: m.Flow, Tunnel: c.tunnel, VLAN: c.vlan, Iface: c.iface, Request: m, OneWay: true, First: m.First,
	}
	c.index++
	e.add(m)
	p.put(e)
	p.free(m)
}
