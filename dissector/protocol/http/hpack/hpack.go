// Package hpack decodes HPACK, the header compression of HTTP/2 (RFC 7541), from
// traffic that is watched, not received: the beginning may not have been seen
// and bytes may be missing in between.
//
// An index into the dynamic table counts from the newest entry. What was added
// since the beginning or the last loss is therefore known for certain, and what
// was added before is known to be unknown. A Decoder never gives a wrong field.
package hpack

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The limits of a Decoder.
const (
	// DefaultTableSize is the size of the dynamic table until the encoder says
	// otherwise, as RFC 7541, section 4.1, counts it.
	DefaultTableSize = 4096
	// MaxTableSize is the largest dynamic table that is kept, whatever size the
	// encoder uses. References to older entries give unknown fields.
	MaxTableSize = 64 << 10
	// MaxListSize is how many bytes the fields of one block may come to, counted
	// as in a table (32 more for each field).
	MaxListSize = 256 << 10

	entryOverhead = 32        // RFC 7541, section 4.1
	maxInt        = 1<<28 - 1 // largest length or index taken seriously
	keepScratch   = 8 << 10   // scratch memory kept from block to block
)

// The errors of Decode.
var (
	// ErrTruncated means that the block ends inside a field.
	ErrTruncated = errors.New("header block is cut short")
	// ErrTooLarge means that the block expands to more than MaxListSize.
	ErrTooLarge = fmt.Errorf("header list is larger than %d bytes", MaxListSize)

	errIndexZero  = errors.New("header block refers to index 0")
	errInteger    = errors.New("header block has a number that is too large")
	errHuffman    = errors.New("header block has a malformed Huffman code")
	errSizeUpdate = errors.New("header block changes the table's size after its first field")
)

// Field is one header field. It is valid until the function that was given it
// returns.
type Field struct {
	// Line is the field as a header line: name, ": ", value and "\n". The fields of
	// the tables are kept so, for the many blocks that refer to them.
	Line []byte
	name int // length
	// Known is false when the field, or its name, stands in an entry of the
	// table that was never seen; name and value are then empty, but for the
	// value of a field that was sent with it.
	Known bool
	// Plain says that IsName holds for the name and that the value has no control
	// characters: one of the usual fields, but for the pseudo-headers.
	Plain bool
}

// AppendField appends a field's line to dst. What of the field aliases dst is its line.
func AppendField(dst, name, value []byte) ([]byte, Field) {
	from := len(dst)
	dst = append(append(dst, name...), separator...)
	dst = append(append(dst, value...), lineEnd...)
	return dst, Field{Line: dst[from:], name: len(name), Known: true, Plain: IsName(name) && isText(value)}
}

// Nameless is AppendField for a field whose name is not known.
func Nameless(dst, value []byte) ([]byte, Field) {
	dst, f := AppendField(dst, nil, value)
	f.Known, f.Plain = false, false
	return dst, f
}

// Name returns the field's name.
func (f *Field) Name() []byte { return f.Line[:f.name:f.name] }

// Value returns the field's value.
func (f *Field) Value() []byte { return f.Line[f.name+len(separator) : len(f.Line)-len(lineEnd)] }

// Size is what the field counts in a table and a list (RFC 7541, section 4.1; RFC 9204,
// section 3.2.1).
func (f *Field) Size() int { return len(f.Line) - lineOverhead + entryOverhead }

// What stands in a line beside the name and the value.
const (
	separator    = ": "
	lineEnd      = "\n"
	lineOverhead = len(separator) + len(lineEnd)
)

// Decoder holds the dynamic table of one direction of a connection. The zero
// Decoder has joined a connection that may have begun before.
type Decoder struct {
	table table
	field Field  // the one at hand
	buf   []byte // its line, when the table has none
}

// Begin tells the decoder that it is at the beginning of its direction.
func (d *Decoder) Begin() { d.table = table{limit: DefaultTableSize, limited: true} }

// Lose tells the decoder that header blocks may have been missed.
func (d *Decoder) Lose() { d.table = table{} }

// Decode unpacks a whole header block and calls emit for each of its fields, in
// order. After an error the decoder goes on as after Lose; the fields emitted
// before are right.
func (d *Decoder) Decode(block []byte, emit func(*Field)) error {
	err := d.decode(block, emit)
	if err != nil {
		d.Lose()
	}
	if cap(d.buf) > keepScratch {
		d.buf = nil
	}
	d.field = Field{} // it refers to one of the two
	return err
}

