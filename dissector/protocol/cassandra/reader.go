package cassandra

import "shark/dissector/wire"

// reader reads the notations of a body (section 3).
type reader struct {
	wire.Reader
	whole bool // B is the whole body
}

func (r *reader) short() int { return int(r.Big16()) }
func (r *reader) int() int   { return int(int32(r.Big32())) }

func (r *reader) string() []byte     { return r.Take(r.short()) }
func (r *reader) shortBytes() []byte { return r.Take(r.short()) }

// bytes reads bytes that may be null.
func (r *reader) bytes() []byte { return r.Take(max(0, r.int())) }

// longString reads a text of which the end may be missing: cut says so.
func (r *reader) longString() (s []byte, cut bool) {
	n := r.int()
	if n > len(r.B) && !r.Bad {
		s = r.B
		r.Fail()
		return s, true
	}
	return r.Take(n), false
}

// list calls f for each element of a list, as long as all goes well. Each has at least
// one byte.
func (r *reader) list(f func()) {
	for n := r.short(); n > 0 && !r.Bad; n-- {
		f()
	}
}
