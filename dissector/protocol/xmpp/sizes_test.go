package xmpp_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/xmpp"
)

// The blanks of packet 27, which keep a connection open, are to tshark the beginning of what
// is sent next.
func TestSizes(t *testing.T) {
	dissectortest.Sized(t, xmpp.Protocol, map[string]int{"xmpp_session.pcap": 1}, "xmpp")
}
