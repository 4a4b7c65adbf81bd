package xmpp_test

import (
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/tls"
	"shark/dissector/protocol/xmpp"
)

// told collects the calls as the recorded client writes them: element, id of an iq, and
// how it was answered.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != xmpp.Protocol || e.OneWay {
		return nil
	}
	line := "- "
	if e.Request != nil {
		line = string(dissector.Operation.Get(&e.Request.Values)) + " "
		if e.Request.Has(xmpp.ID) {
			line += string(xmpp.ID.Get(&e.Request.Values)) + " "
		}
	}
	if e.Response != nil {
		line += string(dissector.Status.Get(&e.Response.Values))
	}
	*c = append(*c, line)
	return nil
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "xmpp", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, xmpp.Protocol, tls.Protocol)
		dissectortest.SameLines(t, got, want)
	})
}
