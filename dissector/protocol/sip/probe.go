package sip

import (
	"bytes"

	"shark/dissector"
)

// methods are those that are registered.
var methods = []string{
	"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE",
}

// probe knows a message by its start line.
func probe(b []byte) dissector.Guess {
	b = b[pad(b):]
	line, _, ended := bytes.Cut(b[:min(len(b), maxProbe)], []byte("\n"))
	if ended {
		var h head
		line, crlf := bytes.CutSuffix(line, []byte("\r"))
		switch {
		case !crlf || !h.startLine(line):
			return dissector.No
		case h.request:
			return dissector.Request
		}
		return dissector.Response
	}
	if len(b) >= maxProbe {
		return dissector.No
	}
	first, _, whole := bytes.Cut(line, []byte(" "))
	for _, c := range line {
		if c < ' ' && c != '\r' || c == 0x7f {
			return dissector.No
		}
	}
	if begins(first, "SIP/2.0", whole) {
		return dissector.More
	}
	for _, method := range methods {
		if begins(first, method, whole) {
			return dissector.More
		}
	}
	return dissector.No
}

// begins tells whether b is word, or its beginning where b is not whole.
func begins(b []byte, word string, whole bool) bool {
	return len(b) <= len(word) && word[:len(b)] == string(b) && (!whole || len(b) == len(word))
}
