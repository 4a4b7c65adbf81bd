package ldap

import (
	"shark/dissector"
	"shark/dissector/ber"
)

// maxProbed is how long a message may be that a probe believes in, in bytes.
const maxProbed = 64 << 20

// probe wants a message whose lengths fit into each other, with an operation that
// begins as that operation does. More than an envelope's length it looks at only
// if it is there.
func probe(head []byte) dissector.Guess {
	e, err := open(head)
	if err == dissector.ErrShort && len(head) < maxEnvelope {
		return dissector.More
	}
	if err != nil || e.total > maxProbed || !controlled(&e.rest) {
		return dissector.No
	}
	guess := dissector.Request
	if operations[e.op.Tag] == "" || e.op.Tag == tagIntermediate {
		if guess = dissector.Response; requestOf(e.op.Tag) == 0 && e.op.Tag != tagIntermediate {
			return dissector.No
		}
	}
	ok, short := begins(e.op)
	switch {
	case short && len(head) < 2*maxEnvelope:
		return dissector.More
	case !ok:
		return dissector.No
	}
	return guess
}

// controlled tells whether what follows an operation is nothing or controls.
func controlled(r *ber.Reader) bool {
	if r.Left == 0 || len(r.B) == 0 {
		return true
	}
	_, ok := r.Take(tagControls)
	return ok && r.Left == 0 || !ok && !r.Bad
}

// begins tells whether an operation's content begins as it should; short says that
// too little of it is at hand to tell.
func begins(op ber.Element) (ok, short bool) {
	r := &op.Reader
	switch op.Tag {
	case tagUnbindRequest:
		return r.Left == 0, false
	case tagAbandonRequest:
		_, ok = r.Number()
		return ok, r.Cut()
	case tagDelRequest:
		return r.Left > 0, false
	case tagSearchRequest:
		return sequence(r, ber.OctetString, ber.Enumerated, ber.Enumerated, ber.Integer, ber.Integer, ber.Boolean)
	case tagSearchEntry:
		return sequence(r, ber.OctetString, ber.Sequence)
	case tagBindRequest:
		return sequence(r, ber.Integer, ber.OctetString)
	case tagModifyRequest, tagAddRequest, tagCompareRequest:
		return sequence(r, ber.OctetString, ber.Sequence)
	case tagModifyDNRequest:
		return sequence(r, ber.OctetString, ber.OctetString, ber.Boolean)
	case tagSearchReference:
		return sequence(r, ber.OctetString)
	case tagExtendedRequest:
		return sequence(r, 0x80)
	case tagIntermediate:
		return r.Left == 0 || len(r.B) > 0 && (r.B[0] == 0x80 || r.B[0] == 0x81), r.Left > 0 && len(r.B) == 0
	}
	return sequence(r, ber.Enumerated, ber.OctetString, ber.OctetString)
}

// sequence tells whether elements with these tags come first. What a long first one
// pushes out of sight is taken as good.
func sequence(r *ber.Reader, tags ...byte) (ok, short bool) {
	for i, tag := range tags {
		e, ok := r.Take(tag)
		switch {
		case !ok && (r.Bad || !r.Cut()):
			return false, false
		case !ok:
			return i > 0, true
		case tag == ber.Integer || tag == ber.Enumerated:
			if e.Left > 4 {
				return false, false
			}
			if _, ok := e.Number(); !ok {
				return false, e.Cut()
			}
		case tag == ber.Boolean && e.Left != 1:
			return false, false
		case e.Cut():
			return true, false
		}
	}
	return true, false
}
