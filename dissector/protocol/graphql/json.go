package graphql

import "bytes"

// scanner passes over JSON (RFC 8259) without making anything of it: of a body that may
// be long, what is asked for is a word or two. It looks at brackets, strings and what
// stands between members, so that it knows the end of each value; whoever decodes one
// finds out whether it is right inside.
type scanner struct {
	text []byte
	at   int
}

// blank passes over white space.
func (s *scanner) blank() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// takes passes over a mark, if it is there.
func (s *scanner) takes(mark byte) bool {
	s.blank()
	if s.at == len(s.text) || s.text[s.at] != mark {
		return false
	}
	s.at++
	return true
}

// elements calls f for each element of an array, which f takes, until f says no. It is
// false where there is no array, or one that is not right up to there.
func (s *scanner) elements(f func() bool) bool {
	if !s.takes('[') {
		return false
	}
	for n := 0; !s.takes(']'); n++ {
		if n > 0 && !s.takes(',') || !f() {
			return false
		}
	}
	return true
}

// each calls f for what the text is or, if that is an array, for each of its elements,
// and tells which. f takes it and says no to go no further.
func (s *scanner) each(f func() bool) (array bool) {
	if s.blank(); s.at < len(s.text) && s.text[s.at] == '[' {
		s.elements(f)
		return true
	}
	f()
	return false
}

// members calls f for each member of an object, with its name as it stands between the
// quotes. It is false where there is no object, or one that is cut short.
func (s *scanner) members(f func(name, value []byte)) bool {
	if !s.takes('{') {
		return false
	}
	for n := 0; !s.takes('}'); n++ {
		if n > 0 && !s.takes(',') {
			return false
		}
		name, ok := s.value()
		if !ok || name[0] != '"' || !s.takes(':') {
			return false
		}
		value, ok := s.value()
		if !ok {
			return false
		}
		f(name[1:len(name)-1], value)
	}
	return true
}

// value takes a value of any kind.
func (s *scanner) value() (value []byte, ok bool) {
	s.blank()
	from := s.at
	for depth := 0; s.at < len(s.text); {
		switch s.text[s.at] {
		case '"':
			if !s.quoted() {
				return nil, false
			}
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			if depth == 0 {
				return nil, false
			}
			depth--
			s.at++
		case ',', ':':
			if depth == 0 {
				return nil, false
			}
			s.at++
			continue
		default:
			if !s.word() {
				return nil, false
			}
		}
		if depth == 0 {
			return s.text[from:s.at], true
		}
	}
	return nil, false
}

// quoted passes over a string.
func (s *scanner) quoted() bool {
	for at := s.at + 1; ; at++ {
		i := bytes.IndexByte(s.text[at:], '"')
		if i < 0 {
			return false
		}
		at += i
		slashes := 0
		for s.text[at-1-slashes] == '\\' { // the opening quote is before them
			slashes++
		}
		if slashes%2 == 0 {
			s.at = at + 1
			return true
		}
	}
}

// word passes over a number, true, false or null, and the blanks around it.
func (s *scanner) word() bool {
	from := s.at
	for s.at < len(s.text) && inWord(s.text[s.at]) {
		s.at++
	}
	s.blank()
	return s.at > from
}

func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'E'
}
