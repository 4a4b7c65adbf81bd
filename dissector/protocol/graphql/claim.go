package graphql

import (
	"bytes"
	"net/url"

	"shark/dissector"
	"shark/dissector/protocol/http"
)

// other stands in the Ride of a message that is not GraphQL, until another rider needs the
// place: of three that ask, the first finds out.
type other struct{}

// claim tells by a message's head whether it may be GraphQL, and notes so in m.Ride. A
// response may be if its request may.
func claim(m *dissector.Message) bool {
	switch m.Ride.(type) {
	case *call:
		return true
	case other:
		return false
	}
	var as media
	if m.From == dissector.Server {
		as = answers(m)
	} else {
		as = asks(m)
	}
	if as == mediaOther {
		m.Ride = other{}
		return false
	}
	m.Ride = newCall(as)
	return true
}

// keep tells whether a message that was claimed turned out to be GraphQL.
func keep(m *dissector.Message) bool {
	_, is := m.Ride.(*call)
	return is
}

// answers tells as what a response may be GraphQL.
func answers(m *dissector.Message) media {
	t, _ := http.ContentType(m)
	as := mediaOf(t)
	switch as {
	case mediaGraphQL:
		return as
	case mediaJSON, mediaMixed:
		if req := m.Peer(); req != nil {
			if _, ok := req.Ride.(*call); ok {
				return as
			}
		}
	}
	return mediaOther
}

// asks tells as what a request may be GraphQL.
func asks(m *dissector.Message) media {
	v := &m.Values
	switch string(http.Method.Get(v)) {
	case "POST":
		t, _ := http.ContentType(m)
		if as := mediaOf(t); as != mediaMixed {
			return as
		}
	case "GET":
		target := http.URL.Get(v)
		if i := bytes.IndexByte(target, '?'); i >= 0 && asksInQuery(target[:i], target[i+1:]) {
			return mediaGraphQL
		}
	}
	return mediaOther
}

// What a Content-Type may be. Of JSON and what may be made of it, the body tells whether it
// is GraphQL.
type media uint8

const (
	mediaOther media = iota
	mediaJSON
	mediaGraphQL
	mediaForm  // a request with files (https://github.com/jaydenseric/graphql-multipart-request-spec)
	mediaMixed // a response that comes bit by bit
)

var (
	typeJSON     = []byte("application/json")
	typeForm     = []byte("multipart/form-data")
	typeMixed    = []byte("multipart/mixed")
	typeGraphQL  = []byte("application/graphql")
	typeResponse = []byte("application/graphql-response+json")
)

// mediaOf knows a Content-Type with parameters or without.
func mediaOf(t []byte) media {
	if string(t) == "application/json" { // the most frequent of all
		return mediaJSON
	}
	if i := bytes.IndexByte(t, ';'); i >= 0 {
		t = bytes.TrimRight(t[:i], " \t")
	}
	switch len(t) {
	case len(typeJSON):
		if bytes.EqualFold(t, typeJSON) {
			return mediaJSON
		}
	case len(typeMixed):
		if bytes.EqualFold(t, typeMixed) {
			return mediaMixed
		}
	case len(typeGraphQL), len(typeGraphQL) + len("+json"), len(typeResponse):
		switch {
		case bytes.EqualFold(t, typeForm): // as long as application/graphql
			return mediaForm
		case bytes.EqualFold(t, typeResponse), bytes.EqualFold(bytes.TrimSuffix(t, []byte("+json")), typeGraphQL):
			return mediaGraphQL
		}
	}
	return mediaOther
}

// isPath tells whether a segment of a path is graphql or gql, maybe with .json.
func isPath(path []byte) bool {
	if bytes.IndexByte(path, 'q') < 0 { // most paths
		return false
	}
	for len(path) > 0 {
		var segment []byte
		segment, path, _ = bytes.Cut(path, []byte("/"))
		switch string(bytes.TrimSuffix(segment, []byte(".json"))) {
		case "graphql", "gql":
			return true
		}
	}
	return false
}

// expects tells whether a request is made where GraphQL is to be expected: at a path of
// that name, or by a client of GraphQL.
func expects(m *dissector.Message) bool {
	return isPath(http.Path.Get(&m.Values)) || says(m)
}

// says tells whether the headers of a request speak of GraphQL: they accept its answers,
// or are those of a client of GraphQL.
func says(m *dissector.Message) bool {
	for block := range http.RequestHeaders.Lines(&m.Values) {
		block = block[:min(len(block), maxHeaders)]
		if bytes.Contains(block, []byte("graphql")) && // one look for most
			(bytes.Contains(block, typeResponse) || bytes.Contains(block, []byte("apollographql-client-name:"))) {
			return true
		}
	}
	return false
}

// asksInQuery tells whether the query of a GET holds a document or the hash of one. At a
// path of GraphQL the document may have mistakes.
func asksInQuery(path, query []byte) bool {
	if text, ok := parameter(query, "query="); ok {
		if _, ok := readDocument(text, ""); ok {
			return true
		}
		return isPath(path) && beginsDocument(text)
	}
	if bytes.Contains(query, []byte("persistedQuery")) {
		if isPath(path) {
			return true
		}
		text, _ := parameter(query, "extensions=")
		one := parts{extensions: []byte(text)}
		return one.hash() != ""
	}
	return false
}

// parameter decodes the value of a query's parameter, whose name ends in =.
func parameter(query []byte, name string) (value string, ok bool) {
	i := bytes.Index(query, []byte(name))
	if i < 0 || i > 0 && query[i-1] != '&' {
		return "", false
	}
	b := query[i+len(name):]
	if i := bytes.IndexByte(b, '&'); i >= 0 {
		b = b[:i]
	}
	s, err := url.QueryUnescape(string(b))
	return s, err == nil
}
