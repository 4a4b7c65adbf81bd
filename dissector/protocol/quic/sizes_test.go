package quic_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/quic"
)

// A connection that came to another address is UDP to tshark from there on.
func TestSizes(t *testing.T) {
	dissectortest.Sized(t, quic.Protocol, map[string]int{"quic_of_migration.pcap": 1, "quic_of_rebinding.pcap": 2}, "quic")
}
