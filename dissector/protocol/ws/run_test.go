package ws_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/ws"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, ws.Protocol, http.Protocol) }
