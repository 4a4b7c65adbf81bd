package dns

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
)

// cursor reads a record's data. A read past its end sets bad and gives zero.
// Names may point out of the record, into the message before it.
type cursor struct {
	msg      []byte
	off, end int
	bad      bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > c.end-c.off {
		c.bad, c.off = true, c.end
		return nil
	}
	b := c.msg[c.off : c.off+n]
	c.off += n
	return b
}

func (c *cursor) rest() []byte { return c.take(c.end - c.off) }
func (c *cursor) more() bool   { return c.off < c.end }

func (c *cursor) uint(n int) (v uint64) {
	for _, b := range c.take(n) {
		v = v<<8 | uint64(b)
	}
	return v
}

// num appends the number in the next n bytes.
func (c *cursor) num(dst []byte, n int) []byte { return strconv.AppendUint(dst, c.uint(n), 10) }

func (c *cursor) name(dst []byte) []byte {
	out, next, err := appendName(dst, c.msg[:c.end], c.off)
	if err != nil {
		c.bad, c.off = true, c.end
		return dst
	}
	c.off = next
	return out
}

// str appends a character string: a length and so many bytes, quoted.
func (c *cursor) str(dst []byte) []byte { return quote(dst, c.take(int(c.uint(1)))) }

func quote(dst, b []byte) []byte { return append(appendEscaped(append(dst, '"'), b, false), '"') }

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

func appendAddr(dst, b []byte) []byte {
	if a, ok := netip.AddrFromSlice(b); ok {
		return a.AppendTo(dst)
	}
	return dst
}

// presentRecord appends the data of a record, which is msg[off:end], in
// presentation form, at most about maxText bytes of it. Data that contradicts
// its type is shown as RFC 3597 shows unknown types.
func presentRecord(dst, msg []byte, off, end int, typ uint16) []byte {
	from := len(dst)
	c := cursor{msg: msg, off: off, end: end}
	dst = c.present(dst, typ)
	if c.bad || c.more() {
		dst = append(dst[:from], `\# `...)
		dst = appendInt(dst, int64(end-off))
		if end > off {
			dst = hex.AppendEncode(append(dst, ' '), msg[off:min(end, off+maxText/2)])
		}
	}
	if len(dst)-from > maxText {
		dst = append(dst[:from+maxText], "..."...)
	}
	return dst
}

// present appends the data of one type. What it does not read, or reads badly,
// presentRecord shows in hex.
func (c *cursor) present(dst []byte, typ uint16) []byte {
	switch typ {
	case typeA:
		return appendAddr(dst, c.take(4))
	case typeAAAA:
		return appendAddr(dst, c.take(16))
	case typeNS, typeCNAME, typePTR, typeDNAME:
		return c.name(dst)
	case typeMX, typeAFSDB, typeRT, typeKX:
		return c.name(append(c.num(dst, 2), ' '))
	case typeSOA:
		dst = c.name(append(c.name(dst), ' '))
		return c.nums(append(dst, ' '), 4, 4, 4, 4, 4)
	case typeRP:
		return c.name(append(c.name(dst), ' '))
	case typeTXT, typeSPF, typeHINFO:
		return c.strs(dst)
	case typeSRV:
		return c.name(append(c.nums(dst, 2, 2, 2), ' '))
	}
	return c.presentRare(dst, typ)
}

// nums appends numbers of the given widths with a space between them.
func (c *cursor) nums(dst []byte, widths ...int) []byte {
	for i, w := range widths {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = c.num(dst, w)
	}
	return dst
}

// strs appends character strings up to the end.
func (c *cursor) strs(dst []byte) []byte {
	for i := 0; c.more(); i++ {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = c.str(dst)
	}
	return dst
}

func (c *cursor) base64(dst []byte) []byte { return base64.StdEncoding.AppendEncode(dst, c.rest()) }
func (c *cursor) hex(dst []byte) []byte    { return hex.AppendEncode(dst, c.rest()) }

// types appends the bitmap of types that ends NSEC and its kin, RFC 4034 section 4.1.2.
func (c *cursor) types(dst []byte) []byte {
	for c.more() {
		window := uint16(c.uint(1)) << 8
		for i, b := range c.take(int(c.uint(1))) {
			for bit := range 8 {
				if b&(0x80>>bit) != 0 {
					dst = appendType(append(dst, ' '), window|uint16(i*8+bit))
				}
			}
		}
	}
	return dst
}

func uint16At(b []byte, off int) uint16 { return binary.BigEndian.Uint16(b[off:]) }
