package sse_test

import (
	"fmt"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
	"shark/dissector/protocol/sse"
)

func TestProtocol(t *testing.T) {
	dissectortest.Run(t, sse.Protocol, http.Protocol, http2.Protocol)
}

// told collects streams as the recorded server writes them.
type told struct{ lines []string }

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol == sse.Protocol && e.Request != nil {
		v := &e.Response.Values
		c.lines = append(c.lines, fmt.Sprintf("%s %d %s %s", http.Path.Get(&e.Request.Values), sse.Events.Get(v), or(sse.LastName, v), or(sse.LastID, v)))
	}
	return nil
}

func or(f field.TextField, v *field.Values) string {
	if b := f.Get(v); len(b) > 0 {
		return string(b)
	}
	return "-"
}

// TestAgainstServer compares every stream with what the server sent.
func TestAgainstServer(t *testing.T) {
	dissectortest.Told(t, "sse", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, http.Protocol, http2.Protocol, sse.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}
