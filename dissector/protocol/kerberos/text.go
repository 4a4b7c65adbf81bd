package kerberos

import (
	"unicode"
	"unicode/utf8"

	"shark/dissector/ber"
	"shark/dissector/wire"
)

// text is a text of limited length that is made of messages.
type text struct{ wire.Text }

// octets appends text of a message. What is not UTF-8 or cannot be shown becomes a
// backslash and two hexadecimal digits; what is among special gets a backslash.
func (t *text) octets(r ber.Reader, special bool) {
	const digits = "0123456789abcdef"
	for b := r.B; len(b) > 0 && !t.Cut; {
		c, n := utf8.DecodeRune(b)
		switch {
		case c == utf8.RuneError && n <= 1 || !unicode.IsPrint(c):
			for _, o := range b[:n] {
				t.Add(string([]byte{'\\', digits[o>>4], digits[o&15]}))
			}
		case special && (c == '/' || c == '@' || c == '\\'):
			t.Add("\\" + string(c))
		default:
			t.Add(string(b[:n]))
		}
		b = b[n:]
	}
	t.Cut = t.Cut || r.Cut()
}

// principal appends a name, RFC 4120 section 5.2.2, as RFC 1964 section 2.1.1 writes it:
// its components between slashes.
func (t *text) principal(e ber.Element) {
	name := inner(e, ber.Sequence)
	name.Take(context(0)) // name-type
	strings, _ := name.Take(context(1))
	list := inner(strings, ber.Sequence)
	for i := 0; ; i++ {
		part, ok := list.Next()
		if !ok {
			break
		}
		if i > 0 {
			t.Add("/")
		}
		t.octets(part.Reader, true)
	}
	t.Cut = t.Cut || list.Cut()
}

// realm appends the realm of a name.
func (t *text) realm(r ber.Reader) {
	if r.Left > 0 {
		t.Add("@")
		t.octets(r, false)
	}
}
