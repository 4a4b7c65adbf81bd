package quic

import (
	"encoding/binary"
	"net/netip"

	"shark/dissector"
	"shark/dissector/protocol/quic/record"
)

// parser reads what two ports say to each other.
type parser struct {
	connections []*connection // oldest first
	begun       uint64        // connections so far
	opener      opener
	reason      []byte         // of a CONNECTION_CLOSE
	record      []byte         // of TLS
	before      netip.AddrPort // where the client of the one connection was, until its first packet here
}

// said is what a datagram says that is of interest here.
type said struct {
	c      *connection // nil when it says nothing
	retry  bool
	end    *refusal
	repeat bool // pieces of a hello were there before

	at   record.Place // the datagram
	in   *connection  // of a session that it says something of
	read *session     // of which a packet was opened
}

// parse reads a datagram: one or several packets of a connection, of which those with a
// short header, and what is behind them, say nothing to us (RFC 9000 section 12.2).
func (s *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) == 0 {
		return 0, dissector.ErrShort
	}
	d := said{at: record.Place{Time: m.Start, Packet: m.First}}
	if err := s.packets(from, buf, &d); err != nil {
		return 0, err
	}
	if d.c != nil && d.c.known && from == dissector.Server {
		d.c.leave(d.c.server, m)
	}
	var err error
	switch {
	case d.c == nil && from == dissector.Client:
		s.short(buf, m)
	case d.c == nil:
		m.Skip = true
	case d.retry:
		m.Role = dissector.Interim
		m.SetKey(d.c.id)
	case from == dissector.Client:
		err = s.request(&d, m)
	default:
		err = s.response(&d, m)
	}
	if err != nil {
		return 0, err
	}
	s.behind(from, buf, &d)
	if d.in != nil {
		m.Sealed = d.in.session.told(from)
	}
	return int64(len(buf)), nil
}

// behind reads the packets of a datagram that are encrypted with what the handshake agreed on,
// which the packets before them may have told.
func (s *parser) behind(from dissector.Side, buf []byte, d *said) {
	for n := 0; n < maxPackets && len(buf) > 0 && buf[0]&longHeader != 0; n++ {
		p, ok := parsePacket(buf)
		if !ok {
			return
		}
		switch {
		case p.kind == kindHandshake && from == dissector.Server:
			c := s.find(func(c *connection) bool { return c.session != nil && p.dst == c.client })
			if c != nil {
				c.session.handshake(&s.opener, &p)
			}
		case p.kind == kindZeroRTT && from == dissector.Client:
			c := s.find(func(c *connection) bool { return c.session != nil && c.isTo(&p) })
			if c != nil && c.session.zeroRTT(s, &p, d) {
				d.in = c
			}
		}
		buf = buf[len(p.b):]
	}
	if len(buf) > 0 { // sides may agree to set the fixed bit at random (RFC 9287)
		s.oneRTT(from, buf, d)
	}
}

// packets reads the packets of a datagram: those for the connection ID of the first one.
func (s *parser) packets(from dissector.Side, buf []byte, d *said) error {
	var dst connectionID
	for n := 0; n < maxPackets && len(buf) > 0 && buf[0]&longHeader != 0; n++ {
		p, ok := parsePacket(buf)
		switch {
		case !ok && n == 0:
			return errMalformed
		case !ok || n > 0 && p.dst != dst: // what is behind the packets is padding
			return nil
		}
		dst = p.dst
		if err := s.packet(from, &p, d); err != nil {
			return err
		}
		buf = buf[len(p.b):]
	}
	return nil
}

// packet reads one packet of a datagram.
func (s *parser) packet(from dissector.Side, p *packet, d *said) error {
	switch p.kind {
	case kindInitial:
		return s.initial(from, p, d)
	case kindZeroRTT:
		c := s.find(func(c *connection) bool { return from == dissector.Client && c.isTo(p) })
		if c != nil {
			c.zeroRTT = true
		}
	case kindRetry:
		d.c, d.retry = s.retry(from, p), true
	case kindVersions:
		if d.c = s.negotiation(from, p); d.c != nil {
			d.end = &refusal{versions: p.b[p.number:]}
		}
	}
	return nil
}

// initial opens an Initial packet and keeps what it says of the handshake.
func (s *parser) initial(from dissector.Side, p *packet, d *said) error {
	var c *connection
	var b []byte
	if from == dissector.Client {
		c, b = s.fromClient(p)
	} else {
		c, b = s.fromServer(p)
	}
	if b == nil {
		return errKeys
	}
	d.c = c
	return frames(b, func(offset uint64, b []byte) {
		if !c.answered && c.hello[from].add(offset, b) {
			d.repeat = true
		}
	}, func(x closing) {
		s.reason = append(s.reason[:0], x.reason[:min(len(x.reason), maxText)]...)
		x.reason = s.reason
		d.end = &refusal{closing: &x}
	})
}

// retry takes a Retry: the client's next packets are protected with keys that derive
// from the connection ID in it (RFC 9000 section 17.2.5).
func (s *parser) retry(from dissector.Side, p *packet) *connection {
	c := s.find(func(c *connection) bool {
		return from == dissector.Server && !c.retried && !c.known && p.dst == c.client && p.version == c.version.number && p.genuine(c.version, &c.origin)
	})
	if c != nil {
		c.retried, c.derive = true, p.src
	}
	return c
}

// negotiation finds the connection that a Version Negotiation answers. One that lists
// the version that the client chose means nothing (RFC 9000 section 6.2).
func (s *parser) negotiation(from dissector.Side, p *packet) *connection {
	list := p.b[p.number:]
	if len(list) == 0 || len(list)%4 != 0 {
		return nil
	}
	c := s.find(func(c *connection) bool {
		return from == dissector.Server && !c.known && p.dst == c.client && p.src == c.origin
	})
	for ; c != nil && len(list) > 0; list = list[4:] {
		if binary.BigEndian.Uint32(list) == c.version.number {
			return nil
		}
	}
	return c
}
