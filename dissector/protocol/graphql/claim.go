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

// claim tells by a message's head whether it is GraphQL, and notes so in m.Ride. A
// response is if its request is.
func claim(m *dissector.Message) bool {
	switch m.Ride.(type) {
	case *call:
		return true
	case other:
		return false
	}
	var is bool
	if m.From == dissector.Server {
		is = answers(m)
	} else {
		is = asks(m)
	}
	if is {
		m.Ride = newCall()
	} else {
		m.Ride = other{}
	}
	return is
}

// answers tells whether a response is GraphQL.
func answers(m *dissector.Message) bool {
	t, _ := http.ContentType(m)
	switch mediaOf(t) {
	case mediaGraphQL:
		return true
	case mediaJSON:
		req := m.Peer()
		if req == nil {
			return false
		}
		_, ok := req.Ride.(*call)
		return ok
	}
	return false
}

// asks tells whether a request is GraphQL.
func asks(m *dissector.Message) bool {
	v := &m.Values
	switch string(http.Method.Get(v)) {
	case "POST":
		t, _ := http.ContentType(m)
		switch mediaOf(t) {
		case mediaGraphQL:
			return true
		case mediaJSON:
			path := http.Path.Get(v)
			return isPath(path) || maybePath(path) && says(m)
		}
	case "GET":
		target := http.URL.Get(v)
		i := bytes.IndexByte(target, '?')
		if i < 0 {
			return false
		}
		return asksInQuery(target[:i], target[i+1:])
	}
	return false
}

// What a Content-Type may be.
type media uint8

const (
	mediaOther media = iota
	mediaJSON
	mediaGraphQL
)

var (
	typeJSON     = []byte("application/json")
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
	case len(typeGraphQL), len(typeGraphQL) + len("+json"), len(typeResponse):
		if bytes.EqualFold(t, typeResponse) || bytes.EqualFold(bytes.TrimSuffix(t, []byte("+json")), typeGraphQL) {
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

// maybePath tells whether servers have GraphQL at a path that many others have too: it is
// cheaper than to look at headers.
func maybePath(path []byte) bool {
	switch string(path[bytes.LastIndexByte(path, '/')+1:]) {
	case "", "query", "api":
		return true
	}
	return false
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

// asksInQuery tells whether the query of a GET holds a document or, at a path of GraphQL,
// the hash of one.
func asksInQuery(path, query []byte) bool {
	if i := bytes.Index(query, []byte("query=")); i >= 0 && (i == 0 || query[i-1] == '&') {
		_, ok := readDocument(parameter(query[i+len("query="):]), "")
		return ok
	}
	return isPath(path) && bytes.Contains(query, []byte("persistedQuery"))
}

// parameter decodes the value at the front of a query.
func parameter(b []byte) string {
	if i := bytes.IndexByte(b, '&'); i >= 0 {
		b = b[:i]
	}
	s, err := url.QueryUnescape(string(b))
	if err != nil {
		return ""
	}
	return s
}
