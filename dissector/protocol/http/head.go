package http

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"shark/dissector"
)

// The limits of what is read as HTTP/1.
const (
	maxHead      = 64 << 10 // head of a message, and the trailers after a body
	maxMethod    = 32       // a method's length
	maxUpgrade   = 64       // what a head that is longer switches to
	maxChunkLine = 4 << 10  // a chunk's size and its extensions
	maxLength    = 1 << 60  // a body's or a chunk's length
)

// The values of the field Anomaly.
const (
	twoFramings    = "both content-length and transfer-encoding"
	twoLengths     = "several content-lengths that differ"
	badLength      = "content-length is not a number"
	badCoding      = "transfer-encoding does not end in chunked"
	spaceBeforeEnd = "space between a header's name and its colon"
	noColon        = "header line without a colon"
	longHead       = "head is too long to be read as a whole"
)

var (
	errHeadTooLong = fmt.Errorf("head is longer than %d bytes", maxHead)
	errRequestLine = errors.New("malformed request line")
	errStatusLine  = errors.New("malformed status line")
)

// head is what the framing of a message depends on. Its slices alias the bytes
// it was read from.
type head struct {
	lines   []byte // the header lines, each with its line end
	size    int    // length from the start line to the empty line, both included
	host    []byte
	upgrade []byte
	length  int64 // Content-Length; -1 when there is none
	invalid bool  // Content-Length cannot be relied on
	coded   bool  // there is a transfer coding
	chunked bool  // the last transfer coding is chunked
	folded  bool  // a header goes on in a next line (RFC 9112, section 5.2)
	odd     bool  // a name begins or ends with what is no part of a token
	typeAt  int   // where in lines the value of the first Content-Type begins; 0 is nowhere
	typeLen int
	anomaly string
	hint    string
}

func (h *head) wrong(what string) {
	if h.anomaly == "" {
		h.anomaly = what
	}
}

// firstLine returns the line at the front of buf without its end, and the position
// after it. Lines end in CRLF or in a bare LF.
func firstLine(buf []byte) (line []byte, next int, err error) {
	i := bytes.IndexByte(buf[:min(len(buf), maxHead)], '\n')
	if i < 0 {
		return nil, 0, unended(buf)
	}
	return withoutCR(buf[:i]), i + 1, nil
}

// unended is the error of bytes in which a line's end is missing.
func unended(buf []byte) error {
	if len(buf) >= maxHead {
		return errHeadTooLong
	}
	return dissector.ErrShort
}

func withoutCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// read reads the header lines from buf[pos:] to the empty line into h, which is
// empty.
func (h *head) read(buf []byte, pos int) error {
	h.length = -1
	seen := buf[:min(len(buf), maxHead)]
	for next := pos; ; {
		i := bytes.IndexByte(seen[next:], '\n')
		if i < 0 {
			h.lines, h.size = buf[pos:next], next
			return unended(buf)
		}
		line := withoutCR(seen[next : next+i])
		if len(line) == 0 {
			h.lines, h.size = buf[pos:next], next+i+1
			break
		}
		h.add(line, next-pos)
		next += i + 1
	}
	if h.folded {
		size := h.size
		*h = head{}
		err := h.read(unfold(buf[pos:size]), 0)
		h.size = size
		return err
	}
	if h.coded && h.length >= 0 {
		h.wrong(twoFramings)
	}
	return nil
}

// unfold returns a copy of header lines in which the line ends inside a header
// are blanks.
func unfold(lines []byte) []byte {
	c := bytes.Clone(lines)
	for i := 1; i+1 < len(c); i++ {
		if c[i] == '\n' && (c[i+1] == ' ' || c[i+1] == '\t') {
			c[i] = ' '
			if c[i-1] == '\r' {
				c[i-1] = ' '
			}
		}
	}
	c[0] = max(c[0], '!') // a first line that begins with a blank continues nothing
	return c
}

// add takes from one header line, at an offset of all of them, what framing depends
// on and where the Content-Type is.
func (h *head) add(line []byte, at int) {
	if line[0] == ' ' || line[0] == '\t' {
		h.folded = true
		return
	}
	i := colon(line)
	if i < 0 {
		h.wrong(noColon)
		return
	}
	name, value := line[:i], line[i+1:]
	if i > 0 && (!isGraphic(line[0]) || !isGraphic(name[i-1])) {
		h.odd = true
		if last := name[i-1]; last == ' ' || last == '\t' {
			h.wrong(spaceBeforeEnd)
			name = bytes.TrimRight(name, " \t")
		}
	}
	switch len(name) { // before the names are looked at: most are none of these
	case len("host"):
		if h.host == nil && (string(name) == "Host" || isFold(name, "host")) {
			h.host = trim(value)
		}
	case len("upgrade"):
		if isFold(name, "upgrade") {
			h.upgrade = trim(value)
		}
	case len("content-type"):
		if h.typeAt == 0 && (string(name) == "Content-Type" || isFold(name, "content-type")) {
			h.typeAt, h.typeLen = at+i+1, len(value)
		}
	case len("content-length"):
		if string(name) == "Content-Length" || isFold(name, "content-length") {
			h.addLength(value)
		}
	case len("transfer-encoding"):
		if isFold(name, "transfer-encoding") {
			h.addCoding(value)
		} else if name[0]|0x20 == 'x' {
			h.hintAt(name)
		}
	case len("x-clickhouse-summary"):
		if isFold(name, "x-clickhouse-summary") {
			h.hint = clickHouse
		}
	}
}

