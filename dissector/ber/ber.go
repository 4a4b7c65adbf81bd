// Package ber reads elements of ASN.1 in BER (X.690) as protocols use it that
// restrict it to definite lengths and to tags of one byte, DER among them. It never
// looks further than its bytes and never copies them.
package ber

// The tags of the universal class that protocols share.
const (
	Boolean     = 0x01
	Integer     = 0x02
	BitString   = 0x03
	OctetString = 0x04
	Enumerated  = 0x0a
	Sequence    = 0x30
)

// MaxHeader is how long an element's header may be: a tag and a length of four bytes.
const MaxHeader = 6

// Reader reads the elements of a content. It knows how long the content is and may
// have only the front of it.
type Reader struct {
	B    []byte // what of the content is at hand
	Left int64  // bytes of the content
	Bad  bool   // an element does not fit
}

// Element is a tag and its content.
type Element struct {
	Tag byte
	Reader
}

// New reads elements that fill b.
func New(b []byte) Reader { return Reader{B: b, Left: int64(len(b))} }

// Header reads a tag and a length. size is 0 when b is too short for it.
func Header(b []byte) (size int, length int64, ok bool) {
	if len(b) < 2 {
		return 0, 0, true
	}
	if b[0]&0x1f == 0x1f {
		return 0, 0, false
	}
	n := int(b[1])
	if n < 0x80 {
		return 2, int64(n), true
	}
	if n &= 0x7f; n == 0 || n > 4 {
		return 0, 0, false
	}
	if len(b) < 2+n {
		return 0, 0, true
	}
	for _, c := range b[2 : 2+n] {
		length = length<<8 | int64(c)
	}
	return 2 + n, length, true
}

// Cut tells whether some of the content is not at hand.
func (r *Reader) Cut() bool { return int64(len(r.B)) < r.Left }

// Next takes the next element. It is false at the end, where the bytes at hand end
// inside an element's header, and where an element does not fit.
func (r *Reader) Next() (e Element, ok bool) {
	if r.Left <= 0 || r.Bad {
		return e, false
	}
	size, length, ok := Header(r.B)
	if !ok || size == 0 && !r.Cut() || int64(size)+length > r.Left {
		r.Bad = true
		return e, false
	}
	if size == 0 {
		return e, false
	}
	end := min(int64(len(r.B)), int64(size)+length)
	e = Element{r.B[0], Reader{B: r.B[size:end], Left: length}}
	r.B, r.Left = r.B[end:], r.Left-int64(size)-length
	return e, true
}

// Take is Next for an element that must have a tag.
func (r *Reader) Take(tag byte) (e Element, ok bool) {
	e, ok = r.Next()
	if ok && e.Tag != tag {
		r.Bad = true
		return e, false
	}
	return e, ok
}

// Maybe is Take for an element that may not be there.
func (r *Reader) Maybe(tag byte) (e Element, ok bool) {
	if r.Bad || len(r.B) == 0 || r.B[0] != tag {
		return e, false
	}
	return r.Next()
}

// Number returns the content as a number that is not negative and has at most four
// bytes.
func (r *Reader) Number() (n int64, ok bool) {
	if r.Left < 1 || r.Left > 4 || r.Cut() || r.B[0]&0x80 != 0 {
		return 0, false
	}
	for _, c := range r.B {
		n = n<<8 | int64(c)
	}
	return n, true
}
