// Package hpack decodes HPACK, the header compression of HTTP/2 (RFC 7541), from
// traffic that is watched, not received: the beginning may not have been seen
// and bytes may be missing in between.
//
// An index into the dynamic table counts from the newest entry. What was added
// since the beginning or the last loss is therefore known for certain, and what
// was added before is known to be unknown. A Decoder never gives a wrong field.
package hpack

import (
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

// Field is one header field. Name and Value are valid until the function that
// was given the Field returns.
type Field struct {
	Name, Value []byte
	// Known is false when the field, or its name, stands in an entry of the
	// table that was never seen; Name and Value are then empty, but for the
	// Value of a field that was sent with it.
	Known bool
}

// Decoder holds the dynamic table of one direction of a connection. The zero
// Decoder has joined a connection that may have begun before.
type Decoder struct {
	table table
	buf   []byte // unpacked Huffman strings of the field at hand
}

// Begin tells the decoder that it is at the beginning of its direction.
func (d *Decoder) Begin() { d.table = table{limit: DefaultTableSize, limited: true} }

// Lose tells the decoder that header blocks may have been missed.
func (d *Decoder) Lose() { d.table = table{} }

// Decode unpacks a whole header block and calls emit for each of its fields, in
// order. After an error the decoder goes on as after Lose; the fields emitted
// before are right.
func (d *Decoder) Decode(block []byte, emit func(Field)) error {
	err := d.decode(block, emit)
	if err != nil {
		d.Lose()
	}
	if cap(d.buf) > keepScratch {
		d.buf = nil
	}
	return err
}

func (d *Decoder) decode(block []byte, emit func(Field)) error {
	budget := MaxListSize
	fields := 0
	for len(block) > 0 {
		var f Field
		var err error
		switch c := block[0]; {
		case c&0x80 != 0: // section 6.1
			f, block, err = d.indexed(block)
		case c&0xc0 == 0x40: // section 6.2.1
			if f, block, err = d.literal(block, 6); err == nil {
				d.table.add(f)
			}
		case c&0xe0 == 0x20: // section 6.3
			if fields > 0 {
				return errSizeUpdate
			}
			var n int
			if n, block, err = readInt(block, 5); err != nil {
				return err
			}
			d.table.resize(n)
			continue
		default: // sections 6.2.2 and 6.2.3
			f, block, err = d.literal(block, 4)
		}
		if err != nil {
			return err
		}
		if budget -= len(f.Name) + len(f.Value) + entryOverhead; budget < 0 {
			return ErrTooLarge
		}
		fields++
		emit(f)
		d.table.compact()
	}
	return nil
}

func (d *Decoder) indexed(b []byte) (Field, []byte, error) {
	i, b, err := readInt(b, 7)
	if err != nil {
		return Field{}, nil, err
	}
	if i == 0 {
		return Field{}, nil, errIndexZero
	}
	return d.table.at(i), b, nil
}

// literal reads a field whose value, and maybe name, is spelled out; prefix is
// the number of bits that the index of its name begins in.
func (d *Decoder) literal(b []byte, prefix uint) (f Field, rest []byte, err error) {
	i, b, err := readInt(b, prefix)
	if err != nil {
		return f, nil, err
	}
	d.buf = d.buf[:0]
	if i > 0 {
		f = d.table.at(i)
	} else {
		f.Known = true
		if f.Name, b, err = d.readString(b); err != nil {
			return f, nil, err
		}
	}
	f.Value, b, err = d.readString(b)
	return f, b, err
}

// readInt reads a number that begins in the low bits of b[0] (section 5.1).
func readInt(b []byte, prefix uint) (int, []byte, error) {
	full := 1<<prefix - 1
	n := int(b[0]) & full
	b = b[1:]
	if n < full {
		return n, b, nil
	}
	for shift := uint(0); ; shift += 7 {
		if len(b) == 0 {
			return 0, nil, ErrTruncated
		}
		c := b[0]
		b = b[1:]
		if shift > 28 {
			return 0, nil, errInteger
		}
		n += int(c&0x7f) << shift
		if n > maxInt {
			return 0, nil, errInteger
		}
		if c&0x80 == 0 {
			return n, b, nil
		}
	}
}

// readString reads a string literal (section 5.2).
func (d *Decoder) readString(b []byte) (s, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, ErrTruncated
	}
	packed := b[0]&0x80 != 0
	n, b, err := readInt(b, 7)
	if err != nil {
		return nil, nil, err
	}
	if n > len(b) {
		return nil, nil, ErrTruncated
	}
	s, rest = b[:n], b[n:]
	if packed {
		off := len(d.buf)
		var ok bool
		if d.buf, ok = appendHuffman(d.buf, s); !ok {
			return nil, nil, errHuffman
		}
		s = d.buf[off:]
	}
	return s, rest, nil
}
