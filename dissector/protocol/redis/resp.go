package redis

import (
	"bytes"

	"shark/dissector"
)

// element is one value that has no parts, or the beginning of one that has.
type element struct {
	kind byte   // the byte that it begins with
	data []byte // the line behind kind, or the first maxSeen bytes of a string
	n    int64  // of a string its length, of an aggregate its count, of an integer its value
	body int64  // offset of a string's first byte
	next int64  // offset behind the element; behind the bytes at hand when it is a long string
}

// read reads the element at buf[pos:]. With ErrShort, need is the length of buf
// from which on it can be read.
func read(buf []byte, pos int) (e element, need int, err error) {
	rest := buf[pos:]
	if len(rest) == 0 {
		return e, pos + 1, dissector.ErrShort
	}
	e.kind = rest[0]
	eol := lineEnd(rest[:min(len(rest), maxLine)])
	if eol == 0 {
		return e, 0, errMalformed
	}
	if eol < 0 || eol+1 == len(rest) {
		if len(rest) >= maxLine || !lineOK(e.kind, rest[1:]) {
			return e, 0, errMalformed
		}
		return e, len(buf) + 1, dissector.ErrShort
	}
	if rest[eol+1] != '\n' {
		return e, 0, errMalformed
	}
	e.data, e.next = rest[1:eol], int64(pos+eol+2)
	ok := true
	switch e.kind {
	case '+', '-', '(', ',':
	case ':':
		e.n, ok = number(e.data, true)
	case '#':
		ok = len(e.data) == 1 && (e.data[0] == 't' || e.data[0] == 'f')
	case '_':
		ok = len(e.data) == 0
	case '*', '~', '>', '%', '|':
		e.n, ok = number(e.data, e.kind == '*')
		ok = ok && e.n >= -1 && e.n <= maxCount
	case '$', '!', '=':
		return e.readString(buf)
	default:
		ok = false
	}
	if !ok {
		return e, 0, errMalformed
	}
	return e, 0, nil
}

// lineEnd is bytes.IndexByte for '\r', which is near: most lines are the length of
// a string. On generated traffic it saves a twentieth of the time for Redis.
func lineEnd(b []byte) int {
	for i, c := range b[:min(len(b), 8)] {
		if c == '\r' {
			return i
		}
	}
	return bytes.IndexByte(b, '\r')
}

// readString goes on with a string whose length line is read.
func (e element) readString(buf []byte) (element, int, error) {
	n, ok := number(e.data, true)
	if !ok || n < -1 || n > maxString {
		return e, 0, errMalformed
	}
	if e.n, e.body, e.data = n, e.next, nil; n < 0 { // RESP2's null
		return e, 0, nil
	}
	seen := min(n, maxSeen)
	if e.body+seen > int64(len(buf)) {
		return e, int(e.body + seen), dissector.ErrShort
	}
	e.data, e.next = buf[e.body:e.body+seen], e.body+n+2
	if n <= maxSeen && e.next > int64(len(buf)) {
		return e, int(e.next), dissector.ErrShort
	}
	if e.next <= int64(len(buf)) && (buf[e.next-2] != '\r' || buf[e.next-1] != '\n') {
		return e, 0, errMalformed
	}
	return e, 0, nil
}

// lineOK tells whether an element that begins so may still become one: the
// length lines are short, so a long wait for their end is pointless.
func lineOK(kind byte, line []byte) bool {
	switch kind {
	case '+', '-', '(', ',':
		return true
	case ':', '#', '_', '*', '~', '>', '%', '|', '$', '!', '=':
		return len(line) <= 21
	}
	return false
}

// number parses a decimal number without leading zeros.
func number(b []byte, signed bool) (n int64, ok bool) {
	neg := false
	if signed && len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 19 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

// nest keeps count of the elements that are still to come, per level.
type nest struct {
	left  [maxDepth]int64
	depth int // levels in use; 0 when the value is complete
}

func (s *nest) start() { s.left[0], s.depth = 1, 1 }

// take accounts for an element and tells whether its count fits.
func (s *nest) take(e element) bool {
	s.left[s.depth-1]--
	n := int64(0)
	switch e.kind {
	case '*', '~', '>':
		n = e.n
	case '%':
		n = 2 * e.n
	case '|': // pairs that go before a value and are no part of it
		n = 2 * e.n
		s.left[s.depth-1]++
	}
	if n > 0 {
		if s.depth == maxDepth {
			return false
		}
		s.left[s.depth] = n
		s.depth++
	}
	for s.depth > 0 && s.left[s.depth-1] == 0 {
		s.depth--
	}
	return true
}
