// Package qpack decodes QPACK, the header compression of HTTP/3 (RFC 9204), from traffic that is
// watched, not received: bytes of the encoder's stream may be missing.
//
// In: what the encoder says in its stream, as it comes, and field sections. Out: fields. Entries
// of the dynamic table have absolute indexes, counted from the encoder's first insertion on. Once
// bytes of its stream are missing, how many insertions there were is not known, nor is what any
// later reference means: all of them are unknown from then on. A Decoder never gives a wrong field.
package qpack

import (
	"errors"

	"shark/dissector/protocol/http/hpack"
)

// The limits of a Decoder.
const (
	// MaxTableSize is the largest dynamic table that is kept, in bytes as section 3.2.1 counts
	// them, whatever size the encoder uses. References to older entries give unknown fields.
	MaxTableSize = 64 << 10
	// maxInstruction is how many bytes of an instruction are kept until the rest of it comes.
	maxInstruction = 64 << 10

	keepScratch = 8 << 10 // scratch memory kept from section to section
)

// The errors of Decode.
var (
	// ErrBlocked means that insertions which the section needs have not come yet.
	ErrBlocked = errors.New("field section refers to what has not come yet")

	errCount = errors.New("field section has a required insert count that cannot be")
	errBase  = errors.New("field section has a base that cannot be")
	errIndex = errors.New("field section refers to an entry that cannot be")
)

// Decoder holds the dynamic table of one direction of a connection. The zero Decoder knows its
// encoder's stream from the beginning on.
type Decoder struct {
	table table
	rest  []byte // of an instruction that goes on
	most  uint64 // SETTINGS_QPACK_MAX_TABLE_CAPACITY of whom the encoder speaks to
	known bool   // most is known
	lost  bool   // bytes of the encoder's stream are missing
	eager bool   // what has not come yet is taken for unknown
	field hpack.Field
	buf   []byte // its line, when no table has it
}

// Capacity says what SETTINGS_QPACK_MAX_TABLE_CAPACITY was sent to the encoder (section 5).
// Until it is known, field sections that refer to the dynamic table are read as after a loss.
func (d *Decoder) Capacity(most uint64) {
	if !d.known {
		d.most, d.known = most, true
	}
}

// Lose says that bytes of the encoder's stream are missing.
func (d *Decoder) Lose() { d.lost, d.rest, d.table = true, nil, table{} }

// Decode unpacks a whole field section and calls emit for each of its fields, in order. With
// ErrBlocked it has called nothing, and is to be called again when more of the encoder's stream
// has come. The fields emitted before another error are right.
func (d *Decoder) Decode(section []byte, emit func(*hpack.Field)) error {
	d.eager = false
	return d.decode(section, emit)
}

// DecodeKnown is Decode for who cannot wait: fields that refer to what has not come yet are
// unknown.
func (d *Decoder) DecodeKnown(section []byte, emit func(*hpack.Field)) error {
	d.eager = true
	return d.decode(section, emit)
}

func (d *Decoder) decode(section []byte, emit func(*hpack.Field)) error {
	base, pos, err := d.prefix(section)
	if err != nil {
		return err
	}
	budget := hpack.MaxListSize
	for pos < len(section) {
		n, err := d.line(section[pos:], base)
		if err != nil {
			return err
		}
		pos += n
		if budget -= d.field.Size(); budget < 0 {
			return hpack.ErrTooLarge
		}
		emit(&d.field)
	}
	d.field = hpack.Field{} // it refers to one of the tables
	if cap(d.buf) > keepScratch {
		d.buf = nil
	}
	return nil
}

