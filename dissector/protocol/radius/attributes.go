package radius

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"unicode"
	"unicode/utf8"

	"shark/dissector"
	"shark/dissector/field"
)

// attributes sets the fields that the attributes make; it is false when they do not
// fill b.
func (p *parser) attributes(b []byte, m *dissector.Message) bool {
	var nas []byte
	var seen [maxReplies]uint32 // vendors
	replies, known := 0, 0
	for len(b) > 0 {
		kind, value, rest, ok := attribute(b)
		if !ok {
			return false
		}
		b = rest
		if n := fixed[kind]; n != 0 && len(value) != int(n) {
			continue // not what it should be
		}
		switch kind {
		case attrNASIdentifier:
			nas = value
		case attrReplyMessage:
			if replies++; replies <= maxReplies {
				ReplyMessages.Add(&m.Values, p.printable(value))
			}
		case attrVendorSpecific:
			if len(value) < 4 {
				continue
			}
			if v := binary.BigEndian.Uint32(value); known < maxReplies && !slices.Contains(seen[:known], v) {
				seen[known] = v
				known++
				Vendors.AddString(&m.Values, named(vendors, v))
			}
		default:
			p.one(kind, value, m)
		}
	}
	if len(nas) > 0 {
		NAS.Set(&m.Values, p.printable(nas))
	} else if m.Has(NASAddress) {
		NAS.Set(&m.Values, NASAddress.Get(&m.Values))
	}
	return true
}

// one sets the field of an attribute that a packet has once.
func (p *parser) one(kind byte, value []byte, m *dissector.Message) {
	text := func(f field.TextField, b []byte) {
		if !m.Has(f) {
			f.Set(&m.Values, b)
		}
	}
	switch kind {
	case attrUserName:
		text(User, p.printable(value))
	case attrNASIPAddress, attrNASIPv6Address:
		text(NASAddress, p.address(value))
	case attrNASPort:
		NASPort.Set(&m.Values, int64(binary.BigEndian.Uint32(value)))
	case attrFramedIPAddress, attrFramedIPv6Address:
		text(FramedAddress, p.address(value))
	case attrCalledStation:
		text(CalledStation, p.printable(value))
	case attrCallingStation:
		text(CallingStation, p.printable(value))
	case attrAcctStatusType:
		AcctStatus.SetString(&m.Values, named(acctStatus, binary.BigEndian.Uint32(value)))
	case attrAcctSessionID:
		text(SessionID, p.printable(value))
	case attrErrorCause:
		ErrorCause.SetString(&m.Values, named(errorCauses, binary.BigEndian.Uint32(value)))
	}
}

// address returns an address of four or sixteen bytes as text.
func (p *parser) address(b []byte) []byte {
	a, _ := netip.AddrFromSlice(b)
	p.text = a.AppendTo(p.text[:0])
	return p.text
}

// printable returns text as it was sent, with what is not UTF-8 or cannot be shown
// as a backslash and two hexadecimal digits.
func (p *parser) printable(b []byte) []byte {
	const digits = "0123456789abcdef"
	p.text = p.text[:0]
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n <= 1 || !unicode.IsPrint(c) {
			for _, o := range b[:n] {
				p.text = append(p.text, '\\', digits[o>>4], digits[o&15])
			}
		} else {
			p.text = append(p.text, b[:n]...)
		}
		b = b[n:]
	}
	return p.text
}

// summary says what a request is about: what is accounted for, whom, and where.
func (p *parser) summary(m *dissector.Message) {
	p.text = p.text[:0]
	for _, word := range []struct {
		before string
		f      field.TextField
	}{{"", AcctStatus}, {"", User}, {"session ", SessionID}, {"from ", CallingStation}, {"at ", NAS}} {
		if s := word.f.Get(&m.Values); len(s) > 0 {
			if len(p.text) > 0 {
				p.text = append(p.text, ' ')
			}
			p.text = append(append(p.text, word.before...), s...)
		}
	}
	if len(p.text) > 0 {
		dissector.Summary.Set(&m.Values, p.text)
	}
}
