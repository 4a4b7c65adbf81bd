package xmpp

import "bytes"

// mode is where in an element a scanner is.
type mode uint8

const (
	inText    mode = iota
	atTag          // behind <
	inOpen         // in a tag that opens an element
	inSlash        // in such a tag, behind /
	inQuote        // in a value
	inClose        // in a tag that closes an element
	inSection      // behind <!, in the name of a CDATA section
	inData         // in a CDATA section
)

// scanner finds the end of an element, whose bytes may come in pieces. Comments,
// processing instructions and declarations are not allowed (RFC 6120 section 11.1).
type scanner struct {
	mode  mode
	depth int
	quote byte
	count int // characters of what begins or ends a CDATA section
}

// active tells whether it is inside an element.
func (s *scanner) active() bool { return s.depth > 0 || s.mode != inText }

const section = "[CDATA["

// feed takes more of an element, and returns how much of b belongs to it and whether it
// ends there.
func (s *scanner) feed(b []byte) (n int, done, ok bool) {
	for n < len(b) {
		if s.mode == inText || s.mode == inQuote {
			stop := byte('<')
			if s.mode == inQuote {
				stop = s.quote
			}
			i := bytes.IndexByte(b[n:], stop)
			if i < 0 {
				return len(b), false, true
			}
			n += i
		}
		c := b[n]
		n++
		if ok = s.step(c); !ok {
			return n, false, false
		}
		if s.depth == 0 && s.mode == inText {
			return n, true, true
		}
	}
	return n, false, true
}

// step takes a character.
func (s *scanner) step(c byte) bool {
	switch s.mode {
	case inText:
		s.mode = atTag
	case atTag:
		switch {
		case c == '/' && s.depth > 0:
			s.mode = inClose
		case c == '!' && s.depth > 0:
			s.mode, s.count = inSection, 0
		case !isNameStart(c) || s.depth >= maxDepth:
			return false
		default:
			s.mode = inOpen
			s.depth++
		}
	case inOpen, inSlash:
		s.stepTag(c)
	case inQuote:
		s.mode = inOpen
	case inClose:
		if c == '>' {
			s.mode = inText
			s.depth--
		}
		return c != '<'
	case inSection:
		if c != section[s.count] {
			return false
		}
		if s.count++; s.count == len(section) {
			s.mode, s.count = inData, 0
		}
	case inData:
		switch {
		case c == ']':
			s.count = min(s.count+1, 2)
		case c == '>' && s.count == 2:
			s.mode = inText
		default:
			s.count = 0
		}
	}
	return s.mode != inOpen || c != '<'
}

// stepTag takes a character of a tag that opens an element.
func (s *scanner) stepTag(c byte) {
	slash := s.mode == inSlash
	s.mode = inOpen
	switch c {
	case '"', '\'':
		s.mode, s.quote = inQuote, c
	case '/':
		s.mode = inSlash
	case '>':
		s.mode = inText
		if slash {
			s.depth--
		}
	}
}

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
