package index

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// clean returns b as text that may be stored.
func (c *encoder) clean(b []byte) []byte {
	from := len(c.arena)
	c.arena = appendText(c.arena, b)
	return c.arena[from:]
}

// cleanText tells whether b is valid UTF-8 without NUL, which ends a text for
// many readers of SQLite. Most texts are ASCII, which eight bytes at a time tell.
func cleanText(b []byte) bool {
	for len(b) >= 8 {
		const ones, highs = 0x0101010101010101, 0x8080808080808080
		// A NUL gives its high bit, a byte that is not ASCII has it.
		w := binary.LittleEndian.Uint64(b)
		if ((w-ones)|w)&highs != 0 {
			return cleanRunes(b)
		}
		b = b[8:]
	}
	for _, c := range b {
		if c-1 >= utf8.RuneSelf-1 {
			return cleanRunes(b)
		}
	}
	return true
}

func cleanRunes(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// appendText appends b with U+FFFD for each NUL and each byte that is not part
// of a valid UTF-8 sequence.
func appendText(dst, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == 0 {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		b = b[n:]
	}
	return dst
}
