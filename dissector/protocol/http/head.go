package http

import (
	"bytes"
	"errors"
	"fmt"

	"shark/dissector"
)

// The limits of what is read as HTTP/1.
const (
	maxHead      = 64 << 10 // head of a message, and the trailers after a body
	maxMethod    = 32       // a method's length
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
	anomaly string
}

func (h *head) odd(what string) {
	if h.anomaly == "" {
		h.anomaly = what
	}
}

// nextLine returns the line at buf[pos:] without its end, and the position after
// it. Lines end in CRLF or in a bare LF.
func nextLine(buf []byte, pos int) (line []byte, next int, err error) {
	i := bytes.IndexByte(buf[pos:], '\n')
	if i < 0 {
		if len(buf) >= maxHead {
			return nil, 0, errHeadTooLong
		}
		return nil, 0, dissector.ErrShort
	}
	if pos+i >= maxHead {
		return nil, 0, errHeadTooLong
	}
	line = buf[pos : pos+i]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, pos + i + 1, nil
}

// headers reads the header lines from buf[pos:] to the empty line.
func headers(buf []byte, pos int) (head, error) {
	h := head{length: -1}
	for next := pos; ; {
		line, after, err := nextLine(buf, next)
		if err != nil {
			return h, err
		}
		if len(line) == 0 {
			h.lines, h.size = buf[pos:next], after
			break
		}
		h.add(line)
		next = after
	}
	if h.folded {
		size := h.size
		var err error
		h, err = headers(unfold(buf[pos:size]), 0)
		h.size = size
		return h, err
	}
	if h.coded && h.length >= 0 {
		h.odd(twoFramings)
	}
	return h, nil
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

// add takes from one header line what framing depends on.
func (h *head) add(line []byte) {
	if line[0] == ' ' || line[0] == '\t' {
		h.folded = true
		return
	}
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		h.odd(noColon)
		return
	}
	name := line[:i]
	if n := len(name); n > 0 && (name[n-1] == ' ' || name[n-1] == '\t') {
		h.odd(spaceBeforeEnd)
		name = bytes.TrimRight(name, " \t")
	}
	switch {
	case h.host == nil && bytes.EqualFold(name, nameHost):
		h.host = trim(line[i+1:])
	case bytes.EqualFold(name, nameUpgrade):
		h.upgrade = trim(line[i+1:])
	case bytes.EqualFold(name, nameLength):
		h.addLength(line[i+1:])
	case bytes.EqualFold(name, nameTransfer):
		h.addCoding(line[i+1:])
	}
}

var (
	nameHost     = []byte("host")
	nameUpgrade  = []byte("upgrade")
	nameLength   = []byte("content-length")
	nameTransfer = []byte("transfer-encoding")
)

func trim(b []byte) []byte { return bytes.Trim(b, " \t") }

// addLength reads a Content-Length: a number, or one number several times
// (RFC 9112, section 6.3).
func (h *head) addLength(v []byte) {
	for {
		one, rest, more := bytes.Cut(v, comma)
		n, ok := decimal(trim(one))
		switch {
		case !ok:
			h.invalid = true
			h.odd(badLength)
		case h.length >= 0 && h.length != n:
			h.invalid = true
			h.odd(twoLengths)
		default:
			h.length = n
		}
		if !more {
			return
		}
		v = rest
	}
}

var comma = []byte(",")

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
