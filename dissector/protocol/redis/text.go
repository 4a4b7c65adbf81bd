package redis

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// appendWord appends a word so that it can be read and told from its neighbours.
func appendWord(dst, b []byte, cut bool) []byte {
	if !cut && simple(b) {
		return append(dst, b...)
	}
	quote := len(b) == 0 || bytes.IndexByte(b, ' ') >= 0
	if quote {
		dst = append(dst, '"')
	}
	dst = appendSafe(dst, b)
	if cut {
		dst = append(dst, "..."...)
	}
	if quote {
		dst = append(dst, '"')
	}
	return dst
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// special tells whether x has a blank or a byte that is not shown as it is. Eight bytes
// at a time, since most of what Redis is told goes through here.
func special(x uint64) bool {
	quote, slash := x^'"'*ones, x^'\\'*ones
	return (x|(x+ones)|(x-'!'*ones)|(quote-ones)&^quote|(slash-ones)&^slash)&highs != 0
}

// simple tells whether b can be shown as it is, and is a word.
func simple(b []byte) bool {
	if len(b) < 8 {
		for _, c := range b {
			if c == ' ' || !plain[c] {
				return false
			}
		}
		return len(b) > 0
	}
	for i := 0; i < len(b)-8; i += 8 {
		if special(binary.LittleEndian.Uint64(b[i:])) {
			return false
		}
	}
	return !special(binary.LittleEndian.Uint64(b[len(b)-8:]))
}

// plain are the bytes that are shown as they are.
var plain = func() (t [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		t[c] = c != '\\' && c != '"'
	}
	return t
}()

// appendSafe appends b with the bytes that cannot be shown as \xNN.
func appendSafe(dst, b []byte) []byte {
	for {
		n := len(dst)
		dst = slices.Grow(dst, 2*len(b))[:n+2*len(b)]
		used, made := escape(dst[n:], b)
		if dst, b = dst[:n+made], b[used:]; len(b) == 0 {
			return dst
		}
		dst, used = appendEscaped(dst, b)
		b = b[used:]
	}
}

// escape writes to dst what it can of b: plain bytes, and quotation marks and
// backslashes, of which JSON is full. It returns how much of b that was and what it
// wrote.
func escape(dst, b []byte) (used, made int) {
	for _, c := range b {
		if !plain[c] {
			if c != '"' && c != '\\' {
				break
			}
			dst[made] = '\\'
			made++
		}
		dst[made] = c
		made++
		used++
	}
	return used, made
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends the character that b begins with, which is not plain, and
// returns its length in b.
func appendEscaped(dst, b []byte) ([]byte, int) {
	c := b[0]
	if c >= utf8.RuneSelf {
		if r, n := utf8.DecodeRune(b); r != utf8.RuneError && r >= 0xa0 {
			return append(dst, b[:n]...), n
		}
	}
	switch c {
	case '\n':
		return append(dst, '\\', 'n'), 1
	case '\r':
		return append(dst, '\\', 'r'), 1
	}
	return append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15]), 1
}
