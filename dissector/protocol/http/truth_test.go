package http_test

import (
	"fmt"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

// told collects the calls as the recorded clients write them: method, target, status, and
// the sizes of both bodies, with "cut" behind one that broke off.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != http.Protocol || e.Request == nil {
		return nil
	}
	q := &e.Request.Values
	status, got, cut := "-", int64(0), ""
	if e.Response != nil {
		v := &e.Response.Values
		status, got = string(dissector.Status.Get(v)), http.ResponseBodySize.Get(v)
		if e.Marks&dissector.MarkTruncated != 0 {
			got, cut = e.Response.Size-http.ResponseHeadersSize.Get(v), " cut" // the field has what was promised
		}
	}
	*c = append(*c, fmt.Sprint(string(http.Method.Get(q)), " ", string(http.URL.Get(q)), " ", status, " ", http.RequestBodySize.Get(q), " ", got, cut))
	return nil
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "http", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, http.Protocol)
		dissectortest.SameLines(t, got, want)
	})
}
