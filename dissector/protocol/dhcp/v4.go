package dhcp

import (
	"bytes"
	"encoding/binary"

	"shark/dissector"
	"shark/packet"
)

// The layout of a message (RFC 2131 section 2).
const (
	bootRequest = 1
	bootReply   = 2
	ethernet    = 1   // htype; DHCP over other hardware is not read
	macLen      = 6   // hlen of it
	serverName  = 44  // sname, 64 bytes
	bootFile    = 108 // file, 128 bytes
	fixedLen    = 240 // up to the options
)

// cookie begins the options (RFC 2131 section 3).
const cookie = "\x63\x82\x53\x63"

// options calls f for every option at the front of b (RFC 2132 section 2), and tells
// whether they end as they must. Padding may follow.
func options(b []byte, f func(code byte, value []byte)) bool {
	for len(b) > 0 {
		switch b[0] {
		case 0:
			b = b[1:]
			continue
		case optEnd:
			return true
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return false
		}
		f(b[0], b[2:2+int(b[1])])
		b = b[2+int(b[1]):]
	}
	return false
}

// probe4 wants the cookie, which the caller has seen, a client on Ethernet, options up
// to their end and a type that the sender's side sends.
func probe4(b []byte) dissector.Guess {
	if !isLayout(b) {
		return dissector.No
	}
	kind, fits := byte(0), true
	if !options(b[fixedLen:], func(code byte, value []byte) {
		if code == optType {
			fits = fits && kind == 0 && len(value) == 1
			kind = value0(value)
		}
	}) || !fits || !mayBe(b[0], kind) {
		return dissector.No
	}
	if b[0] == bootRequest {
		return dissector.Request
	}
	return dissector.Response
}

// isLayout wants a known side, and a client on Ethernet.
func isLayout(b []byte) bool {
	return (b[0] == bootRequest || b[0] == bootReply) && b[1] == ethernet && b[2] == macLen
}

func value0(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// mayBe tells whether a side sends a type. 0 is BOOTP (RFC 951), which has none.
func mayBe(op, kind byte) bool {
	return int(kind) < len(types) && (kind == 0 || byServer[kind] == (op == bootReply))
}

// said are the options of a message that others depend on.
type said struct {
	kind  byte
	over  byte
	rapid bool
}

func (p *parser) v4(from dissector.Side, b []byte, m *dissector.Message) error {
	if len(b) < fixedLen {
		return dissector.ErrShort
	}
	if !isV4(b) || !isLayout(b) || (b[0] == bootRequest) != (from == dissector.Client) {
		return errMalformed
	}
	Version.Set(&m.Values, 4)
	p.hex(m, TransactionID, b[4:8])
	p.mac(m, b[28:28+macLen])
	p.address(m, ClientAddress, b[12:16])
	p.address(m, Address, b[16:20])
	p.address(m, BootServer, b[20:24])
	p.address(m, Relay, b[24:28])
	var s said
	take := func(code byte, value []byte) { p.option(&s, code, value, m) }
	ended := options(b[fixedLen:], take)
	if s.over&1 == 0 {
		setOnce(m, BootFile, withoutCredentials(upToZero(b[bootFile:fixedLen-len(cookie)])), maxText)
	}
	for _, area := range []struct {
		bit byte
		b   []byte
	}{{1, b[bootFile : fixedLen-len(cookie)]}, {2, b[serverName:bootFile]}} { // RFC 2132 section 9.3
		if s.over&area.bit != 0 {
			options(area.b, take)
		}
	}
	switch {
	case !mayBe(b[0], s.kind):
		return errMalformed
	case !ended && s.kind == 0: // which may be behind the cut
		m.Role = dissector.OneWay
		return dissector.ErrShort
	}
	p.exchange(&s, b, m)
	p.summary(m)
	if !ended {
		return dissector.ErrShort
	}
	return nil
}

// exchange says what a message is to others.
func (p *parser) exchange(s *said, b []byte, m *dissector.Message) {
	kind := types[s.kind]
	if s.kind == 0 {
		kind = [...]string{"BOOTREQUEST", "BOOTREPLY"}[b[0]-bootRequest]
	}
	// Transaction, what the first message of the exchange was, and client.
	key := [...]byte{b[4], b[5], b[6], b[7], question(s, b), b[28], b[29], b[30], b[31], b[32], b[33]}
	m.SetKeyBytes(key[:])
	if b[0] == bootReply {
		if s.kind == force {
			m.Role = dissector.OneWay
			dissector.Operation.SetString(&m.Values, kind)
			return
		}
		answered(m)
		outcome(m, kind, kind, s.kind == nak)
		return
	}
	dissector.Operation.SetString(&m.Values, kind)
	relay := packet.AddrFrom4(b[24:28])
	elsewhere := m.Has(Relay) && relay != m.Flow.Src // the answer goes to the relay's other address (RFC 2131 section 4.1)
	if asked(m); s.kind == decline || s.kind == release || elsewhere {
		m.Role = dissector.OneWay
	}
}

// question is the type that a message answers, or its own.
func question(s *said, b []byte) byte {
	switch {
	case b[0] == bootRequest || s.kind == 0:
		return s.kind
	case s.kind == 2 || s.kind == ack && s.rapid:
		return discover
	case s.kind == ack && binary.BigEndian.Uint32(b[16:]) == 0: // RFC 2131 section 4.3.5
		return inform
	case s.kind == ack || s.kind == nak:
		return request
	}
	return 10 // LEASEQUERY
}

// option sets the field of an option.
func (p *parser) option(s *said, code byte, value []byte, m *dissector.Message) {
	switch code {
	case optType:
		s.kind = value0(value)
	case optOverload:
		s.over = value0(value)
	case optRapidCommit:
		s.rapid = true
	case optLeaseTime:
		if len(value) == 4 && m.From == dissector.Server {
			LeaseTime.Set(&m.Values, int64(binary.BigEndian.Uint32(value)))
		}
	case optMask:
		p.address(m, SubnetMask, value)
	case optRequested:
		p.address(m, Requested, value)
	case optServerID:
		p.address(m, ServerID, value)
	case optRouters:
		p.addresses(m, Routers, value, 4)
	case optDNS:
		p.addresses(m, NameServers, value, 4)
	case optClientID:
		p.hex(m, ClientID, value)
	case optHostname:
		setOnce(m, Hostname, upToZero(value), maxText)
	case optDomain:
		setOnce(m, Domain, upToZero(value), maxText)
	case optMessage:
		setOnce(m, Text, upToZero(value), maxText)
	case optVendorClass:
		setOnce(m, VendorClass, upToZero(value), maxText)
	case optBootFile:
		setOnce(m, BootFile, withoutCredentials(upToZero(value)), maxText)
	}
}

// upToZero cuts a text at its first zero: some end theirs so (RFC 2132 section 2).
func upToZero(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
