package postgresql

import "bytes"

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
			for n < len(s.b) && (isLetter(s.b[n]) || '0' <= s.b[n] && s.b[n] <= '9') {
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

// mask puts *** for the passwords in a statement: the literal behind the word, as
// in PASSWORD 'x' and password = 'x', or the value in a connection string.
func mask(query []byte) []byte {
	var out []byte
	from := 0
	for at := 0; ; {
		i := indexFold(query[at:], "password")
		if i < 0 {
			break
		}
		at += i + len("password")
		start, end := secret(query, at)
		if end <= start {
			continue
		}
		out = append(append(out, query[from:start]...), "***"...)
		from, at = end, end
	}
	if from == 0 {
		return query
	}
	return append(out, query[from:]...)
}

// secret returns where the secret behind the word that ends at i begins and ends.
func secret(b []byte, i int) (start, end int) {
	equals := false
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' || b[i] == '=' || b[i] == '"') {
		equals = equals || b[i] == '='
		i++
	}
	if i+1 < len(b) && (b[i] == 'E' || b[i] == 'e') && b[i+1] == '\'' {
		i++
	}
	switch {
	case i >= len(b):
		return 0, 0
	case b[i] == '\'':
		start = i + 1
		for end = start; end < len(b); end++ {
			if b[end] == '\'' {
				if end+1 == len(b) || b[end+1] != '\'' {
					return start, end
				}
				end++
			} else if b[end] == '\\' {
				end++
			}
		}
		return start, len(b)
	case equals && b[i] != '$':
		end = i
		for end < len(b) && b[end] > ' ' && b[end] != '\'' && b[end] != ';' && b[end] != ')' && b[end] != ',' {
			end++
		}
		return i, end
	}
	return 0, 0
}

// indexFold is the place of a word in small letters, whatever the case of b.
func indexFold(b []byte, word string) int {
	for i := 0; i+len(word) <= len(b); i++ {
		j := bytes.IndexAny(b[i:], word[:1]+string(word[0]-0x20))
		if j < 0 || i+j+len(word) > len(b) {
			return -1
		}
		if i += j; bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			return i
		}
	}
	return -1
}
