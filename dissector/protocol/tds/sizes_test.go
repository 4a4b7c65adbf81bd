package tds_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/tds"
)

// What is encrypted within the login has no header of TDS: tshark calls it TLS alone.
func TestSizes(t *testing.T) {
	dissectortest.Sized(t, tds.Protocol, nil, "tds", "tls")
}
