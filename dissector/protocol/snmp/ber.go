package snmp

import (
	"shark/dissector"
	"shark/dissector/ber"
)

// The tags of values (RFC 3416 section 3, RFC 1155 section 6) that are not universal.
const (
	tagNull        = 0x05
	tagOID         = 0x06
	tagIPAddress   = 0x40
	tagCounter32   = 0x41
	tagGauge32     = 0x42
	tagTimeTicks   = 0x43
	tagOpaque      = 0x44
	tagNsapAddress = 0x45
	tagCounter64   = 0x46
	tagUInteger32  = 0x47

	tagNoSuchObject   = 0x80
	tagNoSuchInstance = 0x81
	tagEndOfMibView   = 0x82
)

// maxMessage is longer than any message: that of a cut datagram is not known.
const maxMessage = 1 << 32

// datagram reads a message of which the end may be cut.
func datagram(b []byte) ber.Reader { return ber.Reader{B: b, Left: maxMessage} }

// next takes the next element. Behind one that is cut, so is the rest.
func next(r *ber.Reader) (tag byte, content ber.Reader, ok bool) {
	if b := r.B; len(b) >= 2 && b[1] < 0x80 && b[0]&0x1f != 0x1f && !r.Bad { // nearly all are short, and whole
		if end := 2 + int(b[1]); end <= len(b) && int64(end) <= r.Left {
			r.B, r.Left = b[end:], r.Left-int64(end)
			return b[0], ber.Reader{B: b[2:end:end], Left: int64(b[1])}, true
		}
	}
	e, ok := r.Next()
	if e.Cut() {
		r.Left += e.Left - int64(len(e.B))
	}
	return e.Tag, e.Reader, ok
}

// take is next for an element that must have a tag.
func take(r *ber.Reader, tag byte) (content ber.Reader, ok bool) {
	got, content, ok := next(r)
	if ok && got != tag {
		r.Bad = true
		return content, false
	}
	return content, ok
}

// integer takes an INTEGER of at most 32 bits.
func integer(r *ber.Reader) (n int64, ok bool) {
	if b := r.B; len(b) > 2 && b[0] == ber.Integer && b[1] <= 4 && b[1] > 0 && !r.Bad { // nearly all
		if end := 2 + int(b[1]); end <= len(b) && int64(end) <= r.Left {
			r.B, r.Left = b[end:], r.Left-int64(end)
			return signed(b[2:end]), true
		}
	}
	c, ok := take(r, ber.Integer)
	if !ok || c.Cut() {
		return 0, false
	}
	if len(c.B) == 0 || len(c.B) > 4 {
		r.Bad = true
		return 0, false
	}
	return signed(c.B), true
}

// over tells whether nothing is left, and nothing was wrong or missing.
func over(r *ber.Reader) bool { return r.Left == 0 && !r.Bad }

// failure says why an element could not be taken.
func failure(r *ber.Reader, cut bool) error {
	if cut && !r.Bad {
		return dissector.ErrShort
	}
	return errMalformed
}

// signed is a number in two's complement of at most 8 bytes.
func signed(b []byte) int64 {
	n := int64(0)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n = -1
	}
	for _, c := range b {
		n = n<<8 | int64(c)
	}
	return n
}

// unsigned is a number of at most 64 bits; BER puts a zero before one whose first bit
// is set.
func unsigned(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}
