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
