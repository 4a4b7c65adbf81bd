package ldap

import (
	"shark/dissector"
	"shark/dissector/ber"
)

// tagControls is the tag of what may follow an operation (RFC 4511 section 4.1.11).
const tagControls = 0xa0

// envelope is what comes before the content of an operation.
type envelope struct {
	total int64 // bytes of the message
	id    int64
	op    ber.Element
	rest  ber.Reader // behind the operation: controls
}

// maxEnvelope is how long an envelope may be: three headers and a message id.
const maxEnvelope = 3*ber.MaxHeader + 4

// open reads a message's envelope (RFC 4511 section 4.1.1) from the front of it. err
// may be ErrShort.
func open(b []byte) (e envelope, err error) {
	if len(b) == 0 {
		return e, dissector.ErrShort
	}
	size, length, ok := ber.Header(b)
	if !ok || b[0] != ber.Sequence || length > maxMessage || size > 0 && length < minContent {
		return e, errMalformed
	}
	if size == 0 {
		return e, dissector.ErrShort
	}
	e.total = int64(size) + length
	e.rest = ber.Reader{B: b[size:min(int64(len(b)), e.total)], Left: length}
	id, ok := e.rest.Take(ber.Integer)
	if !ok {
		return e, short(&e.rest)
	}
	if id.Left > 4 {
		return e, errMalformed
	}
	if id.Cut() {
		return e, dissector.ErrShort
	}
	if e.id, ok = id.Number(); !ok {
		return e, errMalformed
	}
	if e.op, ok = e.rest.Next(); !ok {
		return e, short(&e.rest)
	}
	return e, nil
}

// minContent is the shortest content of a message: an id and an unbind.
const minContent = 5

// short says why an element that must be there could not be taken.
func short(r *ber.Reader) error {
	if r.Bad || !r.Cut() {
		return errMalformed
	}
	return dissector.ErrShort
}
