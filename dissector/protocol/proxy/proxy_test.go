package proxy_test

import (
	"fmt"
	"net"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/proxy"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, proxy.Protocol, http.Protocol) }

// told collects headers, and the calls behind them, as the recorded clients write them.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	switch e.Protocol {
	case proxy.Protocol:
		v := &e.Request.Values
		from, to := joined(v, proxy.Src, proxy.SrcPort), joined(v, proxy.Dst, proxy.DstPort)
		*c = append(*c, fmt.Sprintf("PROXY %d %s %s %s %d", proxy.Version.Get(v), proxy.Command.Get(v), from, to, e.Request.Size))
	case http.Protocol:
		v := &e.Request.Values
		*c = append(*c, fmt.Sprintf("%s %s %s %d %d", http.Method.Get(v), http.Path.Get(v), dissector.Status.Get(&e.Response.Values), e.Request.Size, e.Response.Size))
	}
	return nil
}

func joined(v *field.Values, host field.TextField, port field.IntField) string {
	if !v.Has(host) {
		return "-"
	}
	return net.JoinHostPort(string(host.Get(v)), fmt.Sprint(port.Get(v)))
}

// TestTruth compares every header and every call behind one with what the client did.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "proxy", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, proxy.Protocol, http.Protocol)
		dissectortest.SameLines(t, got, want)
	})
}
