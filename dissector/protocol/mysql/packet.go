package mysql

import "encoding/binary"

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

// reader reads a payload. Past its end it gives zeros and turns bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) int(n int) uint64 {
	var b [8]byte
	copy(b[:], r.take(uint64(n)))
	return binary.LittleEndian.Uint64(b[:])
}

// lenenc reads a length-encoded integer (Protocol::LengthEncodedInteger).
func (r *reader) lenenc() uint64 {
	switch c := r.int(1); c {
	case 0xfb, 0xff:
		r.bad = true
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
func (r *reader) text() []byte { return r.take(r.lenenc()) }

// cstring reads a string that a zero byte ends.
func (r *reader) cstring() []byte {
	for i, c := range r.b {
		if c == 0 {
			s := r.b[:i]
			r.b = r.b[i+1:]
			return s
		}
	}
	r.bad, r.b = true, nil
	return nil
}

// rest is all that is left, which the end of the packet ends.
func (r *reader) rest() []byte { return r.take(uint64(len(r.b))) }
