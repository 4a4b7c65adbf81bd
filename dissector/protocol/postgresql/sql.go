package postgresql

import (
	"bytes"
	"strings"
)

// scanner goes through the words of a statement at the outermost level: past
// comments, literals, quoted names and what is in brackets (section 4.1, Lexical
// Structure).
type scanner struct {
	b     []byte
	depth int
}

// next returns the next word, nil at the end.
func (s *scanner) next() []byte {
	for len(s.b) > 0 {
		switch c := s.b[0]; {
		case bytes.HasPrefix(s.b, []byte("--")):
			s.past(s.b, "\n")
		case bytes.HasPrefix(s.b, []byte("/*")):
			s.comment()
		case c == '\'' || c == '"':
			s.past(s.b[1:], string(c))
		case c == '$':
			s.dollar()
		case isLetter(c):
			n := 1
			for n < len(s.b) && (isLetter(s.b[n]) || isDigit(s.b[n])) {
				n++
			}
			word := s.b[:n]
			s.b = s.b[n:]
			if s.depth <= 0 {
				return word
			}
		default:
			switch c {
			case '(':
				s.depth++
			case ')':
				s.depth--
			}
			s.b = s.b[1:]
		}
	}
	return nil
}

// past goes behind the next end in b.
func (s *scanner) past(b []byte, end string) {
	if i := bytes.Index(b, []byte(end)); i >= 0 {
		s.b = b[i+len(end):]
	} else {
		s.b = nil
	}
}

// comment goes behind a comment, which may have others in it.
func (s *scanner) comment() {
	depth := 0
	for len(s.b) >= 2 {
		switch {
		case s.b[0] == '/' && s.b[1] == '*':
			depth++
			s.b = s.b[2:]
		case s.b[0] == '*' && s.b[1] == '/':
			depth--
			if s.b = s.b[2:]; depth == 0 {
				return
			}
		default:
			s.b = s.b[1:]
		}
	}
	s.b = nil
}

// dollar goes behind a literal between $tag$, or behind the sign of a parameter.
func (s *scanner) dollar() {
	n := 1
	for n < len(s.b) && n <= maxName && isLetter(s.b[n]) {
		n++
	}
	if n < len(s.b) && s.b[n] == '$' {
		s.past(s.b[n+1:], string(s.b[:n+1]))
		return
	}
	s.b = s.b[1:]
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}

// verb returns the first word of a statement in capitals; of one that begins with
// WITH, that of the statement behind it.
func verb(query []byte) string {
	// The first word may stand in brackets.
	s := scanner{b: query, depth: -len(query)}
	first := s.next()
	if len(first) > maxName {
		return ""
	}
	if s.depth = 0; !bytes.EqualFold(first, []byte("with")) {
		return string(bytes.ToUpper(first))
	}
	for w := s.next(); w != nil; w = s.next() {
		switch v := string(bytes.ToUpper(w[:min(len(w), 8)])); v {
		case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES":
			return v
		}
	}
	return "WITH"
}

// secrets are the words behind which passwords and keys stand, by their first letters.
var secrets = [...][]string{
	'a': {"access_key"},
	'c': {"credentials", "crypt(", "crypt ("},
	'p': {"password", "passwd", "passphrase", "pwd", "pgp_sym_", "pgp_pub_decrypt"},
	's': {"secret"},
	'z': nil,
}

// appendQuery appends the text of a statement, at most limit bytes of it and *** from a
// secret on; cut says that there is more of it.
func appendQuery(dst, query []byte, limit int, cut bool) []byte {
	end := secret(query, cut)
	if end < 0 {
		return append(dst, shorten(query, limit, cut)...)
	}
	dst = append(dst, shorten(query[:end], limit, false)...)
	if isNamed(query[end-1]) {
		dst = append(dst, ' ')
	}
	return append(dst, "***"...)
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
	for port < len(b) && isDigit(b[port]) {
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
	for i < len(query) && query[i] != '$' && (isNamed(query[i]) || bytes.IndexByte([]byte(" \t\r\n,.*\""), query[i]) >= 0) {
		i++
	}
	return i
}

// lists tells whether a name in the list of a SELECT ends at the front of rest, or
// behind a few letters more: another one follows, or FROM.
func lists(rest []byte) bool {
	rest = rest[:min(len(rest), maxName)]
	for len(rest) > 0 && isNamed(rest[0]) {
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
	if bytes.ContainsAny(query, "';") || bytes.Contains(query, []byte("--")) || bytes.Contains(query, []byte("/*")) {
		return false
	}
	for j := 1; j < len(query); j++ {
		if query[j-1] == '$' && !isDigit(query[j]) || j > i && (isDigit(query[j]) && !isNamed(query[j-1]) || query[j] == '=' && !parameter(query[j+1:])) {
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

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isNamed tells whether c may be in a name.
func isNamed(c byte) bool { return isLetter(c) || isDigit(c) || c == '$' }

// discreet returns the text of an error or a notice without what it quotes of a
// statement of which a part is not shown. Behind the first quote nothing is sure: the
// secret may have quotes in it.
func discreet(text string, query []byte) string {
	i := strings.IndexAny(text, "'\"`$\u2018\u2019\u201a\u201c\u201d\u201e«»")
	if i < 0 || !bytes.Contains(query, []byte("***")) {
		return text
	}
	return text[:i] + "'***'"
}
