package xmpp

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/tls"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, Protocol, tls.Protocol) }