// prefix reads a section's prefix (section 4.5.1).
func (d *Decoder) prefix(b []byte) (base uint64, n int, err error) {
	encoded, n, err := hpack.ReadInt(orEmpty(b), 8)
	if err != nil {
		return 0, 0, err
	}
	required := uint64(0)
	if encoded > 0 && d.known && !d.lost {
		if required, err = d.required(uint64(encoded)); err != nil {
			return 0, 0, err
		}
		if required > d.table.inserted && !d.eager {
			return 0, 0, ErrBlocked
		}
	}
	if n >= len(b) {
		return 0, 0, hpack.ErrTruncated
	}
	delta, more, err := hpack.ReadInt(b[n:], 7)
	switch {
	case err != nil:
		return 0, 0, err
	case b[n]&0x80 == 0:
		base = required + uint64(delta)
	case uint64(delta) < required:
		base = required - uint64(delta) - 1
	case encoded > 0 && required == 0: // it is not known
	default:
		return 0, 0, errBase
	}
	return base, n + more, nil
}

// orEmpty keeps ReadInt, which wants a byte, from an empty section.
func orEmpty(b []byte) []byte {
	if len(b) == 0 {
		return []byte{0xff} // of which the rest is missing
	}
	return b
}

// required decodes a Required Insert Count (section 4.5.1.1).
func (d *Decoder) required(encoded uint64) (uint64, error) {
	entries := d.most / entryOverhead
	if entries == 0 || encoded > 2*entries {
		return 0, errCount
	}
	most := d.table.inserted + entries
	count := most/(2*entries)*(2*entries) + encoded - 1
	if count > most {
		if count <= 2*entries {
			return 0, errCount
		}
		count -= 2 * entries
	}
	if count == 0 {
		return 0, errCount
	}
	return count, nil
}

// line reads one field line into d.field (sections 4.5.2 to 4.5.6) and returns its length.
func (d *Decoder) line(b []byte, base uint64) (n int, err error) {
	switch c := b[0]; {
	case c&0x80 != 0: // indexed
		return d.reference(b, 6, c&0x40 != 0, base, false)
	case c&0x40 != 0: // a literal whose name is
		return d.literal(b, 4, c&0x10 != 0, base, false)
	case c&0x20 != 0: // a literal
		name, n, err := hpack.AppendString(nil, b, 3)
		if err != nil {
			return 0, err
		}
		return d.value(name, true, b, n)
	case c&0x10 != 0: // indexed behind the base
		return d.reference(b, 4, false, base, true)
	}
	return d.literal(b, 3, false, base, true) // a literal whose name is behind the base
}

// reference reads a field that is an entry of a table.
func (d *Decoder) reference(b []byte, prefix uint, fixed bool, base uint64, post bool) (n int, err error) {
	i, n, err := hpack.ReadInt(b, prefix)
	if err != nil {
		return 0, err
	}
	d.field, err = d.at(uint64(i), fixed, base, post)
	return n, err
}

// literal reads a field whose name is that of an entry.
func (d *Decoder) literal(b []byte, prefix uint, fixed bool, base uint64, post bool) (n int, err error) {
	i, n, err := hpack.ReadInt(b, prefix)
	if err != nil {
		return 0, err
	}
	f, err := d.at(uint64(i), fixed, base, post)
	if err != nil {
		return 0, err
	}
	return d.value(f.Name(), f.Known, b, n)
}

// value reads the value at b[n:] of a field with a name.
func (d *Decoder) value(name []byte, known bool, b []byte, n int) (int, error) {
	value, more, err := hpack.AppendString(nil, b[n:], 7)
	if err != nil {
		return 0, err
	}
	if known {
		d.buf, d.field = hpack.AppendField(d.buf[:0], name, value)
	} else {
		d.buf, d.field = hpack.Nameless(d.buf[:0], value)
	}
	return n + more, nil
}

// at returns the field of an index: of the static table, or before or behind the base.
func (d *Decoder) at(i uint64, fixed bool, base uint64, post bool) (hpack.Field, error) {
	switch {
	case fixed && i < uint64(len(static)):
		return static[i], nil
	case fixed:
		return hpack.Field{}, errIndex
	case d.lost || !d.known:
		return unknown, nil
	case post:
		i += base
	case i >= base:
		return hpack.Field{}, errIndex
	default:
		i = base - 1 - i
	}
	if d.eager && i >= d.table.inserted {
		return unknown, nil
	}
	return d.table.at(i)
}
