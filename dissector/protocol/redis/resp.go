package redis

import "bytes"

// element is one value that has no parts, or the beginning of one that has.
type element struct {
	kind byte   // the byte that it begins with
	data []byte // the line behind kind, or the first maxSeen bytes of a string
	n    int64  // of a string its length, of an aggregate its count, of an integer its value
	next int64  // offset behind the element; behind the bytes at hand when it is a long string
}

// body is the offset of a string's first byte.
func (e *element) body() int64 { return e.next - 2 - e.n }

// malformed is what read returns instead of a length.
const malformed = -1

// read reads the element at buf[pos:]. When that is not all there, need is the length
// of buf from which on it can be read; for no element at all it is malformed.
func read(buf []byte, pos int) (e element, need int) {
	if pos >= len(buf) {
		return e, pos + 1
	}
	n, next := short(buf, pos+1)
	if next == 0 {
		return readLine(buf, pos)
	}
	e.kind, e.n, e.next = buf[pos], n, int64(next)
	switch e.kind {
	case '$', '!', '=':
		return e.readString(buf)
	case '*', '~', '>', '%', '|', ':':
		return e, 0
	}
	return readLine(buf, pos)
}

// short reads the line at buf[pos:] when it is a number of one to three digits, as
// nearly all lines are, and else gives 0 for the offset behind it. It runs for each
// element there is, so it has no loop.
func short(buf []byte, pos int) (n int64, next int) {
	b := buf[pos:]
	switch {
	case len(b) >= 3 && b[1] == '\r':
		if x := b[0] - '0'; x <= 9 && b[2] == '\n' {
			return int64(x), pos + 3
		}
	case len(b) >= 4 && b[2] == '\r':
		if x, y := b[0]-'0', b[1]-'0'; x != 0 && x <= 9 && y <= 9 && b[3] == '\n' {
			return int64(x)*10 + int64(y), pos + 4
		}
	case len(b) >= 5 && b[3] == '\r':
		if x, y, z := b[0]-'0', b[1]-'0', b[2]-'0'; x != 0 && x <= 9 && y <= 9 && z <= 9 && b[4] == '\n' {
			return int64(x)*100 + int64(y)*10 + int64(z), pos + 5
		}
	}
	return 0, 0
}

// wholeText returns where the string at buf[pos:] begins and ends, when all of it is at
// hand and worth seeing; else read says what there is. Most elements are such strings,
// so this does without read's cases.
func wholeText(buf []byte, pos int) (from, to int) {
	if pos > len(buf)-len("$0\r\n\r\n") {
		return 0, 0
	}
	b := buf[pos : pos+6]
	if b[0] != '$' {
		return 0, 0
	}
	x, y := int(b[1]-'0'), int(b[2]-'0')
	switch {
	case b[3] == '\r' && b[4] == '\n' && x <= 9 && y <= 9 && x > 0:
		from, to = pos+5, pos+5+10*x+y
	case b[2] == '\r' && b[3] == '\n' && x <= 9:
		from, to = pos+4, pos+4+x
	case b[4] == '\r' && b[5] == '\n' && x <= 9 && y <= 9 && b[3]-'0' <= 9 && x > 0:
		from, to = pos+6, pos+6+100*x+10*y+int(b[3]-'0')
	default:
		return 0, 0
	}
	if to-from > maxSeen || to > len(buf)-2 || buf[to] != '\r' || buf[to+1] != '\n' {
		return 0, 0
	}
	return from, to
}

// readLine reads an element with any line.
func readLine(buf []byte, pos int) (e element, need int) {
	rest := buf[pos:]
	e.kind = rest[0]
	eol := bytes.IndexByte(rest[:min(len(rest), maxLine)], '\r')
	if eol == 0 {
		return e, malformed
	}
	if eol < 0 || eol+1 == len(rest) {
		if len(rest) >= maxLine || !lineOK(e.kind, rest[1:]) {
			return e, malformed
		}
		return e, len(buf) + 1
	}
	if rest[eol+1] != '\n' {
		return e, malformed
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
		if e.n, ok = number(e.data, true); ok {
			return e.readString(buf)
		}
	default:
		ok = false
	}
	if !ok {
		return e, malformed
	}
	return e, 0
}

// readString goes on with a string whose length line is read.
func (e element) readString(buf []byte) (element, int) {
	if e.n < -1 || e.n > maxString {
		return e, malformed
	}
	if e.data = nil; e.n < 0 { // RESP2's null
		return e, 0
	}
	body, seen := e.next, min(e.n, maxSeen)
	if body+seen > int64(len(buf)) {
		return e, int(body + seen)
	}
	e.data, e.next = buf[body:body+seen], body+e.n+2
	if e.next > int64(len(buf)) {
		if e.n <= maxSeen {
			return e, int(e.next)
		}
		return e, 0
	}
	if buf[e.next-2] != '\r' || buf[e.next-1] != '\n' {
		return e, malformed
	}
	return e, 0
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
	left  int64 // at the innermost level
	depth int   // levels in use; 0 when the value is complete
	outer [maxDepth]int64
}

func (s *nest) start() { s.left, s.depth = 1, 1 }

// take accounts for an element and tells whether its count fits.
func (s *nest) take(kind byte, n int64) bool {
	switch kind {
	case '*', '~', '>':
	case '%':
		n *= 2
	case '|': // pairs that go before a value and are no part of it
		n *= 2
		s.left++
	default:
		n = 0
	}
	if n > 0 {
		if s.depth == maxDepth {
			return false
		}
		s.outer[s.depth] = s.left - 1
		s.left, s.depth = n, s.depth+1
		return true
	}
	s.drop(1)
	return true
}

// drop accounts for n elements without parts, of those left at the innermost level.
func (s *nest) drop(n int64) {
	s.left -= n
	for s.left == 0 {
		if s.depth--; s.depth == 0 {
			return
		}
		s.left = s.outer[s.depth]
	}
}
