package tds

import "shark/dissector/wire"

// reader reads the fields of a message, all little-endian.
type reader struct{ wire.Reader }

func newReader(b []byte) reader { return reader{wire.Reader{B: b}} }

func (r *reader) u8() int  { return int(r.Byte()) }
func (r *reader) u16() int { return int(r.Little16()) }

func (r *reader) text8() []byte  { return r.Take(2 * r.u8()) }  // B_VARCHAR
func (r *reader) text16() []byte { return r.Take(2 * r.u16()) } // US_VARCHAR

// form is how the values of a type are laid out (section 2.2.5.4).
type form uint8

const (
	fixed form = iota
	length8
	length16
	length32 // in rows behind a pointer and a timestamp
	variant
	chunks // PLP: partially length-prefixed
)

// column is the type of a column or parameter.
type column struct {
	kind  byte
	form  form
	size  int // of a fixed type
	table bool
}

var fixedSizes = map[byte]int{0x1f: 0, 0x30: 1, 0x32: 1, 0x34: 2, 0x38: 4, 0x3a: 4, 0x3b: 4, 0x3c: 8, 0x3d: 8, 0x3e: 8, 0x7a: 4, 0x7f: 8}

// typeInfo reads a type (section 2.2.5.6). inRow says that it is a column's and no
// parameter's.
func (s *session) typeInfo(r *reader, inRow bool) (c column, ok bool) {
	c.kind = byte(r.u8())
	if n, known := fixedSizes[c.kind]; known {
		c.size = n
		return c, !r.Bad
	}
	collation := func() {
		if !s.older {
			r.Take(5)
		}
	}
	switch c.kind {
	case 0x28: // date
		c.form = length8
	case 0x24, 0x26, 0x68, 0x6d, 0x6e, 0x6f, 0x29, 0x2a, 0x2b, 0x2f, 0x27, 0x2d, 0x25:
		c.form = length8
		r.Take(1)
	case 0x37, 0x3f, 0x6a, 0x6c:
		c.form = length8
		r.Take(3)
	case 0xa5, 0xad, 0xa7, 0xaf, 0xe7, 0xef:
		c.form = length16
		if r.u16() == 0xffff {
			c.form = chunks
		}
		if c.kind != 0xa5 && c.kind != 0xad {
			collation()
		}
	case 0x22, 0x23, 0x63:
		c.form, c.table = length32, true
		r.Take(4)
		if c.kind != 0x22 {
			collation()
		}
	case 0x62:
		c.form = variant
		r.Take(4)
	case 0xf1:
		c.form = chunks
		if r.u8() == 1 {
			r.text8()
			r.text8()
			r.text16()
		}
	case 0xf0:
		c.form = chunks
		if inRow {
			r.Take(2)
		}
		r.text8()
		r.text8()
		r.text8()
		if inRow {
			r.text16()
		}
	case 0xf4: // json
		c.form = chunks
	default:
		return c, false
	}
	return c, !r.Bad
}

// value reads a parameter's value; null says that it has none. Of one in chunks the first
// is returned.
func (c *column) value(r *reader) (b []byte, null bool) {
	switch c.form {
	case length8:
		n := r.u8()
		return r.Take(n), n == 0
	case length16:
		n := r.u16()
		if n == 0xffff {
			return nil, true
		}
		return r.Take(n), false
	case length32, variant:
		n := r.Little32()
		if n == 0xffffffff || c.form == variant && n == 0 {
			return nil, true
		}
		return r.Take(int(min(n, 1<<31-1))), false
	case chunks:
		return plp(r)
	}
	return r.Take(c.size), false
}

// plp reads a value in chunks. A chunk of which the end is missing gives what there is.
func plp(r *reader) (b []byte, null bool) {
	if r.Little64() == 1<<64-1 {
		return nil, !r.Bad
	}
	for first := true; !r.Bad; first = false {
		n := int(min(r.Little32(), 1<<31-1))
		if n == 0 {
			break
		}
		if n > len(r.B) && first {
			b = r.B
			r.Fail()
			return b, false
		}
		if part := r.Take(n); first {
			b = part
		}
	}
	return b, false
}
