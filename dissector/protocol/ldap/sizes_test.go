package ldap_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/ldap"
)

// Two answers of one capture came by turns, so that neither is a row of tshark's messages.
func TestSizes(t *testing.T) {
	dissectortest.Sized(t, ldap.Protocol, map[string]int{"ldap_of_pipelined.pcap": 2}, "ldap")
}
