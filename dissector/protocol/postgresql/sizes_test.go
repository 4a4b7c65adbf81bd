package postgresql_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/postgresql"
)

// The single byte that answers a wish for TLS is none of tshark's messages.
func TestSizes(t *testing.T) {
	dissectortest.Sized(t, postgresql.Protocol, map[string]int{"postgresql_of_login.pcap": 2, "postgresql_of_refused.pcap": 1}, "pgsql")
}
