package tls_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
	"shark/dissector/protocol/tls"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, tls.Protocol, http.Protocol, http2.Protocol) }
