package graphql

import (
	"bytes"
	"mime"

	"shark/dissector"
	"shark/dissector/protocol/http"
)

// answer reads a response as it passes by, alone or in the parts of multipart/mixed, and
// keeps nothing of it but its errors.
type answer struct {
	walker
	boundary []byte // with the hyphens before it; nil: the body is no multipart
	where    place
	line     []byte // front of the line at hand, as long as it may be that of a boundary
	told     bool   // it is all there: the line is the boundary, or is not
	between  bool   // it is
}

// place is where in a multipart body a line stands (RFC 2046, section 5.1.1).
type place uint8

const (
	outOfParts place = iota // before the first one, or behind the last one
	headOfPart
	bodyOfPart
)

// newAnswer returns what reads a response. A multipart body without a boundary has no parts.
func newAnswer(m *dissector.Message) *answer {
	a := new(answer)
	t, _ := http.ContentType(m)
	if mediaOf(t) != mediaMixed {
		return a
	}
	_, params, err := mime.ParseMediaType(string(t))
	if a.dead = err != nil || params["boundary"] == "" || len(params["boundary"]) > maxBoundary; !a.dead {
		a.boundary = []byte("--" + params["boundary"])
	}
	return a
}

// take takes the next bytes of the body.
func (a *answer) take(b []byte) {
	if a.boundary == nil {
		a.walk(b)
		return
	}
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			a.inLine(b)
			return
		}
		a.inLine(b[:n])
		a.endLine()
		b = b[n:]
	}
}

// inLine takes what comes of a line.
func (a *answer) inLine(b []byte) {
	if !a.told {
		n := min(len(b), len(a.boundary)-len(a.line))
		a.line = append(a.line, b[:n]...)
		b = b[n:]
		if len(a.line) < len(a.boundary) {
			return
		}
		a.told, a.between = true, bytes.Equal(a.line, a.boundary)
		if a.where == bodyOfPart && !a.between {
			a.walk(a.line)
		}
	}
	if a.where == bodyOfPart && !a.between {
		a.walk(b)
	}
}

// endLine is called behind a line: one that is no JSON cannot be inside of a part's JSON.
func (a *answer) endLine() {
	switch {
	case a.between:
		a.walker.end()
		a.where = headOfPart
	case a.told:
	case a.where == bodyOfPart:
		a.walk(a.line)
	case a.where == headOfPart && len(bytes.TrimRight(a.line, "\r\n")) == 0:
		a.where = bodyOfPart
	}
	a.line, a.told, a.between = a.line[:0], false, false
}

// end is called behind the body.
func (a *answer) end() {
	if a.where == bodyOfPart && !a.told {
		a.walk(a.line)
	}
	a.walker.end()
}
