package mqtt

import (
	"bytes"
	"unicode/utf8"

	"shark/dissector/wire"
)

// header reads a fixed header (5.0, 2.1): the type, its flags, the remaining length
// and the header's own. need is how many bytes it takes when these are too few.
func header(b []byte) (kind, flags byte, rest int64, n, need int, ok bool) {
	if len(b) < 2 {
		return 0, 0, 0, 0, 2, true
	}
	kind, flags = b[0]>>4, b[0]&15
	if !legalFlags(kind, flags) {
		return 0, 0, 0, 0, 0, false
	}
	length, n := varint(b[1:])
	switch {
	case n > 0:
		return kind, flags, int64(length), 1 + n, 0, true
	case n == 0 && len(b) < 5:
		return 0, 0, 0, 0, len(b) + 1, true
	}
	return 0, 0, 0, 0, 0, false
}

// legalFlags checks the flags, which are fixed for all types but PUBLISH.
func legalFlags(kind, flags byte) bool {
	switch kind {
	case 0:
		return false
	case publish:
		qos := flags >> 1 & 3
		return qos != 3 && (qos > 0 || flags&8 == 0)
	case pubrel, subscribe, unsubscribe:
		// 3.1 had DUP and QoS here too; nobody sends them.
		return flags == 2
	}
	return flags == 0
}

// varint reads a variable byte integer. n is 0 when b is too short, -1 when it is none.
func varint(b []byte) (value, n int) {
	for i := range min(len(b), 4) {
		value |= int(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			if i > 0 && b[i] == 0 {
				return 0, -1 // not the shortest form
			}
			return value, i + 1
		}
	}
	if len(b) >= 4 {
		return 0, -1
	}
	return 0, 0
}

// reader reads a packet's parts.
type reader struct{ wire.Reader }

func newReader(b []byte) reader { return reader{wire.Reader{B: b}} }

func (r *reader) u16() int { return int(r.Big16()) }

// data reads bytes with their length before them: a string, or binary data.
func (r *reader) data() []byte { return r.Take(r.u16()) }

func (r *reader) varint() int {
	v, n := varint(r.B)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

// properties are those that are looked at.
type properties struct {
	alias    int
	assigned []byte // client identifier
}

// readProperties reads a block of properties (5.0, 2.2.2).
func (r *reader) properties() (p properties, ok bool) {
	in := newReader(r.Take(r.varint()))
	for len(in.B) > 0 && !in.Bad {
		switch id := in.Byte(); id {
		case 0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a:
			in.Take(1)
		case 0x23:
			p.alias = in.u16()
		case 0x13, 0x21, 0x22:
			in.Take(2)
		case 0x02, 0x11, 0x18, 0x27:
			in.Take(4)
		case 0x0b:
			in.varint()
		case 0x12:
			p.assigned = in.data()
		case 0x03, 0x08, 0x09, 0x15, 0x16, 0x1a, 0x1c, 0x1f:
			in.data()
		case 0x26:
			in.data()
			in.data()
		default:
			return p, false
		}
	}
	return p, !in.Bad && !r.Bad
}

// text tells whether b may be a string of MQTT (5.0, 1.5.4), and is shown as it is.
func text(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// topicName tells whether b may be what is published to (5.0, 4.7).
func topicName(b []byte) bool {
	return text(b) && bytes.IndexByte(b, '+') < 0 && bytes.IndexByte(b, '#') < 0
}

// shown returns at most limit bytes of b, with ... where there are more, and what is
// no text as \xNN.
func shown(b []byte, limit int) []byte {
	if len(b) <= limit && text(b) {
		return b
	}
	cut := len(b) > limit
	var out []byte
	for rest := b[:min(len(b), limit)]; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError || r < ' ' || r == 0x7f {
			const digits = "0123456789abcdef"
			out = append(out, '\\', 'x', digits[rest[0]>>4], digits[rest[0]&15])
			n = 1
		} else {
			out = append(out, rest[:n]...)
		}
		rest = rest[n:]
	}
	if cut {
		out = append(out, "..."...)
	}
	return out
}
