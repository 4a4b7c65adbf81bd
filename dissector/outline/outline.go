// Package outline writes what a message says as lines of text for those who look at it:
// a name and a value each, what is part of something else indented. What comes from the
// network is written so that a terminal shows it as it is, and nothing grows over a limit.
package outline

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Limits of what is written.
const (
	MaxValue = 512 // bytes of a value that are looked at
	maxName  = 128 // bytes of a name
	maxDepth = 64  // levels that are indented
)

// Writer is an outline in the making. New makes one.
type Writer struct {
	out          []byte
	depth, limit int
	full         bool
}

// New returns an outline of at most limit bytes.
func New(limit int) *Writer { return &Writer{limit: limit} }

// Full tells whether the limit is reached: what is said from here on is not written.
func (w *Writer) Full() bool { return w.full }

// Bytes returns the outline. Its last line says so if the limit was reached.
func (w *Writer) Bytes() []byte { return w.out }

// Group writes a name, and indents what is said until inside returns.
func (w *Writer) Group(name string, inside func()) {
	w.line(name)
	w.depth++
	inside()
	w.depth--
}

// Say writes a value of the program's own words.
func (w *Writer) Say(name, value string) { w.value(name, []byte(value)) }

// Text writes text that was sent, what of it cannot be shown as a backslash and two
// hexadecimal digits.
func (w *Writer) Text(name string, value []byte) { w.value(name, Printable(nil, value)) }

// Number writes a number.
func (w *Writer) Number(name string, n int64) { w.value(name, strconv.AppendInt(nil, n, 10)) }

// Unsigned writes a number that is never negative.
func (w *Writer) Unsigned(name string, n uint64) { w.value(name, strconv.AppendUint(nil, n, 10)) }

// Named writes a number with the word for it, if there is one.
func (w *Writer) Named(name string, n int64, word string) {
	value := strconv.AppendInt(nil, n, 10)
	if word != "" {
		value = append(append(append(value, " ("...), word...), ')')
	}
	w.value(name, value)
}

// Hex writes a number in hexadecimal, with at least as many digits.
func (w *Writer) Hex(name string, n uint64, digits int) {
	s := strconv.FormatUint(n, 16)
	w.value(name, append(append([]byte("0x"), bytes.Repeat([]byte("0"), max(0, digits-len(s)))...), s...))
}

// Flag writes a truth value.
func (w *Writer) Flag(name string, on bool) { w.value(name, strconv.AppendBool(nil, on)) }

// Size writes of bytes only how many they are.
func (w *Writer) Size(name string, n int64) {
	w.value(name, append(strconv.AppendInt(nil, n, 10), " bytes"...))
}

// Octets writes bytes: text as text, others in hexadecimal.
func (w *Writer) Octets(name string, value []byte) {
	front := value[:min(len(value), MaxValue)]
	switch {
	case IsText(front):
		w.Text(name, value)
	case len(front) < len(value):
		w.value(name, append(hex.AppendEncode(nil, front), "..."...))
	default:
		w.value(name, hex.AppendEncode(nil, front))
	}
}

// Secret writes that there is a value, which is not shown.
func (w *Writer) Secret(name string) { w.value(name, []byte("***")) }

// value writes a line with a value.
func (w *Writer) value(name string, value []byte) {
	w.line(name, ": ", string(value))
}

// line writes a line, if there is room for it.
func (w *Writer) line(parts ...string) {
	const more = "...\n"
	size := 2*min(w.depth, maxDepth) + len("\n")
	for _, s := range parts {
		size += len(s)
	}
	if w.full || len(w.out)+size > w.limit-len(more) {
		if !w.full && w.limit >= len(more) {
			w.out = append(w.out, more...)
		}
		w.full = true
		return
	}
	for range min(w.depth, maxDepth) {
		w.out = append(w.out, "  "...)
	}
	for _, s := range parts {
		w.out = append(w.out, s...)
	}
	w.out = append(w.out, '\n')
}

// Name is text that was sent as the name of a line.
func Name(b []byte) string {
	if len(b) > maxName {
		return string(Printable(nil, b[:maxName])) + "..."
	}
	return string(Printable(nil, b))
}

// Printable appends the first MaxValue bytes of text that was sent as it can be shown; three
// dots stand for the rest.
func Printable(dst, b []byte) []byte {
	const digits = "0123456789abcdef"
	front := b[:min(len(b), MaxValue)]
	for len(front) > 0 {
		c, n := utf8.DecodeRune(front)
		if c == utf8.RuneError && n <= 1 || !unicode.IsPrint(c) {
			for _, o := range front[:n] {
				dst = append(dst, '\\', digits[o>>4], digits[o&15])
			}
		} else {
			dst = append(dst, front[:n]...)
		}
		front = front[n:]
	}
	if len(b) > MaxValue {
		dst = append(dst, "..."...)
	}
	return dst
}

// IsText tells whether bytes are text, which may be cut inside its last letter.
func IsText(b []byte) bool {
	for i := 0; i < len(b); {
		c, n := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && n <= 1 {
			return i > 0 && len(b)-i < utf8.UTFMax && !utf8.FullRune(b[i:])
		}
		if !unicode.IsPrint(c) && !unicode.IsSpace(c) {
			return false
		}
		i += n
	}
	return true
}

// IsSecret tells whether what is named so is a credential by its name.
func IsSecret(name []byte) bool {
	name = bytes.ToLower(name)
	for _, part := range []string{"passw", "pwd", "passphrase", "token", "secret", "credential", "authorization", "apikey", "api-key", "api_key"} {
		if bytes.Contains(name, []byte(part)) {
			return true
		}
	}
	return false
}
