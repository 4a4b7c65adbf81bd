package wire

import (
	"bytes"
	"unicode/utf8"
)

// CutMark stands where a text or a list goes on.
const CutMark = "..."

// Whole returns b without the beginning of a character at its end, of which the rest is
// missing. Bytes that are no UTF-8 stay.
func Whole(b []byte) []byte {
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return b[:i]
			}
			break
		}
	}
	return b
}

// Cut returns at most limit bytes of a text, and no part of a character where it was cut.
func Cut(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	return Whole(b[:limit])
}

// Clip is Cut with a mark behind what was cut. That is a copy.
func Clip(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	head := Cut(b, limit)
	return append(head[:len(head):len(head)], CutMark...)
}

// AppendLine appends a text as one line of at most limit bytes, blanks and what else
// separates words as one space; a mark behind it says that there is more.
func AppendLine(dst, text []byte, limit int) []byte {
	n := len(dst)
	for word := range bytes.FieldsSeq(Cut(text, 2*limit)) {
		if len(dst) > n {
			dst = append(dst, ' ')
		}
		if dst = append(dst, word...); len(dst)-n > limit {
			return append(dst[:n+len(Cut(dst[n:], limit))], CutMark...)
		}
	}
	return dst
}

// Text is a text of limited length in the making. What does not fit is left out, all that
// is added behind it too, and marked at the end.
type Text struct {
	B   []byte
	Max int  // bytes of B
	Cut bool // something was left out
}

// Reset begins anew, in the same memory.
func (t *Text) Reset(limit int) { t.B, t.Max, t.Cut = t.B[:0], limit, false }

// Add appends s, or nothing of it when it does not fit.
func (t *Text) Add(s string) {
	if t.Cut = t.Cut || len(t.B)+len(s) > t.Max; !t.Cut {
		t.B = append(t.B, s...)
	}
}

// Bytes returns the text, which stays t's.
func (t *Text) Bytes() []byte {
	if t.Cut {
		return append(t.B, CutMark...)
	}
	return t.B
}