// colon is bytes.IndexByte for the colon behind a name: names are so short that eight
// bytes at a time is faster.
func colon(line []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(line); i += 8 {
		x := binary.LittleEndian.Uint64(line[i:]) ^ ':'*ones
		if zero := (x - ones) &^ x & high; zero != 0 {
			return i + bits.TrailingZeros64(zero)/8
		}
	}
	for ; i < len(line); i++ {
		if line[i] == ':' {
			return i
		}
	}
	return -1
}

// isFold tells whether b is a word of lower-case letters and marks, its case
// ignored. They are of the same length.
func isFold(b []byte, word string) bool {
	for i, c := range b {
		if w := word[i]; c != w && (w < 'a' || c|0x20 != w) {
			return false
		}
	}
	return true
}

func isGraphic(c byte) bool { return c > ' ' && c < 0x7f }

// trim takes the blanks around b away (RFC 9110, section 5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for n := len(b); n > 0 && (b[n-1] == ' ' || b[n-1] == '\t'); n-- {
		b = b[:n-1]
	}
	return b
}

// addLength reads a Content-Length: a number, or one number several times
// (RFC 9112, section 6.3).
func (h *head) addLength(v []byte) {
	for {
		one := v
		end := bytes.IndexByte(v, ',')
		if end >= 0 {
			one = v[:end]
		}
		n, ok := decimal(trim(one))
		switch {
		case !ok:
			h.invalid = true
			h.wrong(badLength)
		case h.length >= 0 && h.length != n:
			h.invalid = true
			h.wrong(twoLengths)
		default:
			h.length = n
		}
		if end < 0 {
			return
		}
		v = v[end+1:]
	}
}

func decimal(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > maxLength/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0 && n <= maxLength
}

// addCoding reads a Transfer-Encoding, of which only the last coding matters for
// framing.
func (h *head) addCoding(v []byte) {
	v = trim(v)
	if i := bytes.LastIndexByte(v, ','); i >= 0 {
		h.coded = true
		v = trim(v[i+1:])
	}
	if bytes.EqualFold(v, identity) {
		return
	}
	h.coded = true
	h.chunked = bytes.EqualFold(v, chunked)
}

var (
	identity = []byte("identity")
	chunked  = []byte("chunked")
)

// requestLine takes a request line apart. A target with blanks in or around it,
// which some clients send, is taken whole.
func requestLine(line []byte) (method, target []byte, version string, ok bool) {
	i := bytes.IndexByte(line, ' ')
	j := bytes.LastIndexByte(line, ' ')
	if i <= 0 || j <= i+1 {
		return nil, nil, "", false
	}
	version, ok = versionOf(line[j+1:])
	return line[:i], trim(line[i+1 : j]), version, ok
}

// statusLine takes a status line apart. The reason phrase, and the blank before
// it, may be absent.
func statusLine(line []byte) (code int, reason []byte, version string, ok bool) {
	if len(line) < len("HTTP/1.1 200") || line[8] != ' ' {
		return 0, nil, "", false
	}
	if version, ok = versionOf(line[:8]); !ok {
		return 0, nil, "", false
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return 0, nil, "", false
		}
		code = code*10 + int(c-'0')
	}
	if rest := line[12:]; len(rest) > 0 {
		if rest[0] != ' ' {
			return 0, nil, "", false
		}
		reason = trim(rest)
	}
	return code, reason, version, code >= 100
}

func versionOf(b []byte) (string, bool) {
	switch string(b) {
	case "HTTP/1.1":
		return "HTTP/1.1", true
	case "HTTP/1.0":
		return "HTTP/1.0", true
	}
	return "", false
}

// isToken tells whether c may stand in a method (RFC 9110, section 5.6.2).
func isToken(c byte) bool {
	switch {
	case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return true
	}
	return bytes.IndexByte(tokenMarks, c) >= 0
}

var tokenMarks = []byte("!#$%&'*+-.^_`|~")
