package http

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// methods are those of the IANA registry of HTTP methods, and some that are in
// use without being registered.
var methods = [...]string{
	"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
	"ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK",
	"LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF",
	"MKWORKSPACE", "MOVE", "ORDERPATCH", "PROPFIND", "PROPPATCH", "QUERY", "REBIND",
	"REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE",
	"UPDATEREDIRECTREF", "VERSION-CONTROL",
	"NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "PURGE", "BAN", "SOURCE",
	"RPC_IN_DATA", "RPC_OUT_DATA", "CCM_POST",
}

// longTarget is how much of a path must be seen to believe in a request line
// whose end is not there yet.
const longTarget = 256

// probe wants a status line, or a request line with a known method up to its
// version. A target so long that the line's end is not in head is believed
// when it is a path. Some clients send an empty line first.
func probe(head []byte) dissector.Guess {
	head = head[:min(len(head), maxHead)]
	head = head[lineEnds(head):]
	if n := min(len(head), len(statusPrefix)); string(head[:n]) == statusPrefix[:n] {
		return probeStatus(head)
	}
	space := bytes.IndexByte(head, ' ')
	if space < 0 {
		return probeMethod(head)
	}
	if !isMethod(head[:space]) {
		return dissector.No
	}
	end := bytes.IndexByte(head, '\n')
	if end < 0 {
		return probeTarget(bytes.TrimLeft(head[space+1:], " "))
	}
	_, target, _, ok := requestLine(bytes.TrimSuffix(head[:end], carriage))
	if !ok || len(target) == 0 || !wire.Printable(target, "") {
		return dissector.No
	}
	return dissector.Request
}

var (
	blank    = []byte(" ")
	carriage = []byte("\r")
)

// probeStatus is asked about bytes that begin as a status line does.
func probeStatus(head []byte) dissector.Guess {
	const n = len("HTTP/1.1 200")
	if len(head) <= n {
		template := "HTTP/1.x ddd"
		for i, c := range head {
			if !fits(c, template[i]) {
				return dissector.No
			}
		}
		return dissector.More
	}
	if c := head[n]; c != ' ' && c != '\r' && c != '\n' {
		return dissector.No
	}
	if _, _, _, ok := statusLine(head[:n]); !ok {
		return dissector.No
	}
	return dissector.Response
}

// fits tells whether c may stand where a template has t: d is a digit, x the
// minor version.
func fits(c, t byte) bool {
	switch t {
	case 'd':
		return c >= '0' && c <= '9'
	case 'x':
		return c == '0' || c == '1'
	}
	return c == t
}

// probeMethod is asked about bytes in which nothing follows the method yet.
func probeMethod(head []byte) dissector.Guess {
	for _, m := range methods {
		if len(head) <= len(m) && m[:len(head)] == string(head) {
			return dissector.More
		}
	}
	return dissector.No
}

func isMethod(b []byte) bool {
	for _, m := range methods {
		if m == string(b) {
			return true
		}
	}
	return false
}

// probeTarget is asked about what follows the method in a request line whose end
// is not there yet.
func probeTarget(line []byte) dissector.Guess {
	target, _, _ := bytes.Cut(line, blank)
	switch {
	case !wire.Printable(bytes.TrimSuffix(target, carriage), ""):
		return dissector.No
	case len(target) >= longTarget && target[0] == '/':
		return dissector.Request
	}
	return dissector.More
}
