package tds

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// appendText appends a text of two bytes a character as UTF-8, at most limit bytes of it;
// cut says that there is more.
func appendText(dst, b []byte, limit int) (out []byte, cut bool) {
	n := len(dst)
	for ; len(b) >= 2; b = b[2:] {
		c := rune(b[0]) | rune(b[1])<<8
		if utf16.IsSurrogate(c) {
			if low := utf8.RuneError; len(b) >= 4 {
				low = utf16.DecodeRune(c, rune(b[2])|rune(b[3])<<8)
				if c = low; low != utf8.RuneError {
					b = b[2:]
				}
			} else {
				c = low
			}
		}
		if len(dst)-n+utf8.RuneLen(c) > limit {
			return dst, true
		}
		dst = utf8.AppendRune(dst, c)
	}
	return dst, false
}

// decode is appendText for a name or the text of an error.
func decode(b []byte) []byte {
	out, _ := appendText(nil, b, maxText)
	return out
}

// appendLine appends a text as one line of at most limit bytes.
func appendLine(dst, text []byte, limit int) []byte {
	n := len(dst)
	for word := range bytes.FieldsSeq(text[:min(len(text), 2*limit)]) {
		if len(dst) > n {
			dst = append(dst, ' ')
		}
		if dst = append(dst, word...); len(dst)-n > limit {
			end := n + limit
			for end > n && !utf8.RuneStart(dst[end]) {
				end--
			}
			return append(dst[:end], "..."...)
		}
	}
	return dst
}

// mask returns a statement with *** for the literals that may be passwords: those behind
// the word PASSWORD, or behind PWD= in a connection string, and all of what calls a
// procedure that sets one.
func mask(query []byte) []byte {
	from := len(query)
	for _, word := range []string{"password", "pwd=", "sp_addlogin", "encryption by"} {
		if i := indexFold(query, word); i >= 0 {
			from = min(from, i)
		}
	}
	if from == len(query) {
		return query
	}
	if i := bytes.LastIndexByte(query[:from], '\''); i >= 0 && bytes.Count(query[:from], []byte("'"))%2 == 1 {
		from = i // the word stands in a literal
	}
	out := append([]byte(nil), query[:from]...)
	for i := from; i < len(query); i++ {
		if query[i] != '\'' {
			out = append(out, query[i])
			continue
		}
		for i++; i < len(query) && (query[i] != '\'' || i+1 < len(query) && query[i+1] == '\''); i++ {
			if query[i] == '\'' {
				i++
			}
		}
		out = append(out, "'***'"...)
	}
	return out
}

// indexFold is the place of a word in small letters, whatever the case of b.
func indexFold(b []byte, word string) int {
	for i := 0; i+len(word) <= len(b); i++ {
		if b[i]|0x20 == word[0] && bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			return i
		}
	}
	return -1
}
