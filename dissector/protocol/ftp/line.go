package ftp

import (
	"bytes"

	"shark/dissector/wire"
)

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

// printable tells whether a line is text.
func printable(b []byte) bool { return wire.Printable(b, "\t") }
