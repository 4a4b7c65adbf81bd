package kfl

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// source is an expression as it was written. Places in it are counted in code
// points from its start, as CEL does.
type source struct {
	text  []rune
	clean string // with # comments blanked out: as long as text, and CEL
	toks  []token
}

// token is a word of an expression. The lexer exists to find comments and to
// explain what does not parse; CEL does the parsing.
type token struct {
	kind tokenKind
	text string
	at   int
}

type tokenKind uint8

const (
	ident tokenKind = iota
	number
	quoted // a string or bytes literal, prefix and quotes included
	operator
)

func newSource(expr string) *source {
	s := &source{text: []rune(expr)}
	clean := []rune(expr)
	for i := 0; i < len(s.text); {
		end := s.next(i)
		switch c := s.text[i]; {
		case unicode.IsSpace(c):
		case c == '#':
			for j := i; j < end; j++ {
				clean[j] = ' '
			}
		case strings.HasPrefix(string(s.text[i:min(i+2, end)]), "//"):
		default:
			s.toks = append(s.toks, token{kind(s.text[i:end]), string(s.text[i:end]), i})
		}
		i = end
	}
	s.clean = string(clean)
	return s
}

// next returns the end of the token, comment or white space at i.
func (s *source) next(i int) int {
	t := s.text
	switch c := t[i]; {
	case unicode.IsSpace(c):
		return i + 1
	case c == '#' || c == '/' && i+1 < len(t) && t[i+1] == '/':
		for i < len(t) && t[i] != '\n' {
			i++
		}
		return i
	case isLetter(c):
		j := i
		for j < len(t) && (isLetter(t[j]) || isDigit(t[j])) {
			j++
		}
		if j < len(t) && (t[j] == '"' || t[j] == '\'') && strings.Trim(strings.ToLower(string(t[i:j])), "rb") == "" && j-i <= 2 {
			return s.quote(j, strings.ContainsAny(string(t[i:j]), "rR"))
		}
		return j
	case isDigit(c):
		for i < len(t) && (isLetter(t[i]) || isDigit(t[i]) || t[i] == '.') {
			i++
		}
		return i
	case c == '"' || c == '\'':
		return s.quote(i, false)
	case i+1 < len(t) && strings.Contains("&& || == != <= >= =~ <>", string(t[i:i+2])) && !unicode.IsSpace(t[i+1]):
		return i + 2
	}
	return i + 1
}

// quote returns the end of the literal whose first quote is at i. One that is
// not closed ends with its line.
func (s *source) quote(i int, raw bool) int {
	t, q := s.text, s.text[i]
	long := i+2 < len(t) && t[i+1] == q && t[i+2] == q
	if long {
		i += 3
	} else {
		i++
	}
	for ; i < len(t); i++ {
		switch {
		case t[i] == '\\' && !raw:
			i++
		case t[i] == '\n' && !long:
			return i
		case t[i] == q && !long:
			return i + 1
		case t[i] == q && i+2 < len(t) && t[i+1] == q && t[i+2] == q:
			return i + 3
		}
	}
	return len(t)
}

func kind(t []rune) tokenKind {
	switch last := t[len(t)-1]; {
	case isDigit(t[0]):
		return number
	case t[0] == '"' || t[0] == '\'' || isLetter(t[0]) && !isLetter(last) && !isDigit(last):
		return quoted
	case isLetter(t[0]):
		return ident
	}
	return operator
}

func isLetter(r rune) bool { return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
func isDigit(r rune) bool  { return '0' <= r && r <= '9' }

// blank tells whether nothing but comments and white space is there.
func (s *source) blank() bool { return len(s.toks) == 0 }

// endsOperand tells whether an operand may end with t.
func (t token) endsOperand() bool {
	return t.kind != operator && t.text != "in" || t.text == ")" || t.text == "]" || t.text == "}"
}

// startsOperand tells whether an operand may start with t.
func (t token) startsOperand() bool {
	return t.kind != operator && t.text != "in" || strings.Contains("([{!-.", t.text)
}

// explain looks in an expression that does not parse for what other languages
// would have there, and for names that are known to be old.
func (s *source) explain(e *Env) (problems []Problem) {
	for i, t := range s.toks {
		before := i > 0 && s.toks[i-1].endsOperand()
		after := i+1 < len(s.toks) && s.toks[i+1].startsOperand()
		if msg := s.foreign(i, before, after); msg != "" {
			problems = append(problems, s.problem(t.at, msg))
			continue
		}
		if t.kind == ident && (i == 0 || s.toks[i-1].text != ".") {
			if full := s.chainAt(i); e.lookup(full) == nil {
				if _, ok := e.old(full); ok {
					problems = append(problems, s.problem(t.at, e.noName(full)))
				}
			}
		}
	}
	return problems
}

// foreign says what is wrong with token i, if it is from another language.
func (s *source) foreign(i int, before, after bool) string {
	t := s.toks[i]
	if t.kind == ident {
		op, isWord := words[strings.ToLower(t.text)]
		switch {
		case isWord && op == "!" && !before && after, isWord && op != "!" && before:
			return "write " + op + " instead of " + quote(t.text)
		case before && (t.text == "contains" || t.text == "startsWith" || t.text == "endsWith" || t.text == "matches" || t.text == "like"):
			method := strings.Replace(t.text, "like", "contains", 1)
			return quote(t.text) + " is a function: write x." + method + `("text")`
		}
		return ""
	}
	if t.kind != operator || !before {
		return ""
	}
	switch t.text {
	case "=":
		return "write == to compare"
	case "&", "|":
		return "write " + t.text + t.text
	case "<>":
		return "write !="
	case "=~":
		return `write x.matches("regular expression")`
	}
	return ""
}

// chainAt returns the identifiers joined by dots that start at token i, without
// a last one that is called.
func (s *source) chainAt(i int) string {
	full, end := s.toks[i].text, i+1
	for end+1 < len(s.toks) && s.toks[end].text == "." && s.toks[end+1].kind == ident {
		if end+2 < len(s.toks) && s.toks[end+2].text == "(" {
			break
		}
		full += "." + s.toks[end+1].text
		end += 2
	}
	return full
}

// line returns the line that offset at lies in, its number from 1 and the column
// of at in it from 1.
func (s *source) line(at int) (text []rune, number, column int) {
	at = max(0, min(at, len(s.text)))
	start, number := 0, 1
	for i, r := range s.text[:at] {
		if r == '\n' {
			start, number = i+1, number+1
		}
	}
	end := start
	for end < len(s.text) && s.text[end] != '\n' && s.text[end] != '\r' {
		end++
	}
	return s.text[start:end], number, at - start + 1
}

// quote returns s in double quotes, clipped, with what is not printable escaped.
func quote(s string) string { return strconv.Quote(clip(s, 80)) }

// valid tells whether an expression is text.
func valid(expr string) bool { return utf8.ValidString(expr) && !strings.ContainsRune(expr, 0) }
