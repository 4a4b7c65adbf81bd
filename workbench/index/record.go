package index

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"shark/dissector/field"
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
	l.typeOf(serial, len(b))
	l.values = append(l.values, b...)
}

// typeOf adds the type of a text or a blob whose n bytes stand in values.
func (l *layout) typeOf(serial uint64, n int) { l.types = appendVarint(l.types, serial+2*uint64(n)) }

// float adds a fraction by its bits. SQLite has no NaN.
func (l *layout) float(bits int64) {
	if math.IsNaN(math.Float64frombits(uint64(bits))) {
		l.nulls(1)
		return
	}
	l.types = append(l.types, serialFloat)
	l.values = binary.BigEndian.AppendUint64(l.values, uint64(bits))
}

// width is the type of whole numbers of some length, and their length in bytes.
type width struct{ serial, size uint8 }

// widths are by the bits of a number, without its sign.
var widths = func() (w [64]width) {
	sizes := []width{{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 6}, {6, 8}}
	for n := range w {
		if n > 8*int(sizes[0].size)-1 {
			sizes = sizes[1:]
		}
		w[n] = sizes[0]
	}
	return w
}()

// intRoom is how many bytes putInt may write.
const intRoom = 8

// putInt writes a whole number in as few bytes as hold it. 0 and 1 take none.
func putInt(b []byte, n int64) width {
	if n>>1 == 0 {
		return width{serialZero + uint8(n), 0}
	}
	w := widths[bits.Len64(uint64(n^n>>63))&63]
	binary.BigEndian.PutUint64(b, uint64(n)<<((64-8*w.size)&63))
	return w
}

// int adds a whole number.
func (l *layout) int(n int64) {
	switch {
	case n>>1 == 0:
		l.types = append(l.types, serialZero+byte(n))
	case n>>7 == 0:
		l.types = append(l.types, 1)
		l.values = append(l.values, byte(n))
	case n>>15 == 0:
		l.types = append(l.types, 2)
		l.values = append(l.values, byte(n>>8), byte(n))
	default:
		l.ints([]int64{n})
	}
}

// ints adds whole numbers. It takes half the time of adding them one by one.
func (l *layout) ints(nums []int64) {
	l.room(len(nums))
	t, k := len(l.types), len(l.values)
	types, values := l.types[t:t+len(nums)], l.values[:cap(l.values)]
	for i, n := range nums {
		w := putInt(values[k:k+intRoom], n)
		types[i] = w.serial
		k += int(w.size)
	}
	l.types = l.types[:t+len(nums)]
	l.values = l.values[:k]
}

// valueInts is ints for values from a position on.
func (l *layout) valueInts(v *field.Values, from, n int) {
	l.room(n)
	t, k := len(l.types), len(l.values)
	types, values := l.types[t:t+n], l.values[:cap(l.values)]
	for i := range types {
		w := putInt(values[k:k+intRoom], v.Number(from+i))
		types[i] = w.serial
		k += int(w.size)
	}
	l.types = l.types[:t+n]
	l.values = l.values[:k]
}

// room makes room for n whole numbers.
func (l *layout) room(n int) {
	if cap(l.types)-len(l.types) < n || cap(l.values)-len(l.values) < n*intRoom {
		l.types = slices.Grow(l.types, n)
		l.values = slices.Grow(l.values, n*intRoom)
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
