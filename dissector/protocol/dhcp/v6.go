package dhcp

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"shark/dissector"
)

// The layout of messages (RFC 8415 sections 8 and 9).
const (
	headLen  = 4 // type and transaction
	relayLen = 34
)

// options6 calls f for every option (RFC 8415 section 21.1) and tells whether they
// fill b.
func options6(b []byte, f func(code uint16, value []byte)) bool {
	for len(b) >= 4 {
		code, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if len(b) < 4+n {
			return false
		}
		f(code, b[4:4+n])
		b = b[4+n:]
	}
	return len(b) == 0
}

// probe6 wants options that fill the datagram and the DUID of a client or server. A
// message without one, as some questions are, says too little of itself.
func probe6(b []byte) dissector.Guess {
	msg, ok := unwrap(b)
	if !ok || len(msg) <= headLen {
		return dissector.No
	}
	known, duids := true, 0
	if !options6(msg[headLen:], func(code uint16, value []byte) {
		known = known && code > 0 && code <= opt6Max
		if code == opt6ClientID || code == opt6ServerID {
			known = known && isDUID(value)
			duids++
		}
	}) || !known {
		return dissector.No
	}
	server := byServer6[msg[0]]
	switch {
	case duids == 0 && (server || msg[0] != information):
		return dissector.No
	case duids == 0:
		return dissector.MaybeRequest
	case server:
		return dissector.Response
	}
	return dissector.Request
}

// isDUID tells whether b is a DUID of one of the four types (RFC 8415 section 11,
// RFC 6355).
func isDUID(b []byte) bool {
	return len(b) > 2 && len(b) <= maxID && b[0] == 0 && b[1] >= 1 && b[1] <= 4
}

// unwrap returns the message that relays have wrapped, or b itself.
func unwrap(b []byte) (msg []byte, ok bool) {
	for range maxHops + 1 {
		if len(b) < headLen || b[0] == 0 || int(b[0]) >= len(types6) {
			return nil, false
		}
		if b[0] != relayForw && b[0] != relayRepl {
			return b, true
		}
		server := byServer6[b[0]]
		var inner []byte
		if len(b) < relayLen || !options6(b[relayLen:], func(code uint16, value []byte) {
			if code == opt6RelayMsg {
				inner = value
			}
		}) || len(inner) == 0 || int(inner[0]) >= len(types6) || byServer6[inner[0]] != server {
			return nil, false
		}
		b = inner
	}
	return nil, false
}

func (p *parser) v6(from dissector.Side, b []byte, m *dissector.Message) error {
	msg, ok := unwrap(b)
	if !ok {
		return errMalformed
	}
	kind, server := msg[0], byServer6[msg[0]]
	if server != (from == dissector.Server) {
		return errMalformed
	}
	Version.Set(&m.Values, 6)
	p.hex(m, TransactionID, msg[1:headLen])
	if len(msg) != len(b) {
		p.address(m, Relay, b[2:18])
		options6(b[relayLen:], func(code uint16, value []byte) {
			if code == opt6LinkLayer && len(value) == 2+macLen && binary.BigEndian.Uint16(value) == ethernet {
				p.mac(m, value[2:])
			}
		})
	}
	status := uint16(0)
	var client []byte
	ended := options6(msg[headLen:], func(code uint16, value []byte) {
		if code == opt6ClientID {
			client = value
		}
		p.option6(server, code, value, &status, m)
	})
	key := make([]byte, 0, headLen+maxID)
	m.SetKeyBytes(append(append(key, msg[1:headLen]...), client[:min(len(client), maxID)]...))
	p.exchange6(kind, status, m)
	p.summary(m)
	if !ended {
		return dissector.ErrShort
	}
	return nil
}

// exchange6 says what a message is to others.
func (p *parser) exchange6(kind byte, status uint16, m *dissector.Message) {
	name := types6[kind]
	switch {
	case kind == reconfigure:
		m.Role = dissector.OneWay
		dissector.Operation.SetString(&m.Values, name)
	case !byServer6[kind]:
		dissector.Operation.SetString(&m.Values, name)
		asked(m)
	default:
		answered(m)
		answer := name
		if status != 0 {
			answer = strconv.Itoa(int(status))
			if int(status) < len(statuses) {
				answer = statuses[status]
			}
			dissector.StatusCode.Set(&m.Values, int64(status))
		}
		outcome(m, name, answer, status != 0)
	}
}