func (d *Decoder) decode(block []byte, emit func(*Field)) error {
	budget, t := MaxListSize, &d.table
	for pos, fields := 0, 0; pos < len(block); {
		var f *Field
		var n int
		var err error
		switch c := block[pos]; {
		case c&0x80 != 0: // section 6.1
			i := int(c & 0x7f)
			if n = 1; i == 0x7f {
				if i, n, err = ReadInt(block[pos:], 7); err != nil {
					return err
				}
			}
			if i == 0 {
				return errIndexZero
			}
			f = d.at(i)
		case c&0xc0 == 0x40: // section 6.2.1
			from := len(t.data)
			if t.data, n, err = d.literal(t.data, block[pos:], 6); err != nil {
				return err
			}
			f = &d.field
			f.Line = t.data[from:]
			t.add(f)
		case c&0xe0 == 0x20: // section 6.3
			if fields > 0 {
				return errSizeUpdate
			}
			var size int
			if size, n, err = ReadInt(block[pos:], 5); err != nil {
				return err
			}
			t.resize(size)
			pos += n
			continue
		default: // sections 6.2.2 and 6.2.3
			if d.buf, n, err = d.literal(d.buf[:0], block[pos:], 4); err != nil {
				return err
			}
			f = &d.field
			f.Line = d.buf
		}
		pos += n
		if budget -= f.Size(); budget < 0 {
			return ErrTooLarge
		}
		fields++
		emit(f)
		if t.first > 0 {
			t.compact()
		}
	}
	return nil
}

// at returns the field of an index above 0, counted from the static table on
// (section 2.3.3).
func (d *Decoder) at(i int) *Field {
	if i <= len(static) {
		return &static[i-1]
	}
	return d.table.at(i-len(static), &d.field)
}

// literal reads a field whose value, and maybe name, is spelled out in the first n
// bytes of b, and appends its line to dst; prefix is the number of bits that the index
// of its name begins in. All else that is said of it stands in d.field then.
func (d *Decoder) literal(dst, b []byte, prefix uint) (out []byte, n int, err error) {
	i, n, err := ReadInt(b, prefix)
	if err != nil {
		return dst, 0, err
	}
	out = dst
	known, plain := true, false
	if i > 0 {
		f := d.at(i)
		out = append(out, f.Name()...)
		known, plain = f.Known, f.Plain || IsName(f.Name())
	} else {
		var used int
		if out, used, err = AppendString(out, b[n:], 7); err != nil {
			return dst, 0, err
		}
		n += used
		plain = IsName(out[len(dst):])
	}
	name := len(out) - len(dst)
	out = append(out, separator...)
	from := len(out)
	out, used, err := AppendString(out, b[n:], 7)
	if err != nil {
		return dst, 0, err
	}
	f := &d.field
	f.name, f.Known, f.Plain = name, known, plain && isText(out[from:])
	return append(out, lineEnd...), n + used, nil
}

// IsName tells whether b is a header name as HTTP/2 has them: a token in lower
// case (RFC 9113, section 8.2.1).
func IsName(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == ':' || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return len(b) > 0
}

// isText tells whether b has no control characters below blank. It looks at eight
// bytes at a time.
func isText(b []byte) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		if (x-' '*low)&^x&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c < ' ' {
			return false
		}
	}
	return true
}

// ReadInt reads a number that begins in the low prefix bits of b[0] (section 5.1, which QPACK
// has too: RFC 9204, section 4.1.1) and says how many bytes it takes.
func ReadInt(b []byte, prefix uint) (i, n int, err error) {
	full := 1<<prefix - 1
	if i = int(b[0]) & full; i < full {
		return i, 1, nil
	}
	n = 1
	for shift := uint(0); ; shift += 7 {
		if len(b) == n {
			return 0, 0, ErrTruncated
		}
		c := b[n]
		n++
		if shift > 28 {
			return 0, 0, errInteger
		}
		i += int(c&0x7f) << shift
		if i > maxInt {
			return 0, 0, errInteger
		}
		if c&0x80 == 0 {
			return i, n, nil
		}
	}
}

// AppendString appends a string literal (section 5.2), which is the first n bytes of b, to dst.
// Its length begins in the low prefix bits of b[0], 7 in HPACK; the bit above them says that it
// is Huffman encoded (RFC 9204, section 4.1.2).
func AppendString(dst, b []byte, prefix uint) (out []byte, n int, err error) {
	if len(b) == 0 {
		return dst, 0, ErrTruncated
	}
	full := 1<<prefix - 1
	size, n, err := int(b[0])&full, 1, error(nil)
	if size == full {
		if size, n, err = ReadInt(b, prefix); err != nil {
			return dst, 0, err
		}
	}
	if size > len(b)-n {
		return dst, 0, ErrTruncated
	}
	s := b[n : n+size]
	n += size
	if b[0]&(1<<prefix) == 0 {
		return append(dst, s...), n, nil
	}
	out, ok := appendHuffman(dst, s)
	if !ok {
		return dst, 0, errHuffman
	}
	return out, n, nil
}
