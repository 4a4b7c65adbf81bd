package cassandra

import (
	"bytes"
	"unicode/utf8"
)

// clip cuts a text to n bytes, but no character in two.
func clip(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for i := 0; i < utf8.UTFMax && n > 0 && !utf8.RuneStart(b[n]); i++ {
		n--
	}
	return b[:n]
}

// appendQuery appends the text of a statement, at most limit bytes of it and "..." if
// there is more; *** from a secret on. cut says that the statement goes on.
func appendQuery(dst, query []byte, limit int, cut bool) []byte {
	end, gap := secret(query, cut), ""
	if end >= 0 {
		query, cut = query[:end], false
		if named(query[end-1]) {
			gap = " "
		}
	}
	if head := clip(query, limit); len(head) < len(query) {
		query, cut = head, true
	}
	if dst = append(dst, bytes.ToValidUTF8(query, []byte("\uFFFD"))...); cut {
		dst = append(dst, "..."...)
	}
	if end >= 0 {
		dst = append(append(dst, gap...), "***"...)
	}
	return dst
}

// appendLine appends a text as one line of at most limit bytes.
func appendLine(dst, text []byte, limit int) []byte {
	n := len(dst)
	for word := range bytes.FieldsSeq(clip(text, 2*limit)) {
		if len(dst) > n {
			dst = append(dst, ' ')
		}
		if dst = append(dst, word...); len(dst)-n > limit {
			return append(dst[:n+len(clip(dst[n:], limit))], "..."...)
		}
	}
	return dst
}

// secrets are the words behind which passwords and keys stand, by their first letters.
var secrets = [...][]string{
	'a': {"access_key"},
	'p': {"password", "passwd", "passphrase", "pwd"},
	's': {"salted_hash", "secret"},
	'z': nil,
}

// secret returns the end of the first word in a statement behind which a secret may
// stand, -1 if there is none; cut says that the statement goes on. What is a literal or
// a comment does not count: whoever is wrong about a single quote shows the secret and
// hides all else.
func secret(query []byte, cut bool) int {
	judged, names, bare := false, 0, false
	for i, c := range query {
		if c == ':' {
			if n := userInfo(query[i:], cut); n > 0 {
				return i + n
			}
			continue
		}
		c = lower(c)
		if int(c) >= len(secrets) {
			continue
		}
		for _, w := range secrets[c] {
			if !hasFold(query[i:], w) {
				continue
			}
			if !judged && !cut {
				names, bare = listed(query), valueless(query, i)
			}
			judged = true
			if end := i + len(w); !bare && (i >= names || !lists(query[end:])) {
				return end
			}
			break
		}
	}
	return -1
}

// userInfo returns how long the beginning of a URL is, from the colon of :// to that
// before a password; 0 if there is none.
func userInfo(b []byte, cut bool) int {
	if !bytes.HasPrefix(b, []byte("://")) {
		return 0
	}
	n := bytes.IndexAny(b[3:min(len(b), 3+maxText)], ":/@ \t\r\n")
	if n < 0 || b[3+n] != ':' {
		return 0
	}
	n += 4
	port := n
	for port < len(b) && digit(b[port]) {
		port++
	}
	if port > n && port < len(b) && b[port] == '/' || !cut && bytes.IndexByte(b[n:min(len(b), n+maxText)], '@') < 0 {
		return 0
	}
	return n
}

// listed returns how far a statement holds only the names that SELECT lists.
func listed(query []byte) int {
	if !hasFold(query, "select") {
		return 0
	}
	i := 0
	for i < len(query) && (named(query[i]) || bytes.IndexByte([]byte(" \t\r\n,.*\""), query[i]) >= 0) {
		i++
	}
	return i
}

// lists tells whether a name in the list of a SELECT ends at the front of rest, or
// behind a few letters more: another one follows, or FROM.
func lists(rest []byte) bool {
	rest = rest[:min(len(rest), maxText)]
	for len(rest) > 0 && named(rest[0]) {
		rest = rest[1:]
	}
	rest = bytes.TrimLeft(rest, "\" \t\r\n")
	return len(rest) > 0 && rest[0] == ',' || hasFold(rest, "from") && len(rest) > 4 && rest[4] <= ' '
}

// valueless tells whether a statement on rows has no literal, and from the word at i on
// no number and nothing set or compared but to parameters.
func valueless(query []byte, i int) bool {
	if !hasFold(query, "select") && !hasFold(query, "insert") && !hasFold(query, "update") && !hasFold(query, "delete") {
		return false
	}
	query = bytes.TrimRight(query, "; \t\r\n")
	if bytes.ContainsAny(query, "'$;") || bytes.Contains(query, []byte("--")) || bytes.Contains(query, []byte("/*")) || bytes.Contains(query, []byte("//")) {
		return false
	}
	for i++; i < len(query); i++ {
		if digit(query[i]) && !named(query[i-1]) || query[i] == '=' && !parameter(query[i+1:]) {
			return false
		}
	}
	return true
}

// parameter tells whether a value is one.
func parameter(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && bytes.IndexByte([]byte("?$:@%"), b[0]) >= 0
}

// hasFold tells whether b begins with a word in small letters, whatever its case.
func hasFold(b []byte, w string) bool {
	if len(b) < len(w) {
		return false
	}
	for i := range len(w) {
		if lower(b[i]) != w[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// named tells whether c may be in a name.
func named(c byte) bool {
	c = lower(c)
	return 'a' <= c && c <= 'z' || digit(c) || c == '_' || c >= utf8.RuneSelf
}

// skipComments returns a statement from its first word on.
func skipComments(query []byte) []byte {
	for {
		query = bytes.TrimLeft(query, " \t\r\n;")
		var end int
		switch {
		case bytes.HasPrefix(query, []byte("/*")):
			if end = bytes.Index(query, []byte("*/")); end >= 0 {
				end += 2
			}
		case bytes.HasPrefix(query, []byte("--")), bytes.HasPrefix(query, []byte("//")):
			end = bytes.IndexByte(query, '\n')
		default:
			return query
		}
		if end < 0 {
			return nil
		}
		query = query[end:]
	}
}

// discreet returns the text of an error or a warning without what it quotes of a
// statement of which a part is not shown: between quotes, in brackets where it names the
// whole statement. Behind the first of them nothing is sure: the secret may have quotes
// in it.
func discreet(text, query []byte) []byte {
	i := bytes.IndexAny(text, "'\"`[$\u2018\u2019\u201a\u201c\u201d\u201e«»")
	if i < 0 || !bytes.Contains(query, []byte("***")) {
		return text
	}
	return append(bytes.Clone(text[:i]), "'***'"...)
}

// printable tells whether b is text as statements and names are.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return true
}
