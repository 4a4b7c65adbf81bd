package grpc_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/grpc"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, grpc.Protocol, http.Protocol, http2.Protocol) }
