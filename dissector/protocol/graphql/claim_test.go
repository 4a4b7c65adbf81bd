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
	for _, c := range []struct {
		method, target, headers string
		want                    bool
	}{
		{"POST", "/", "Content-Type: application/graphql\r\n", true},
		{"POST", "/graphql", "Content-Type: text/plain\r\n", false},
		{"POST", "/graphql", "Content-Type: multipart/mixed; boundary=x\r\n", false},
		{"POST", "/graphql", "", false},
		{"PUT", "/graphql", "Content-Type: application/json\r\n", false},
		{"GET", "/graphql", "", false},
		{"GET", "/graphql?query=%7B%20items%20%7B%20name%20%7D%20%7D", "", true},
		{"GET", "/graphql?query=%7B%20items%20%7B%20name", "", true},
		{"GET", "/?query=%7B%20items%20%7B%20name", "", false},
		{"GET", "/?a=1&query=query+Q($n:+Int)+%7Ba(n:$n)%7D&b=2", "", true},
		{"GET", "/graphql?operationName=A&extensions=%7B%22persistedQuery%22:1%7D", "", true},
		{"GET", "/api?operationName=A&extensions=%7B%22persistedQuery%22:%7B%22version%22:1,%22sha256Hash%22:%22ab%22%7D%7D", "", true},
		{"GET", "/api?operationName=A&extensions=%7B%22persistedQuery%22:1%7D", "", false},
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

// TestKeep: what the body of a POST says tells whether it is GraphQL, and its path only where
// that leaves a doubt.
func TestKeep(t *testing.T) {
	const (
		json  = "Content-Type: application/json\r\n"
		form  = "Content-Type: multipart/form-data; boundary=b\r\n"
		query = `{"query":"query A { a }"}`
		part  = "--b\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n"
	)
	for _, c := range []struct {
		target, headers, body string
		want                  bool
	}{
		{"/query", json, query, true},
		{"/", json, `{"variables":{"query":1},"query":"{ a }"}`, true},
		{"/api", "content-type: application/json; charset=utf-8\r\n", ` [ {"query":"mutation($a:Int){b}"} ]`, true},
		{"/api", json, `{"query":"subscription S { s"}`, true},
		{"/api", json, `{"query":"fragment F on T { f } { ...F }"}`, true},
		{"/api", json, `{"operationName":"A","extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}`, true},
		{"/api", json, `{"extensions":{"persistedQuery":1}}`, false},
		{"/search", json, `{"query":{"match":{"a":"{ b }"}}}`, false},
		{"/search", json, `{"query":"query language"}`, false},
		{"/search", json, `{"query":"mutation"}`, false},
		{"/_sql", json, `{"query":"SELECT a FROM b"}`, false},
		{"/loki", json, `{"query":"{app=\"x\"}"}`, false},
		{"/find", json, `{"query":"{\"a\":1}"}`, false},
		{"/find", json, `{"query":"{ a: 1 }"}`, false},
		{"/find", json, `{"q":{"query":"{ a }"}}`, false},
		{"/find", json, `{"operationName":"A","variables":{}}`, false},
		{"/graphql", json, `{"operationName":"A","variables":{}}`, true},
		{"/graphql", json, `{"documentId":"sha256:ab"}`, true},
		{"/graphql", json, `{"query":"selct a"}`, true},
		{"/query", json + "Accept: application/graphql-response+json, application/json\r\n", `{"query":"selct a"}`, true},
		{"/", json + "apollographql-client-name: web\r\n", `{"query":"selct a"}`, true},
		{"/graphql/health", json, `{"ping":1}`, false},
		{"/graphql", json, `[]`, false},
		{"/graphql", json, ``, false},
		{"/graphql", json, `{not json`, true},
		{"/api", json, `{not json`, false},
		{"/upload", form, part + query + "\r\n--b\r\nContent-Disposition: form-data; name=\"0\"; filename=\"a\"\r\n\r\n" + strings.Repeat("x", maxForm) + "\r\n--b--\r\n", true},
		{"/upload", form, "--b\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n" + query + "\r\n--b--\r\n", false},
		{"/graphql", form, part + `{"a":1}` + "\r\n--b--\r\n", false},
		{"/upload", "Content-Type: multipart/form-data\r\n", part + query + "\r\n--b--\r\n", false},
	} {
		m := head("POST", c.target, c.headers)
		read(m, c.body, len(c.body)/2)
		if got := keep(m); got != c.want || got != m.Has(Type) && strings.Contains(c.body, "{ a }") || Cut.Get(&m.Values) {
			t.Errorf("%s %q %.200s: got %v, type %q, cut %v", c.target, c.headers, c.body, got, Type.Get(&m.Values), Cut.Get(&m.Values))
		}
	}
}

// TestKeepWhatIsCut: of a body that was not seen to its end, what was seen of it tells or, where
// that is nothing, the path.
func TestKeepWhatIsCut(t *testing.T) {
	for _, c := range []struct {
		target, body string
		want         bool
	}{
		{"/api", `{"query":"{ a }","variables":{`, true},
		{"/api", `{"variables":{`, false},
		{"/graphql", `{"variables":{`, true},
		{"/graphql", `[{"query":"{ a`, true},
		{"/graphql", ``, true},
		{"/graphql/health", `{"ping":[1,`, false},
		{"/graphql/health", `{"ping":1,"variables":{`, false},
	} {
		m := head("POST", c.target, "Content-Type: application/json\r\n")
		m.Truncated = true
		read(m, c.body, len(c.body)/2)
		if got := keep(m); got != c.want || got != Cut.Get(&m.Values) {
			t.Errorf("%s %s: got %v, cut %v", c.target, c.body, got, Cut.Get(&m.Values))
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
		claim(m)
		body(m, []byte(text))
		done(m)
		m = &dissector.Message{From: dissector.Server, Ride: newCall(mediaGraphQL)}
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
