package index

import (
	"encoding/binary"
	"math"
)

// The serial types of https://www.sqlite.org/fileformat2.html, section 2.1, that
// are not lengths of whole numbers.
const (
	serialNull  = 0
	serialFloat = 7
	serialZero  = 8
	serialOne   = 9
	serialBlob  = 12 // and twice its length
	serialText  = 13 // and twice its length
)

// layout makes a row as it stands in a page: the types of all columns, then their
// values.
type layout struct{ types, values []byte }

// begin empties it for a row of a table. The id comes first in types and has no
// value: it is the row's key.
func (l *layout) begin() { l.types, l.values = append(l.types[:0], serialNull), l.values[:0] }

func (l *layout) cell(c *cell) {
	switch c.kind {
	case cellInt:
		l.int(c.n)
	case cellFloat:
		l.float(c.n)
	case cellText:
		l.bytes(serialText, c.b)
	case cellBlob:
		l.bytes(serialBlob, c.b)
	default:
		l.nulls(1)
	}
}

func (l *layout) nulls(n int) {
	for range n {
		l.types = append(l.types, serialNull)
	}
}

// bytes adds a text or a blob.
func (l *layout) bytes(serial uint64, b []byte) {
	l.types = appendVarint(l.types, serial+2*uint64(len(b)))
	l.values = append(l.values, b...)
}

// float adds a fraction by its bits. SQLite has no NaN.
func (l *layout) float(bits int64) {
	if math.IsNaN(math.Float64frombits(uint64(bits))) {
		l.nulls(1)
		return
	}
	l.types = append(l.types, serialFloat)
	l.values = binary.BigEndian.AppendUint64(l.values, uint64(bits))
}

// int adds a whole number in as few bytes as hold it.
func (l *layout) int(n int64) {
	if n>>1 == 0 {
		l.types = append(l.types, serialZero+byte(n))
		return
	}
	u := uint64(n)
	switch m := n ^ n>>63; { // as many bits as n, without its sign
	case m < 1<<7:
		l.types = append(l.types, 1)
		l.values = append(l.values, byte(u))
	case m < 1<<15:
		l.types = append(l.types, 2)
		l.values = binary.BigEndian.AppendUint16(l.values, uint16(u))
	case m < 1<<23:
		l.types = append(l.types, 3)
		l.values = append(l.values, byte(u>>16), byte(u>>8), byte(u))
	case m < 1<<31:
		l.types = append(l.types, 4)
		l.values = binary.BigEndian.AppendUint32(l.values, uint32(u))
	case m < 1<<47:
		l.types = append(l.types, 5)
		l.values = binary.BigEndian.AppendUint32(append(l.values, byte(u>>40), byte(u>>32)), uint32(u))
	default:
		l.types = append(l.types, 6)
		l.values = binary.BigEndian.AppendUint64(l.values, u)
	}
}

// size returns how many bytes append adds.
func (l *layout) size() int {
	n := len(l.types) + 1
	if n >= 1<<7 {
		n++
	}
	return n + len(l.values)
}

// append adds the row to b. The types begin with their length, which counts itself.
func (l *layout) append(b []byte) []byte {
	b = appendVarint(b, uint64(l.size()-len(l.values)))
	return append(append(b, l.types...), l.values...)
}

// maxEntry is the length of the longest entry of an index, in bytes.
const maxEntry = 4 + 8 + 8

// entry appends an entry of an index: its length, then a value and the id of its
// row as a row of two columns.
func (l *layout) entry(b []byte, value, id int64) []byte {
	l.types, l.values = l.types[:0], l.values[:0]
	l.int(value)
	l.int(id)
	return l.append(append(b, byte(l.size())))
}

// appendVarint appends a number as SQLite writes them: seven bits a byte, the
// highest first, and eight in a ninth.
func appendVarint(b []byte, v uint64) []byte {
	if v < 1<<7 {
		return append(b, byte(v))
	}
	if v >= 1<<56 {
		for shift := 57; shift >= 8; shift -= 7 {
			b = append(b, byte(v>>shift)|0x80)
		}
		return append(b, byte(v))
	}
	shift := 7
	for v>>shift >= 1<<7 {
		shift += 7
	}
	for ; shift > 0; shift -= 7 {
		b = append(b, byte(v>>shift)|0x80)
	}
	return append(b, byte(v)&0x7f)
}
