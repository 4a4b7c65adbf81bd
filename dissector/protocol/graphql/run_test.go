package graphql_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/graphql"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
)

func TestProtocol(t *testing.T) {
	dissectortest.Run(t, graphql.Protocol, graphql.V1, graphql.V2, http.Protocol, http2.Protocol)
}

// told collects calls as the recorded client writes them.
type told struct {
	lines    []string
	versions [3]int
}

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != graphql.Protocol || e.Request == nil || e.Response == nil {
		return nil
	}
	for _, p := range e.Carriers {
		switch p {
		case graphql.V1:
			c.versions[1]++
		case graphql.V2:
			c.versions[2]++
		}
	}
	v := &e.Request.Values
	var roots []string
	for f := range graphql.RootFields.Each(v) {
		roots = append(roots, string(f))
	}
	r := &e.Response.Values
	c.lines = append(c.lines, fmt.Sprintf("%s %s %s %d %s", or(graphql.Type, v), or(graphql.Name, v), orDash(strings.Join(roots, ",")),
		graphql.Errors.Get(r), or(graphql.ErrorCode, r)))
	return nil
}

func or(f field.TextField, v *field.Values) string { return orDash(string(f.Get(v))) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// TestAgainstClient compares every call with what the client asked and was told.
func TestAgainstClient(t *testing.T) {
	dissectortest.Told(t, "gql", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, http.Protocol, http2.Protocol, graphql.V1, graphql.V2, graphql.Protocol)
		dissectortest.SameLines(t, got.lines, want)
		if n := len(want) / 2; got.versions != [3]int{0, n, n} {
			t.Errorf("calls by version: %v", got.versions)
		}
	})
}

// TestAgainstPublic counts the calls of a capture of which is known how many were made.
func TestAgainstPublic(t *testing.T) {
	dir := dissectortest.Public(t)
	var known struct {
		Truth map[string]int `json:"app_truth"`
	}
	dissectortest.Oracle(t, dir, "live/graphql.pcap", &known)
	var got told
	dissectortest.Dissect(t, dissectortest.Open(t, dir+"/live/graphql.pcap"), &got, http.Protocol, http2.Protocol, graphql.V1, graphql.V2, graphql.Protocol)
	want := [3]int{0, known.Truth["graphql posts http1"] + known.Truth["graphql gets"], known.Truth["graphql posts h2c"]}
	if got.versions != want {
		t.Errorf("calls by version: %v, want %v", got.versions, want)
	}
	slices.Sort(got.lines)
	t.Log(strings.Join(got.lines, "\n"))
}

// exchange returns a request of HTTP/1 and its response.
func exchange(target, asked, contentType, answer string) (request, response string) {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", target, len(asked), asked),
		fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", contentType, len(answer), answer)
}

// frames returns what says the same in HTTP/2: a head of literal fields and a body.
func frames(id byte, fields []string, body string) string {
	block := ""
	for i := 0; i < len(fields); i += 2 {
		block += "\x00" + string(rune(len(fields[i]))) + fields[i] + string(rune(len(fields[i+1]))) + fields[i+1]
	}
	out := "\x00\x00" + string(rune(len(block))) + "\x01\x04\x00\x00\x00" + string(rune(id)) + block
	for len(body) > 0 {
		n := min(len(body), 16384)
		end := byte(0)
		if n == len(body) {
			end = 1
		}
		out += string([]byte{byte(n >> 16), byte(n >> 8), byte(n), 0, end, 0, 0, 0, id}) + body[:n]
		body = body[n:]
	}
	return out
}

// segments cuts what is longer than a packet may be.
func segments(text string) (out []string) {
	for len(text) > 60_000 {
		out, text = append(out, text[:60_000]), text[60_000:]
	}
	return append(out, text)
}

// kinds collects what each call is taken for.
type kinds struct{ lines []string }

func (c *kinds) Entry(e *dissector.Entry) error {
	if e.Response == nil {
		return nil
	}
	v := &e.Response.Values
	c.lines = append(c.lines, fmt.Sprintf("%s %s %d failed=%v", e.Protocol.Name, dissector.Summary.Get(&e.Request.Values), graphql.Errors.Get(v), dissector.Failed.Get(v)))
	return nil
}

// TestByContent: a call is GraphQL by what it says, wherever it is made and however it is
// answered, and one that says something else is not.
func TestByContent(t *testing.T) {
	const jsonType, query = "application/json", `{"query":"query A { a }"}`
	failure := `"errors":[{"message":"no"}]`
	for _, c := range []struct{ target, asked, contentType, answer, want string }{
		{"/query", query, jsonType, `{` + failure + `}`, "gql A 1 failed=true"},
		{"/", query, jsonType, `{"data":{"a":"` + strings.Repeat("x", 300_000) + `"},` + failure + `}`, "gql A 1 failed=true"},
		{"/api", query, "multipart/mixed; boundary=X", "--X\r\n\r\n{\"data\":{},\"hasNext\":true}\r\n--X\r\n\r\n{\"incremental\":[{" + failure + "}]}\r\n--X--\r\n", "gql A 1 failed=true"},
		{"/api", query, "text/plain", `{` + failure + `}`, "gql A 0 failed=false"},
		{"/api", `{"query":"all"}`, jsonType, `{` + failure + `}`, "http /api 0 failed=false"},
		{"/graphql/health", `{"ping":1}`, jsonType, `{"ok":true,"errors":["a"]}`, "http /graphql/health 0 failed=false"},
	} {
		protocols := []*dissector.Protocol{http.Protocol, http2.Protocol, graphql.V1, graphql.V2, graphql.Protocol}
		request, response := exchange(c.target, c.asked, c.contentType, c.answer)
		for version, s := range map[string]*dissectortest.Script{
			"HTTP/1": dissectortest.NewScript().Client(request[:len(request)/2], request[len(request)/2:]).Server(segments(response)...).Close(),
			"HTTP/2": dissectortest.NewScript().
				Client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", frames(1, []string{":method", "POST", ":path", c.target, "content-type", jsonType}, c.asked)).
				Server(segments("\x00\x00\x00\x04\x00\x00\x00\x00\x00" + frames(1, []string{":status", "200", "content-type", c.contentType}, c.answer))...).Close(),
			"response first": dissectortest.NewScript().Client(request[:len(request)-1]).Server(segments(response)...).Client(request[len(request)-1:]).Close(),
		} {
			want := c.want
			if version == "HTTP/2" {
				want = strings.Replace(want, "http ", "http2 ", 1)
			}
			var got kinds
			s.Each(t, &got, protocols...)
			if !slices.Equal(got.lines, []string{want}) {
				t.Errorf("%s %s: got %q, want %q", version, c.target, got.lines, want)
			}
		}
	}
}
