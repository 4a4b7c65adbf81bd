package graphql

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"

	"shark/dissector"
	"shark/dissector/protocol/http"
)

// bearsOut tells whether a request that may be GraphQL is: by its media type, or by what its
// body says as far as it is there. text is what is to be read of it.
func (c *call) bearsOut(m *dissector.Message, text []byte) bool {
	if c.as == mediaGraphQL {
		return true
	}
	expected := expects(m)
	if !expected && !bytes.Contains(text, []byte(`"query"`)) && !bytes.Contains(text, []byte(`"persistedQuery"`)) {
		return false // as nearly all JSON
	}
	s := scanner{text: text}
	var first parts
	s.each(func() bool {
		first.read(&s)
		return false
	})
	switch {
	case beginsDocument(first.query), first.persisted():
		return true
	case !expected:
		return false
	case first.typical:
		return true
	case c.over:
		return unseen(text)
	}
	return len(text) > 0 && !json.Valid(text) // nothing says what it was to be
}

// unseen tells whether nothing speaks against GraphQL in the front of a body that was not
// seen to the end of its first member: it begins as a request may.
func unseen(text []byte) bool {
	s := scanner{text: text}
	if s.takes('['); !s.takes('{') {
		return s.at == len(text)
	}
	name, ok := s.value()
	if !ok || name[0] != '"' {
		return false
	}
	if s.takes(':') {
		if _, whole := s.value(); whole {
			return false
		}
	}
	return isMember(string(name[1 : len(name)-1]))
}

// isMember tells whether a member of an object has a name that those of a request have
// (GraphQL over HTTP, section 5.1; its appendix of persisted documents).
func isMember(name string) bool {
	switch name {
	case "query", "operationName", "variables", "extensions", "documentId":
		return true
	}
	return false
}

// isTyped tells whether the value of such a member is what it has to be.
func isTyped(name, value []byte) bool {
	switch name[0] {
	case 'v', 'e':
		return value[0] == '{'
	}
	return value[0] == '"'
}

// persisted tells whether the request names a query that the server may know by its hash.
func (p *parts) persisted() bool {
	var ext struct {
		PersistedQuery map[string]any `json:"persistedQuery"`
	}
	return len(p.extensions) > 0 && json.Unmarshal(p.extensions, &ext) == nil && len(ext.PersistedQuery) > 0
}

// operations returns what a form with files asks for: its first part, which has that name.
// whole says that all of it is there.
func operations(m *dissector.Message, form []byte) (text []byte, whole bool) {
	t, _ := http.ContentType(m)
	_, params, err := mime.ParseMediaType(string(t))
	if err != nil || params["boundary"] == "" || len(params["boundary"]) > maxBoundary {
		return nil, false
	}
	r := multipart.NewReader(bytes.NewReader(form), params["boundary"])
	part, err := r.NextRawPart()
	if err != nil || part.FormName() != "operations" {
		return nil, false
	}
	text, err = io.ReadAll(part)
	return text, err == nil
}

// beginsDocument tells whether a text begins as documents do, whatever mistakes it may have
// further on: a server of GraphQL has an answer to those.
func beginsDocument(text string) bool {
	l := lexer{text: text}
	l.next()
	switch l.token {
	case "query", "mutation", "subscription":
		if l.next(); l.kind == name {
			l.next()
		}
		switch {
		case l.is("("):
			l.next()
			return l.is("$") || l.is(")")
		case l.is("@"):
			l.next()
			return l.kind == name
		}
	case "fragment":
		l.next()
		l.next()
		return l.condition()
	}
	return l.is("{") && l.beginsSelections()
}

// beginsSelections is beginsDocument behind its first bracket.
func (l *lexer) beginsSelections() bool {
	if l.next(); l.is("...") {
		return true
	}
	if l.kind != name {
		return false
	}
	if l.next(); l.is(":") {
		l.next()
		return l.kind == name
	}
	if l.is("(") {
		if l.next(); l.kind == name {
			l.next()
			return l.is(":")
		}
		return l.is(")")
	}
	return l.kind == name || l.kind == end || l.is("}") || l.is("{") || l.is("@") || l.is("...")
}
