package http2_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/grpc"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
)

func TestProtocol(t *testing.T) {
	dissectortest.Run(t, http2.Protocol, http.Protocol, grpc.Protocol)
}
