package ftp

import (
	"bytes"
	"unicode/utf8"

	"shark/dissector"
)

// readLine reads the line at the front of buf; n counts its end too. Some send a bare
// line feed.
func readLine(buf []byte, m *dissector.Message) (line []byte, n int, err error) {
	eol := bytes.IndexByte(buf[:min(len(buf), maxLine)], '\n')
	if eol < 0 {
		if len(buf) >= maxLine {
			return nil, 0, errMalformed
		}
		m.Need = len(buf) + 1
		return nil, 0, dissector.ErrShort
	}
	return bytes.TrimSuffix(buf[:eol], []byte("\r")), eol + 1, nil
}

// printable tells whether a line is text.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// verbOf splits a line into the command, in capitals, and its argument. It is empty
// where there is none that can be one. Telnet's signals, which are sent before ABOR
// (RFC 959 section 4.1.3), are passed over.
func verbOf(line []byte) (verb string, argument []byte) {
	for len(line) > 0 && line[0] >= 0xf0 {
		line = line[1:]
	}
	word, argument := line, []byte(nil)
	if i := bytes.IndexByte(line, ' '); i >= 0 {
		word, argument = line[:i], line[i+1:]
	}
	if len(word) < 3 || len(word) > maxVerb {
		return "", nil
	}
	word = bytes.ToUpper(word)
	for _, c := range word {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return "", nil
		}
	}
	return string(word), argument
}

// clip cuts b to limit bytes, at the end of a character, and says so.
func clip(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	n := limit
	for n > limit-utf8.UTFMax && !utf8.RuneStart(b[n]) {
		n--
	}
	return append(b[:n:n], cutMark...)
}

// number reads a decimal number of a few digits.
func number(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > 5 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
