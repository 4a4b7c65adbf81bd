package mongodb_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/mongodb"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, mongodb.Protocol) }
