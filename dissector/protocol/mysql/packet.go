package mysql

import (
	"encoding/binary"

	"shark/dissector/wire"
)

// headerSize is that of a packet's header: 3 bytes length and a sequence number.
const headerSize = 4

// header is a packet's header.
type header struct {
	n   int
	seq byte
}

func readHeader(b []byte) header {
	return header{int(b[0]) | int(b[1])<<8 | int(b[2])<<16, b[3]}
}

// reader reads a payload.
type reader struct{ wire.Reader }

func newReader(b []byte) reader { return reader{wire.Reader{B: b}} }

func (r *reader) int(n int) uint64 {
	var b [8]byte
	copy(b[:], r.Take(n))
	return binary.LittleEndian.Uint64(b[:])
}

// lenenc reads a length-encoded integer (Protocol::LengthEncodedInteger).
func (r *reader) lenenc() uint64 {
	switch c := r.int(1); c {
	case 0xfb, 0xff:
		r.Fail()
		return 0
	case 0xfc:
		return r.int(2)
	case 0xfd:
		return r.int(3)
	case 0xfe:
		return r.int(8)
	default:
		return c
	}
}

// text reads a length-encoded string.
func (r *reader) text() []byte { return r.TakeLong(r.lenenc()) }

// cstring reads a string that a zero byte ends.
func (r *reader) cstring() []byte {
	for i, c := range r.B {
		if c == 0 {
			s := r.B[:i]
			r.B = r.B[i+1:]
			return s
		}
	}
	r.Fail()
	return nil
}

// rest is all that is left, which the end of the packet ends.
func (r *reader) rest() []byte { return r.Take(len(r.B)) }
