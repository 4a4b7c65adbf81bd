// Package wire reads what messages of many protocols are made of: numbers and bytes in a
// row, lines of text, decimal digits, and texts that are cut to a limit. It never looks
// further than the bytes it is given, and what it returns of them points into them.
package wire

import (
	"encoding/binary"
	"math"
)

// Reader takes numbers and bytes from the front of B. Once it was asked for more than
// there is, it is Bad, has nothing left and gives zeros: what was read before stands.
type Reader struct {
	B   []byte // what is left
	Bad bool
}

// Take takes n bytes, which end where B ended if there are as many. It is nil and the
// reader Bad if there are fewer, or if n is negative.
func (r *Reader) Take(n int) []byte {
	if uint(n) > uint(len(r.B)) {
		r.Fail()
		return nil
	}
	b := r.B[:n]
	r.B = r.B[n:]
	return b
}

// TakeLong is Take for what says itself how long it is, in up to 64 bits.
func (r *Reader) TakeLong(n uint64) []byte { return r.Take(int(min(n, math.MaxInt32))) }

// Fail makes the reader Bad: what comes next is not as it should be.
func (r *Reader) Fail() { r.B, r.Bad = nil, true }

// Byte takes a byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Big16 takes a number of two bytes, the higher one first.
func (r *Reader) Big16() uint16 {
	if b := r.Take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Big32 takes a number of four bytes, the highest first.
func (r *Reader) Big32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Big64 takes a number of eight bytes, the highest first.
func (r *Reader) Big64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Little16 takes a number of two bytes, the lower one first.
func (r *Reader) Little16() uint16 {
	if b := r.Take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// Little32 takes a number of four bytes, the lowest first.
func (r *Reader) Little32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Little64 takes a number of eight bytes, the lowest first.
func (r *Reader) Little64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
