package amqp1

import (
	"testing"

	"shark/dissector/dissectortest"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, Protocol) }
