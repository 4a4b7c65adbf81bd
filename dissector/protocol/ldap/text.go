package ldap

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"shark/dissector/ber"
	"shark/dissector/wire"
)

// text is a text of limited length that is made of messages.
type text struct{ wire.Text }

// octets appends text of the protocol: what is not UTF-8, cannot be shown or is
// among special becomes a backslash and two hexadecimal digits, as RFC 4514 and
// RFC 4515 have it.
func (t *text) octets(r ber.Reader, special string) {
	for b := r.B; len(b) > 0 && !t.Cut; {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n <= 1 && r.Cut() && !utf8.FullRune(b) {
			break // the rest of it is not at hand
		}
		if c == utf8.RuneError && n <= 1 || !unicode.IsPrint(c) || strings.ContainsRune(special, c) {
			for _, o := range b[:n] {
				t.hex(o)
			}
		} else {
			t.Add(string(b[:n]))
		}
		b = b[n:]
	}
	t.Cut = t.Cut || r.Cut()
}

func (t *text) hex(c byte) {
	const digits = "0123456789abcdef"
	t.Add(string([]byte{'\\', digits[c>>4], digits[c&15]}))
}

// secret tells whether an attribute, options and all, holds passwords.
func secret(attribute ber.Reader) bool {
	if len(attribute.B) > 64 {
		return false
	}
	name, _, _ := strings.Cut(string(attribute.B), ";")
	return secrets[strings.ToLower(name)]
}
