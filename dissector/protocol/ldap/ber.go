package ldap

import "shark/dissector"

// reader reads elements in BER, restricted as RFC 4511 section 5.1 says: lengths
// are definite. It knows how long its content is and may have only the front of it.
type reader struct {
	b    []byte // what of the content is at hand
	left int64  // bytes of the content
	bad  bool   // an element does not fit
}

// element is a tag and its content.
type element struct {
	tag byte
	reader
}

// The tags of RFC 4511 that are not operations.
const (
	tagBoolean     = 0x01
	tagInteger     = 0x02
	tagOctetString = 0x04
	tagEnumerated  = 0x0a
	tagSequence    = 0x30
	tagControls    = 0xa0
)

// maxHeader is how long an element's header may be: a tag and a length of four bytes.
const maxHeader = 6

// header reads a tag and a length. size is 0 when b is too short for it.
func header(b []byte) (size int, length int64, ok bool) {
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

// cut tells whether some of the content is not at hand.
func (r *reader) cut() bool { return int64(len(r.b)) < r.left }

// next takes the next element. It is false at the end, where the bytes at hand end
// inside an element's header, and where an element does not fit.
func (r *reader) next() (e element, ok bool) {
	if r.left <= 0 || r.bad {
		return e, false
	}
	size, length, ok := header(r.b)
	if !ok || size == 0 && !r.cut() || int64(size)+length > r.left {
		r.bad = true
		return e, false
	}
	if size == 0 {
		return e, false
	}
	end := min(int64(len(r.b)), int64(size)+length)
	e = element{r.b[0], reader{b: r.b[size:end], left: length}}
	r.b, r.left = r.b[end:], r.left-int64(size)-length
	return e, true
}

// take is next for an element that must have a tag.
func (r *reader) take(tag byte) (e element, ok bool) {
	e, ok = r.next()
	if ok && e.tag != tag {
		r.bad = true
		return e, false
	}
	return e, ok
}

// maybe is take for an element that may not be there.
func (r *reader) maybe(tag byte) (e element, ok bool) {
	if r.bad || len(r.b) == 0 || r.b[0] != tag {
		return e, false
	}
	return r.next()
}

// number returns the content as a number that is not negative and has at most
// four bytes: none of LDAP's is larger than maxInt, 2^31-1.
func (r *reader) number() (n int64, ok bool) {
	if r.left < 1 || r.left > 4 || r.cut() || r.b[0]&0x80 != 0 {
		return 0, false
	}
	for _, c := range r.b {
		n = n<<8 | int64(c)
	}
	return n, true
}

// envelope is what comes before the content of an operation.
type envelope struct {
	total int64 // bytes of the message
	id    int64
	op    element
	rest  reader // behind the operation: controls
}

// maxEnvelope is how long an envelope may be: three headers and a message id.
const maxEnvelope = 3*maxHeader + 4

// open reads a message's envelope (RFC 4511 section 4.1.1) from the front of it. err
// may be ErrShort.
func open(b []byte) (e envelope, err error) {
	if len(b) == 0 {
		return e, dissector.ErrShort
	}
	size, length, ok := header(b)
	if !ok || b[0] != tagSequence || length > maxMessage || size > 0 && length < minContent {
		return e, errMalformed
	}
	if size == 0 {
		return e, dissector.ErrShort
	}
	e.total = int64(size) + length
	e.rest = reader{b: b[size:min(int64(len(b)), e.total)], left: length}
	id, ok := e.rest.take(tagInteger)
	if !ok {
		return e, e.rest.short()
	}
	if id.left > 4 {
		return e, errMalformed
	}
	if id.cut() {
		return e, dissector.ErrShort
	}
	if e.id, ok = id.number(); !ok {
		return e, errMalformed
	}
	if e.op, ok = e.rest.next(); !ok {
		return e, e.rest.short()
	}
	return e, nil
}

// minContent is the shortest content of a message: an id and an unbind.
const minContent = 5

// short says why an element that must be there could not be taken.
func (r *reader) short() error {
	if r.bad || !r.cut() {
		return errMalformed
	}
	return dissector.ErrShort
}
