package proxy_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/proxy"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, proxy.Protocol, http.Protocol) }
