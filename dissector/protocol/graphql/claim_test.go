package graphql

import (
	"reflect"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

func head(method, target, headers string) *dissector.Message {
	m := &dissector.Message{From: dissector.Client}
	http.SetRequest(m, []byte(method), []byte(target), []byte("shop"), "HTTP/1.1")
	http.RequestHeaders.AddLines(&m.Values, []byte(headers))
	if i := strings.Index(headers, "Content-Type: "); i >= 0 {
		http.NoteContentType(m, i+len("Content-Type:"), strings.IndexByte(headers[i:], '\r')-len("Content-Type:"))
	} else if !strings.Contains(headers, "content-type") {
		http.NoteContentType(m, 0, 0)
	}
	return m
}

func TestClaim(t *testing.T) {
	const json = "Content-Type: application/json\r\n"
	for _, c := range []struct {
		method, target, headers string
		want                    bool
	}{
		{"POST", "/graphql", json, true},
		{"POST", "/api/graphql/", "content-type: application/json; charset=utf-8\r\n", true},
		{"POST", "/v1/gql?x=1", json, true},
		{"POST", "/admin/api/2024-01/graphql.json", json, true},
		{"POST", "/", "Content-Type: application/graphql\r\n", true},
		{"POST", "/query", json + "Accept: application/graphql-response+json, application/json\r\n", true},
		{"POST", "/", json + "apollographql-client-name: web\r\n", true},
		{"POST", "/query", json, false},
		{"POST", "/notgraphql", json, false},
		{"POST", "/graphql", "Content-Type: text/plain\r\n", false},
		{"POST", "/graphql", "", false},
		{"PUT", "/graphql", json, false},
		{"GET", "/graphql", "", false},
		{"GET", "/graphql?query=%7B%20items%20%7B%20name%20%7D%20%7D", "", true},
		{"GET", "/?a=1&query=query+Q($n:+Int)+%7Ba(n:$n)%7D&b=2", "", true},
		{"GET", "/graphql?operationName=A&extensions=%7B%22persistedQuery%22:1%7D", "", true},
		{"GET", "/loki/api/v1/query?query=%7Bapp%3D%22x%22%7D", "", false},
		{"GET", "/api/v1/query?query=sum(rate(x%5B5m%5D))", "", false},
		{"GET", "/search?query=mutation", "", false},
		{"GET", "/search?query=query+language", "", false},
		{"GET", "/graphql?notquery=%7Ba%7D", "", false},
	} {
		if got := claim(head(c.method, c.target, c.headers)); got != c.want {
			t.Errorf("%s %s %q: got %v", c.method, c.target, c.headers, got)
		}
	}
}

func TestDocument(t *testing.T) {
	for _, c := range []struct {
		text, name string
		want       document
		ok         bool
	}{
		{"{a}", "", document{"query", "", []string{"a"}}, true},
		{"query{a b}", "", document{"query", "", []string{"a", "b"}}, true},
		{"# }\nquery Q($a: [Int!]! = [1, 2] @x, $b: T = {c: \"}\"}) @d(e: 1) { a: b(c: $a) { d } ... on T { f } ...G }\nfragment G on T { h }", "", document{"query", "Q", []string{"b"}}, true},
		{"query A {a} mutation B {b}", "B", document{"mutation", "B", []string{"b"}}, true},
		{"query A {a} mutation B {b}", "", document{"query", "A", []string{"a"}}, true},
		{"fragment F on T {f} subscription S {s}", "", document{"subscription", "S", []string{"s"}}, true},
		{`{a(b: """ } " \""" """, c: "\"}", d: -1.5e+3, e: $f, g: [H, {i: null}])}`, "", document{"query", "", []string{"a"}}, true},
		{"\ufeff{ ... @include(if: true) { a } }", "", document{"query", "", nil}, true},
		{"", "", document{}, false},
		{"{}", "", document{}, false},
		{"{a", "", document{}, false},
		{"{a}}", "", document{}, false},
		{"{a=1}", "", document{}, false},
		{`{a(b: "c)}`, "", document{}, false},
		{"{a(b: [1)]}", "", document{}, false},
		{"query", "", document{}, false},
		{"select {a}", "", document{}, false},
		{"fragment F on T {f}", "", document{}, false},
		{"fragment on on T {f} {a}", "", document{}, false},
		{"query {a} \x00", "", document{}, false},
	} {
		got, ok := readDocument(c.text, c.name)
		if ok != c.ok || ok && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v, %v", c.text, got, ok)
		}
	}
}

func FuzzDocument(f *testing.F) {
	f.Add("query Q($a: [Int!]! = [1]) @d(e: 1) { a: b(c: $a) { d } ... on T { f } ...G } fragment G on T { h }", "Q")
	f.Add("{a(b: \"\"\" } \\\"\"\" \"\"\")}", "")
	f.Fuzz(func(t *testing.T, text, name string) {
		defer dissectortest.Bounded(t)()
		doc, ok := readDocument(text, name)
		if ok && (doc.kind == "" || len(doc.fields) > maxFields) {
			t.Fatalf("%+v", doc)
		}
		m := head("POST", "/graphql", "Content-Type: application/json\r\n")
		m.Ride = newCall()
		body(m, []byte(text))
		done(m)
		m = &dissector.Message{From: dissector.Server, Ride: newCall()}
		body(m, []byte(text))
		done(m)
	})
}

func BenchmarkClaim(b *testing.B) {
	for name, m := range map[string]*dissector.Message{
		"get":  head("GET", "/api/v1/products/1YMWWN1N4O?currency=EUR", "Host: frontend\r\nUser-Agent: Go\r\n"),
		"post": head("POST", "/api/v1/products/1YMWWN1N4O", "Host: frontend\r\nUser-Agent: Go\r\nContent-Type: application/json\r\n"),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m.Ride = nil
				V1.Carry.Claim(m)
				V2.Carry.Claim(m)
				claim(m)
			}
		})
	}
}
