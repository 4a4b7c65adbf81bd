package wire

import (
	"bytes"
	"errors"
	"strings"

	"shark/dissector"
)

// ErrLong is what Line says of a line without an end.
var ErrLong = errors.New("line longer than any of its protocol")

// Line reads the line at the front of buf; n counts its end too, which some send as a bare
// line feed. While the end is not there, it is dissector.ErrShort, and m.Need says so; it
// is ErrLong, bare, if limit bytes have no end.
func Line(buf []byte, limit int, m *dissector.Message) (line []byte, n int, err error) {
	eol := bytes.IndexByte(buf[:min(len(buf), limit)], '\n')
	if eol < 0 {
		if len(buf) >= limit {
			return nil, 0, ErrLong
		}
		m.Need = len(buf) + 1
		return nil, 0, dissector.ErrShort
	}
	return bytes.TrimSuffix(buf[:eol], []byte("\r")), eol + 1, nil
}

// Printable tells whether b has no control characters but those of but.
func Printable(b []byte, but string) bool {
	for _, c := range b {
		if (c < ' ' || c == 0x7f) && strings.IndexByte(but, c) < 0 {
			return false
		}
	}
	return true
}

// Digits reads a decimal number of one digit to most, 18 at the most.
func Digits(b []byte, most int) (n int64, ok bool) {
	if len(b) == 0 || len(b) > most {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// Reply reads a line of a reply as FTP and SMTP have it (RFC 959 section 4.2, RFC 5321
// section 4.2.1): a code of three digits, whose meaning is the caller's, and a text. more
// says that a line of the same reply follows.
func Reply(line []byte) (code int64, text []byte, more, ok bool) {
	if len(line) < 3 {
		return 0, nil, false, false
	}
	n, ok := Digits(line[:3], 3)
	if !ok || len(line) == 3 {
		return n, nil, false, ok
	}
	return n, line[4:], line[3] == '-', line[3] == ' ' || line[3] == '-'
}

// MayBeVerb tells whether the beginning of a line has one of the verbs, which are in
// capitals, or may become one.
func MayBeVerb[V any](part []byte, verbs map[string]V) bool {
	word, _, whole := bytes.Cut(part, []byte(" "))
	upper := string(bytes.ToUpper(word))
	if _, known := verbs[upper]; known || whole {
		return known
	}
	for verb := range verbs {
		if len(upper) < len(verb) && verb[:len(upper)] == upper {
			return true
		}
	}
	return false
}
