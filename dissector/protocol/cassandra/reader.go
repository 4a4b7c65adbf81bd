package cassandra

import "encoding/binary"

// reader reads the notations of a body (section 3). A read past its end sets bad and
// gives nothing, and so does every later one: what was read before stands.
type reader struct {
	b     []byte
	whole bool // b is the whole body
	bad   bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) short() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int() int {
	if b := r.take(4); b != nil {
		return int(int32(binary.BigEndian.Uint32(b)))
	}
	return 0
}

func (r *reader) string() []byte     { return r.take(r.short()) }
func (r *reader) shortBytes() []byte { return r.take(r.short()) }

// bytes reads bytes that may be null.
func (r *reader) bytes() []byte { return r.take(max(0, r.int())) }

// longString reads a text of which the end may be missing: cut says so.
func (r *reader) longString() (s []byte, cut bool) {
	n := r.int()
	if n > len(r.b) && !r.bad {
		s, r.bad = r.b, true
		return s, true
	}
	return r.take(n), false
}

// list calls f for each element of a list, as long as all goes well. Each has at least
// one byte.
func (r *reader) list(f func()) {
	for n := r.short(); n > 0 && !r.bad; n-- {
		f()
	}
}
