package postgresql

import (
	"bytes"

	"shark/dissector/secret"
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

// secrets finds passwords and keys in statements.
var secrets = secret.Dialect{
	Words: ['z' + 1][]string{
		'a': {"access_key"},
		'c': {"credentials", "crypt(", "crypt ("},
		'p': {"password", "passwd", "passphrase", "pwd", "pgp_sym_", "pgp_pub_decrypt"},
		's': {"secret"},
	},
	Sign: '$', List: `"`, Close: `"`, Value: "';", Literal: dollarQuoted, Quote: "$",
}

// dollarQuoted tells whether a statement may have a literal between $tag$: a sign that is
// not that of a parameter.
func dollarQuoted(statement []byte) bool {
	for i, c := range statement {
		if c == '$' && i+1 < len(statement) && !isDigit(statement[i+1]) {
			return true
		}
	}
	return false
}

// appendQuery appends the text of a statement, at most limit bytes of it and *** from a
// secret on; cut says that there is more of it.
func appendQuery(dst, query []byte, limit int, cut bool) []byte {
	n, mask := secrets.Shown(query, cut)
	return append(append(dst, shorten(query[:n], limit, cut && mask == "")...), mask...)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
