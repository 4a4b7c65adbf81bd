package xmpp

import (
	"bytes"

	"shark/dissector"
)

// probe knows the header of a stream, whose sender is the server if it gives the stream
// an id (RFC 6120 section 4.7.3). A stanza, from which no more is seen than that a
// client's often does not say whom it is from, may be one.
func probe(b []byte) dissector.Guess {
	b = b[:min(len(b), maxProbe)]
	n, ok := prolog(b)
	if !ok {
		return dissector.No
	}
	more := dissector.More
	if len(b) >= maxProbe {
		more = dissector.No
	}
	text := b[n:]
	if len(text) == 0 {
		return more
	}
	t, _, ok := readTag(text)
	if !ok {
		if mayBegin(text) {
			return more
		}
		return dissector.No
	}
	if isHeader(&t) {
		if _, hasID := t.attribute("id"); hasID {
			return dissector.Response
		}
		return dissector.Request
	}
	if !isStanza(&t) {
		return dissector.No
	}
	if _, hasFrom := t.attribute("from"); hasFrom {
		return dissector.MaybeResponse
	}
	return dissector.MaybeRequest
}

// isStanza tells whether a tag opens a stanza with attributes that it must have.
func isStanza(t *tag) bool {
	kind, _ := t.attribute("type")
	switch string(t.name) {
	case "iq":
		_, ok := t.attribute("id")
		switch string(kind) {
		case "get", "set", "result", "error":
			return ok
		}
	case "message", "presence":
		_, to := t.attribute("to")
		_, from := t.attribute("from")
		return to || from
	}
	return false
}

// mayBegin tells whether a tag that is not whole may be one that the probe knows.
func mayBegin(b []byte) bool {
	name, _, whole := bytes.Cut(b, []byte(" "))
	for _, known := range []string{"<stream:stream", "<iq", "<message", "<presence"} {
		if whole && string(name) == known || !whole && len(name) <= len(known) && known[:len(name)] == string(name) {
			return true
		}
	}
	return false
}
