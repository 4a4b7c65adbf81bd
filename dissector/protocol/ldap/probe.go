package ldap

import "shark/dissector"

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
	if operations[e.op.tag] == "" || e.op.tag == tagIntermediate {
		if guess = dissector.Response; requestOf(e.op.tag) == 0 && e.op.tag != tagIntermediate {
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
func controlled(r *reader) bool {
	if r.left == 0 || len(r.b) == 0 {
		return true
	}
	_, ok := r.take(tagControls)
	return ok && r.left == 0 || !ok && !r.bad
}

// begins tells whether an operation's content begins as it should; short says that
// too little of it is at hand to tell.
func begins(op element) (ok, short bool) {
	r := &op.reader
	switch op.tag {
	case tagUnbindRequest:
		return r.left == 0, false
	case tagAbandonRequest:
		_, ok = r.number()
		return ok, r.cut()
	case tagDelRequest:
		return r.left > 0, false
	case tagSearchRequest:
		return sequence(r, tagOctetString, tagEnumerated, tagEnumerated, tagInteger, tagInteger, tagBoolean)
	case tagSearchEntry:
		return sequence(r, tagOctetString, tagSequence)
	case tagBindRequest:
		return sequence(r, tagInteger, tagOctetString)
	case tagModifyRequest, tagAddRequest, tagCompareRequest:
		return sequence(r, tagOctetString, tagSequence)
	case tagModifyDNRequest:
		return sequence(r, tagOctetString, tagOctetString, tagBoolean)
	case tagSearchReference:
		return sequence(r, tagOctetString)
	case tagExtendedRequest:
		return sequence(r, 0x80)
	case tagIntermediate:
		return r.left == 0 || len(r.b) > 0 && (r.b[0] == 0x80 || r.b[0] == 0x81), r.left > 0 && len(r.b) == 0
	}
	return sequence(r, tagEnumerated, tagOctetString, tagOctetString)
}

// sequence tells whether elements with these tags come first. What a long first one
// pushes out of sight is taken as good.
func sequence(r *reader, tags ...byte) (ok, short bool) {
	for i, tag := range tags {
		e, ok := r.take(tag)
		switch {
		case !ok && (r.bad || !r.cut()):
			return false, false
		case !ok:
			return i > 0, true
		case tag == tagInteger || tag == tagEnumerated:
			if e.left > 4 {
				return false, false
			}
			if _, ok := e.number(); !ok {
				return false, e.cut()
			}
		case tag == tagBoolean && e.left != 1:
			return false, false
		case e.cut():
			return true, false
		}
	}
	return true, false
}
