package graphql

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/protocol/http"
)

// read gives a body to the rider, cut at a place.
func read(m *dissector.Message, text string, cut int) {
	if m.From == dissector.Server {
		m.Ride = newCall(mediaGraphQL)
	} else {
		claim(m)
	}
	body(m, []byte(text[:cut]))
	body(m, []byte(text[cut:]))
	m.BodySize = int64(len(text))
	done(m)
}

func TestRequests(t *testing.T) {
	for _, c := range []struct {
		name, contentType, body, operation, summary, kind string
		batch                                             int64
	}{
		{"plain", "application/json", `{"query":"{ a b }"}`, "query", "{ a b }", "query", 0},
		{"named", "application/json", ` {"variables":{"query":"x"},"operationName":"B","query":"query A{a} mutation B{b}"}`, "mutation", "B", "mutation", 0},
		{"name is null", "application/json", `{"operationName":null,"query":"subscription{s}"}`, "subscription", "{ s }", "subscription", 0},
		{"batch", "application/json", `[{"query":"{a}"},{"query":"{b}"}]`, "query", "{ a }", "query", 2},
		{"empty batch", "application/json", `[]`, "POST", "/graphql", "", 0},
		{"a document", "application/graphql", "query Q { a }", "query", "Q", "query", 0},
		{"JSON in spite of its name", "application/graphql+json", `{"query":"{a}"}`, "query", "{ a }", "query", 0},
		{"no document", "application/json", `{"query":"select a"}`, "POST", "/graphql", "", 0},
		{"another type", "application/json", `{"query":{"match":1}}`, "POST", "/graphql", "", 0},
		{"no JSON", "application/json", `query{a}`, "POST", "/graphql", "", 0},
		{"cut", "application/json", `{"query":"{ a`, "POST", "/graphql", "", 0},
	} {
		for cut := range len(c.body) {
			m := head("POST", "/graphql", "Content-Type: "+c.contentType+"\r\n")
			read(m, c.body, cut)
			v := &m.Values
			if string(dissector.Operation.Get(v)) != c.operation || string(dissector.Summary.Get(v)) != c.summary || string(Type.Get(v)) != c.kind || Batch.Get(v) != c.batch {
				t.Fatalf("%s: operation %q, summary %q, type %q, batch %d", c.name, dissector.Operation.Get(v), dissector.Summary.Get(v), Type.Get(v), Batch.Get(v))
			}
		}
	}
}

func TestResponses(t *testing.T) {
	for _, c := range []struct {
		name, body, status, message, code string
		errors                            int64
	}{
		{"data", `{"data":{"errors":[1]}}`, "200", "", "", 0},
		{"one error", `{"data":null,"errors":[{"message":"no"}]}`, "errors", "no", "", 1},
		{"codes", `{"errors":[{"message":"a","extensions":{"code":"FORBIDDEN"}},{"message":"b"}]}`, "FORBIDDEN", "a", "FORBIDDEN", 2},
		{"code is a number", `{"errors":[{"message":"a","extensions":{"code":42}}]}`, "42", "a", "42", 1},
		{"no errors", `{"data":{},"errors":[]}`, "200", "", "", 0},
		{"errors are none", `{"data":{},"errors":"x"}`, "200", "", "", 0},
		{"batch", `[{"data":{}},{"errors":[{"message":"b"}]},{"errors":[{"message":"c"}]}]`, "errors", "b", "", 2},
		{"no JSON", `<html>`, "200", "", "", 0},
	} {
		for cut := range len(c.body) {
			m := &dissector.Message{From: dissector.Server}
			http.SetStatus(m, 200, nil, "HTTP/1.1")
			read(m, c.body, cut)
			v := &m.Values
			if string(dissector.Status.Get(v)) != c.status || string(Error.Get(v)) != c.message || string(ErrorCode.Get(v)) != c.code ||
				Errors.Get(v) != c.errors || dissector.Failed.Get(v) != (c.errors > 0) {
				t.Fatalf("%s: status %q, message %q, code %q, %d errors", c.name, dissector.Status.Get(v), Error.Get(v), ErrorCode.Get(v), Errors.Get(v))
			}
		}
	}
}

// A body is unpacked as far as its length warrants.
func TestUnpackingIsBounded(t *testing.T) {
	for _, c := range []struct {
		name string
		pad  string
		cut  bool
	}{
		{"little", strings.Repeat("x", freeUnpacked/2), false},
		{"much that is packed well", numbers(100_000), false},
		{"a bomb", strings.Repeat("x", maxUnpacked/2), true},
	} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		fmt.Fprintf(z, `{"variables":"%s","query":"{a}"}`, c.pad)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		m := head("POST", "/graphql", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n")
		read(m, packed.String(), 10)
		if cut := Cut.Get(&m.Values); cut != c.cut || cut == m.Has(Type) {
			t.Errorf("%s: %d bytes of %d: cut %t, type %q", c.name, packed.Len(), len(c.pad), cut, Type.Get(&m.Values))
		}
	}
}

// numbers returns n bytes at least of numbers.
func numbers(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprint(&b, i, " ")
	}
	return b.String()
}

// What does not fit is cut, and it is said so.
func TestLimits(t *testing.T) {
	m := head("POST", "/graphql", "Content-Type: application/json\r\n")
	read(m, `{"query":"{a}","variables":"`+strings.Repeat("x", maxBody)+`"}`, 100)
	if !Cut.Get(&m.Values) || len(Type.Get(&m.Values)) > 0 {
		t.Error("a large body is not cut")
	}
	m = head("POST", "/graphql", "Content-Type: application/json\r\n")
	claim(m)
	body(m, []byte(`{"query":`))
	m.Lost = 5
	body(m, []byte(`a}"}`))
	done(m)
	if !Cut.Get(&m.Values) {
		t.Error("a hole is not said")
	}
	m = head("POST", "/graphql", "Content-Type: application/json\r\n")
	read(m, `{"operationName":"`+strings.Repeat("x", maxName+1)+`"}`, 0)
	if n := len(Name.Get(&m.Values)); n != maxName {
		t.Errorf("a name of %d bytes is kept", n)
	}
	deep := strings.Repeat("{a", maxDepth+2) + strings.Repeat("}", maxDepth+2)
	if _, ok := readDocument(deep, ""); ok {
		t.Error("selections nest without a limit")
	}
}
