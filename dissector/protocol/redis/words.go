package redis

import (
	"bytes"
	"encoding/hex"
	"strings"
)

// A server splits an inline command into words with blanks between them, which may stand in
// quotes. In double ones there may be escapes, in single ones that of a quote.

// inQuotes calls add for each word of a line; it is good until the next one. It returns false for
// a line that a server refuses, since its quotes do not match. add may be nil, to know that.
func inQuotes(line []byte, add func([]byte)) bool {
	var word []byte
	for {
		line = bytes.TrimLeft(line, blanks)
		if len(line) == 0 {
			return true
		}
		word = word[:0]
		for len(line) > 0 && !isBlank(line[0]) {
			if line[0] != '"' && line[0] != '\'' {
				word, line = append(word, line[0]), line[1:]
				continue
			}
			var ok bool
			if word, line, ok = unquote(word, line); !ok {
				return false
			}
		}
		if add != nil {
			add(word)
		}
	}
}

// unquote appends to word what stands in the quotes that line begins with, and returns what is
// behind them: nothing, or a blank.
func unquote(word, line []byte) (_, rest []byte, ok bool) {
	quote := line[0]
	for line = line[1:]; len(line) > 0; line = line[1:] {
		switch c := line[0]; {
		case c == quote:
			rest = line[1:]
			return word, rest, len(rest) == 0 || isBlank(rest[0])
		case c != '\\' || len(line) == 1 || quote == '\'' && line[1] != '\'':
			word = append(word, c)
		case quote == '"' && len(line) >= 4 && line[1] == 'x' && isHex(line[2:4]):
			word, _ = hex.AppendDecode(word, line[2:4])
			line = line[3:]
		default:
			line = line[1:]
			word = append(word, escaped(line[0]))
		}
	}
	return word, nil, false
}

// blanks are what may stand between words.
const blanks = " \t\r"

func isBlank(c byte) bool { return strings.IndexByte(blanks, c) >= 0 }

func isHex(b []byte) bool {
	_, err := hex.AppendDecode(nil, b)
	return err == nil
}

// escaped is what stands for a letter behind a backslash.
func escaped(c byte) byte {
	if i := bytes.IndexByte([]byte("nrtba"), c); i >= 0 {
		return "\n\r\t\b\a"[i]
	}
	return c
}
