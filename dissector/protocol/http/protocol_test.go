package http_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, http.Protocol) }
