package ws

import (
	"bytes"
	"slices"
	"strings"
)

// masked stands where a secret was.
const masked = "***"

// hideSecrets returns text without the values of JSON's keys and of headers (STOMP
// begins with them) that are named like credentials. The JSON may stand in a string of
// other JSON, as SockJS sends it, with backslashes before its quotes.
func hideSecrets(text []byte) []byte {
	var out []byte
	done := 0
	for at := 0; ; {
		i := bytes.IndexByte(text[at:], ':')
		if i < 0 {
			break
		}
		at += i + 1
		name, quoted := nameBefore(text[:at-1])
		if !secretName(name) {
			continue
		}
		from, to := valueAt(text, at, quoted)
		if from == to {
			continue
		}
		out = append(append(out, text[done:from]...), masked...)
		at, done = to, to
	}
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
}

// nameBefore returns the name that b ends with: in quotes, or at the beginning of a
// line, which may be written \n.
func nameBefore(b []byte) (name []byte, quoted bool) {
	b = bytes.TrimRight(b, " \t\r\n")
	if quoted = bytes.HasSuffix(b, []byte(`"`)); quoted {
		b = bytes.TrimRight(b[:len(b)-1], `\`)
	}
	i := len(b)
	for i > 0 && isName(b[i-1]) {
		i--
	}
	name, b = b[i:], b[:i]
	switch {
	case quoted:
		return name, bytes.HasSuffix(b, []byte(`"`))
	case bytes.HasSuffix(b, []byte(`\`)) && len(name) > 0 && (name[0] == 'n' || name[0] == 'r'):
		return name[1:], false
	case len(b) == 0 || b[len(b)-1] == '\n' || b[len(b)-1] == '"':
		return name, false
	}
	return nil, false
}

func isName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// joints are what stands between the words of a name.
var joints = strings.NewReplacer("-", "", "_", "", ".", "")

// secretName tells whether a value so named is a credential. Numbers of tokens are not.
func secretName(name []byte) bool {
	s := joints.Replace(strings.ToLower(string(name)))
	for _, part := range []string{"authorization", "password", "passwd", "passcode", "passphrase", "secret", "apikey", "credential"} {
		if strings.Contains(s, part) {
			return true
		}
	}
	return strings.HasSuffix(s, "token") || slices.Contains([]string{"auth", "pass", "pwd", "jwt"}, s)
}

// valueAt returns where the value behind a colon is. One that is cut goes on to the end.
func valueAt(b []byte, at int, quoted bool) (from, to int) {
	if !quoted {
		return at, at + lineEnd(b[at:], b[0] == '[' || b[0] == '{' || bytes.ContainsRune(b[:at], '"'))
	}
	for at < len(b) && strings.IndexByte(" \t\r\n", b[at]) >= 0 {
		at++
	}
	slashes := at
	for slashes < len(b) && b[slashes] == '\\' {
		slashes++
	}
	switch {
	case slashes == len(b):
		return at, len(b)
	case b[slashes] == '"':
		return slashes + 1, slashes + 1 + stringEnd(b[slashes+1:], slashes-at)
	case b[at] == '{' || b[at] == '[':
		return at, at + nestedEnd(b[at:])
	}
	if i := bytes.IndexAny(b[at:], ",}] \t\r\n"); i >= 0 {
		return at, at + i
	}
	return at, len(b)
}

// lineEnd returns the length of a header's value. In a string the line ends at \n or
// with the string.
func lineEnd(b []byte, inString bool) int {
	for i, c := range b {
		switch {
		case c == '\r' || c == '\n' || c == 0:
			return i
		case inString && (c == '"' || c == '\\' && i+1 < len(b) && (b[i+1] == 'n' || b[i+1] == 'r')):
			return i
		}
	}
	return len(b)
}

// stringEnd returns the length of the rest of a string whose quotes have a number of
// backslashes before them.
func stringEnd(b []byte, slashes int) int {
	run := 0
	for i, c := range b {
		switch {
		case c == '\\':
			run++
			continue
		case c == '"' && (slashes == 0 && run%2 == 0):
			return i
		case c == '"' && slashes > 0 && run <= slashes:
			return i - run
		}
		run = 0
	}
	return len(b)
}

// nestedEnd returns the length of an object or an array.
func nestedEnd(b []byte) int {
	depth, slashes := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			slashes++
			continue
		case '"':
			i += 1 + stringEnd(b[i+1:], slashes) + slashes
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		slashes = 0
	}
	return len(b)
}
