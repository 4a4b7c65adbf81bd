package syslog

import (
	"bytes"
	"slices"
)

// header is what comes before a message's text. Its parts are empty where they are
// not sent or are NILVALUE.
type header struct {
	pri                          int
	format                       string
	time, host, app, proc, msgID []byte
	data                         []byte // structured data
	size                         int    // bytes before the text
}

// The forms of a header.
const (
	modern = "rfc5424"
	bsd    = "rfc3164"
	bare   = "pri"
)

// readHeader reads the header of a message, of which b is the front.
func readHeader(b []byte) (h header, ok bool) {
	pri, n, ok := priority(b)
	if !ok || n == 0 {
		return h, false
	}
	if h, ok = readModern(b, n); !ok {
		if h, ok = readBSD(b, n); !ok {
			h = header{format: bare, size: n}
		}
	}
	h.pri = pri
	return h, true
}

// priority reads PRI (RFC 5424 section 6.2.1). n is 0 where b ends in it.
func priority(b []byte) (pri, n int, ok bool) {
	for i, c := range b {
		switch {
		case i == 0:
			if c != '<' {
				return 0, 0, false
			}
		case c == '>':
			return pri, i + 1, i > 1
		case c < '0' || c > '9' || i > 1 && pri == 0:
			return 0, 0, false
		default:
			if pri = pri*10 + int(c-'0'); pri >= len(priorities) {
				return 0, 0, false
			}
		}
	}
	return 0, 0, true
}

// readModern reads what is behind the priority, which takes n bytes, as RFC 5424
// section 6 has it. It wants all of the header.
func readModern(b []byte, n int) (h header, ok bool) {
	rest, ok := bytes.CutPrefix(b[n:], []byte("1 "))
	if !ok {
		return h, false
	}
	h.format = modern
	for _, part := range []struct {
		to    *[]byte
		limit int
	}{{&h.time, maxMsgID}, {&h.host, maxHost}, {&h.app, maxApp}, {&h.proc, maxProc}, {&h.msgID, maxMsgID}} {
		var word []byte
		if word, rest, ok = token(rest, part.limit); !ok {
			return h, false
		}
		if string(word) != "-" {
			*part.to = word
		}
	}
	if len(h.time) > 0 && !isRFC3339(h.time) {
		return h, false
	}
	size, ok := structured(rest, func(_, _, _ []byte) {})
	if !ok {
		return h, false
	}
	if rest[0] == '[' {
		h.data = rest[:size]
	}
	if rest = rest[size:]; len(rest) > 0 {
		if rest[0] != ' ' {
			return h, false
		}
		rest = bytes.TrimPrefix(rest[1:], []byte("\ufeff")) // RFC 5424 section 6.4
	}
	h.size = len(b) - len(rest)
	return h, true
}

// token takes a word of printable ASCII and the blank behind it.
func token(b []byte, limit int) (word, rest []byte, ok bool) {
	i := bytes.IndexByte(b[:min(len(b), limit+1)], ' ')
	if i <= 0 {
		return nil, nil, false
	}
	for _, c := range b[:i] {
		if c < '!' || c > '~' {
			return nil, nil, false
		}
	}
	return b[:i], b[i+1:], true
}

// structured reads STRUCTURED-DATA (RFC 5424 section 6.3), calls each for every
// parameter, and for an element that has none, and returns its length.
func structured(b []byte, each func(id, name, value []byte)) (size int, ok bool) {
	if len(b) > 0 && b[0] == '-' {
		return 1, true
	}
	i := 0
	for i < len(b) && b[i] == '[' {
		id := sdName(b[i+1:])
		i += 1 + len(id)
		if len(id) == 0 || i == len(b) {
			return 0, false
		}
		if b[i] == ']' {
			each(id, nil, nil)
		}
		for b[i] == ' ' {
			name := sdName(b[i+1:])
			i += 1 + len(name)
			if len(name) == 0 || !bytes.HasPrefix(b[i:], []byte(`="`)) {
				return 0, false
			}
			n := quoted(b[i+2:])
			if n < 0 || i+n+3 >= len(b) {
				return 0, false
			}
			each(id, name, b[i+2:i+2+n])
			i += n + 3
		}
		if b[i] != ']' {
			return 0, false
		}
		i++
	}
	return i, i > 0
}

// sdName returns the SD-NAME at the front of b (RFC 5424 section 6.3.2).
func sdName(b []byte) []byte {
	for i, c := range b[:min(len(b), maxName+1)] {
		if c <= ' ' || c > '~' || c == '=' || c == ']' || c == '"' {
			return b[:i]
		}
	}
	return nil
}

// quoted returns how long the value at the front of b is, up to its quotation mark;
// -1 where it has none.
func quoted(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// readBSD reads what is behind the priority as RFC 3164 section 4.1 describes it, or
// with a time stamp of RFC 3339, as is sent too.
func readBSD(b []byte, n int) (h header, ok bool) {
	rest := b[n:]
	h.format = bsd
	if len(rest) > len(stampForm) && rest[len(stampForm)] == ' ' && isStamp(rest[:len(stampForm)]) {
		h.time, rest = rest[:len(stampForm)], rest[len(stampForm)+1:]
	} else if word, behind, ok := token(rest, maxMsgID); ok && isRFC3339(word) {
		h.time, rest = word, behind
	} else {
		return h, false
	}
	word, behind, spaced := token(rest, maxHost)
	if app, proc, ok := tag(word); spaced && ok {
		h.app, h.proc, rest = app, proc, behind
	} else if spaced {
		h.host, rest = word, behind
		word, behind, spaced = token(rest, maxApp+maxProc)
		if app, proc, ok := tag(word); spaced && ok {
			h.app, h.proc, rest = app, proc, behind
		}
	}
	h.size = len(b) - len(rest)
	return h, true
}

// tag takes a TAG apart: name, the process in brackets, and the colon behind them, of
// which one may be missing.
func tag(word []byte) (app, proc []byte, ok bool) {
	app, colon := bytes.CutSuffix(word, []byte(":"))
	if i := bytes.IndexByte(app, '['); i > 0 && app[len(app)-1] == ']' {
		return app[:i], app[i+1 : len(app)-1], true
	}
	return app, nil, colon && len(app) > 0
}

// stampForm is how a time stamp of RFC 3164 looks: the day may begin with a blank.
const stampForm = "Mmm 01 00:00:00"

func isStamp(b []byte) bool {
	if !slices.Contains(months[:], string(b[:3])) {
		return false
	}
	for i := 3; i < len(stampForm); i++ {
		digit := b[i] >= '0' && b[i] <= '9'
		switch c := stampForm[i]; {
		case i == 4 && b[i] == ' ':
		case (c == '0' || c == '1') && !digit, (c == ' ' || c == ':') && b[i] != c:
			return false
		}
	}
	return true
}

// rfc3339Form is how a time of RFC 3339 begins. A fraction and a zone follow.
const rfc3339Form = "0000-00-00T00:00:00"

func isRFC3339(b []byte) bool {
	if len(b) <= len(rfc3339Form) {
		return false
	}
	for i, c := range []byte(rfc3339Form) {
		if digit := b[i] >= '0' && b[i] <= '9'; digit != (c == '0') || !digit && b[i] != c {
			return false
		}
	}
	rest := b[len(rfc3339Form):]
	if rest[0] == '.' {
		rest = bytes.TrimLeft(rest[1:], "0123456789")
	}
	return string(rest) == "Z" || len(rest) == len("+00:00") && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':'
}
