package ldap

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"shark/dissector/ber"
)

// text is a text of limited length in the making. What does not fit is left out
// and marked at the end.
type text struct {
	b   []byte
	max int
	cut bool
}

func (t *text) reset(limit int) { t.b, t.max, t.cut = t.b[:0], limit, false }

// add appends s, or nothing of it when it does not fit.
func (t *text) add(s string) {
	if t.cut = t.cut || len(t.b)+len(s) > t.max; !t.cut {
		t.b = append(t.b, s...)
	}
}

// octets appends text of the protocol: what is not UTF-8, cannot be shown or is
// among special becomes a backslash and two hexadecimal digits, as RFC 4514 and
// RFC 4515 have it.
func (t *text) octets(r ber.Reader, special string) {
	for b := r.B; len(b) > 0 && !t.cut; {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n <= 1 && r.Cut() && !utf8.FullRune(b) {
			break // the rest of it is not at hand
		}
		if c == utf8.RuneError && n <= 1 || !unicode.IsPrint(c) || strings.ContainsRune(special, c) {
			for _, o := range b[:n] {
				t.hex(o)
			}
		} else {
			t.add(string(b[:n]))
		}
		b = b[n:]
	}
	t.cut = t.cut || r.Cut()
}

func (t *text) hex(c byte) {
	const digits = "0123456789abcdef"
	t.add(string([]byte{'\\', digits[c>>4], digits[c&15]}))
}

// bytes returns the text, which stays t's.
func (t *text) bytes() []byte {
	if t.cut {
		return append(t.b, cutMark...)
	}
	return t.b
}

// secret tells whether an attribute, options and all, holds passwords.
func secret(attribute ber.Reader) bool {
	if len(attribute.B) > 64 {
		return false
	}
	name, _, _ := strings.Cut(string(attribute.B), ";")
	return secrets[strings.ToLower(name)]
}