// option6 sets the field of an option.
func (p *parser) option6(server bool, code uint16, value []byte, status *uint16, m *dissector.Message) {
	switch code {
	case opt6ClientID:
		p.hex(m, ClientID, value)
		p.hardware(value, m)
	case opt6ServerID:
		p.hex(m, ServerID, value)
	case opt6IANA, opt6IAPD:
		if len(value) > 12 { // IAID, T1 and T2
			p.association(server, value[12:], status, m)
		}
	case opt6IATA:
		if len(value) > 4 {
			p.association(server, value[4:], status, m)
		}
	case opt6Status:
		p.status(value, status, m)
	case opt6DNS:
		p.addresses(m, NameServers, value, 16)
	case opt6Domains:
		p.name(value, func(b []byte) { setOnce(m, Domain, b, maxText) })
	case opt6FQDN:
		if len(value) > 1 { // RFC 4704 section 4: flags come first
			p.name(value[1:], func(b []byte) { setOnce(m, Hostname, b, maxText) })
		}
	case opt6VendorClass:
		if len(value) > 6 { // RFC 8415 section 21.16: number of the enterprise, length
			setOnce(m, VendorClass, value[6:], maxText)
		}
	case opt6BootURL:
		setOnce(m, BootFile, withoutCredentials(value), maxText)
	}
}

// hardware sets the hardware address that a DUID is made of (RFC 8415 sections 11.2
// and 11.4).
func (p *parser) hardware(duid []byte, m *dissector.Message) {
	if len(duid) < headLen || binary.BigEndian.Uint16(duid[2:]) != ethernet {
		return
	}
	switch kind, rest := binary.BigEndian.Uint16(duid), duid[4:]; {
	case kind == 1 && len(rest) == 4+macLen:
		p.mac(m, rest[4:])
	case kind == 3 && len(rest) == macLen:
		p.mac(m, rest)
	}
}

// association sets what is in an identity association: addresses, prefixes and why
// there are none (RFC 8415 sections 21.6 and 21.22).
func (p *parser) association(server bool, b []byte, status *uint16, m *dissector.Message) {
	f := Requested
	if server {
		f = Address
	}
	lease := func(b []byte) {
		if server {
			LeaseTime.Set(&m.Values, int64(binary.BigEndian.Uint32(b)))
		}
	}
	options6(b, func(code uint16, value []byte) {
		switch {
		case code == opt6IAAddr && len(value) >= 24:
			p.address(m, f, value[:16])
			lease(value[20:])
			options6(value[24:], func(code uint16, value []byte) {
				if code == opt6Status {
					p.status(value, status, m)
				}
			})
		case code == opt6IAPrefix && len(value) >= 25:
			prefix := netip.PrefixFrom(netip.AddrFrom16([16]byte(value[9:25])), int(value[8]))
			if prefix.IsValid() {
				p.text = prefix.AppendTo(p.text[:0])
				setOnce(m, f, p.text, len(p.text))
			}
			lease(value[4:])
		case code == opt6Status:
			p.status(value, status, m)
		}
	})
}

// status takes a status code (RFC 8415 section 21.13). The first that is no success
// counts.
func (p *parser) status(value []byte, status *uint16, m *dissector.Message) {
	if len(value) < 2 {
		return
	}
	if code := binary.BigEndian.Uint16(value); code != 0 && *status == 0 {
		*status = code
		setOnce(m, Text, value[2:], maxText)
	}
}

// name gives f the first name in b (RFC 1035 section 3.1), which has no pointers
// (RFC 8415 section 10).
func (p *parser) name(b []byte, f func(b []byte)) {
	p.text = p.text[:0]
	for len(b) > 0 && b[0] > 0 {
		n := int(b[0])
		if n > 63 || n >= len(b) {
			return
		}
		if len(p.text) > 0 {
			p.text = append(p.text, '.')
		}
		p.text = append(p.text, b[1:1+n]...)
		b = b[1+n:]
	}
	f(p.text)
}
