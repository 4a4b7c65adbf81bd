package grpc_test

import (
	"fmt"
	"path"
	"path/filepath"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/grpc"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
)

// web is the capture of gRPC-Web.
const web = "web.pcap"

// told collects calls of gRPC-Web as the recorded clients write them.
type told struct {
	lines []string
	forms map[string]int
}

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != grpc.Protocol || e.Request == nil || e.Response == nil {
		return nil
	}
	q, r := &e.Request.Values, &e.Response.Values
	version := path.Base(string(http.Version.Get(r)))
	c.forms[string(grpc.Web.Get(r))+" "+version]++
	c.lines = append(c.lines, fmt.Sprintf("%s %d %d", grpc.Method.Get(q), grpc.ResponseMessages.Get(r), grpc.Status.Get(r)))
	return nil
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "grpc", func(t *testing.T, capture string, want []string) {
		if filepath.Base(capture) != web {
			return
		}
		got := told{forms: make(map[string]int)}
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, http.Protocol, http2.Protocol, grpc.Protocol)
		dissectortest.SameLines(t, got.lines, want)
		if fmt.Sprint(got.forms) != "map[binary 1.1:6 binary 2:6 text 1.1:4]" {
			t.Errorf("calls by form and version: %v", got.forms)
		}
	})
}
