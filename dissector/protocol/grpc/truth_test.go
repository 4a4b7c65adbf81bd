package grpc_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/grpc"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
)

// counted collects calls as the recorded client of gRPC itself writes them: method, status,
// messages sent and received, and their bytes with the five before each. The fields of the
// bodies' sizes are not set where a stream was reset.
type counted []string

func (c *counted) Entry(e *dissector.Entry) error {
	if e.Protocol != grpc.Protocol || e.Request == nil {
		return nil
	}
	q, status, got, bytes := &e.Request.Values, "-", int64(0), int64(0)
	if e.Response != nil {
		r := &e.Response.Values
		got, bytes = grpc.ResponseMessages.Get(r), e.Response.BodySize
		if e.Response.Has(grpc.Status) {
			status = fmt.Sprint(grpc.Status.Get(r))
		}
	}
	*c = append(*c, fmt.Sprintf("%s %s %d %d %d %d", grpc.Method.Get(q), status, grpc.RequestMessages.Get(q), got, e.Request.BodySize, bytes))
	return nil
}

// TestAgainstGRPCClient compares every call of gRPC itself with what its client was told.
func TestAgainstGRPCClient(t *testing.T) {
	dissectortest.Told(t, "grpc", func(t *testing.T, capture string, want []string) {
		if filepath.Base(capture) == web {
			return
		}
		var got counted
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, http.Protocol, http2.Protocol, grpc.Protocol)
		dissectortest.SameLines(t, got, want)
	})
}
