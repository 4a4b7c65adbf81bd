package http3_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http3"
	"shark/dissector/protocol/quic"
	"shark/dissector/protocol/tls"
)

func TestProtocol(t *testing.T) {
	dissectortest.Run(t, http3.Protocol, quic.Protocol, tls.Protocol, http.Protocol)
}

// heard collects the calls as the recorded clients write them: method, target, status, and the
// sizes of both bodies, with "cut" behind one that broke off.
type heard []string

func (c *heard) Entry(e *dissector.Entry) error {
	if e.Protocol != http3.Protocol {
		return nil
	}
	request, status, got, cut := "-", "-", int64(0), ""
	if e.Request != nil {
		q := &e.Request.Values
		request = fmt.Sprintf("%s %s STATUS %d", http.Method.Get(q), http.URL.Get(q), http.RequestBodySize.Get(q))
	}
	if e.Response != nil {
		v := &e.Response.Values
		status, got = fmt.Sprint(dissector.StatusCode.Get(v)), e.Response.BodySize
	}
	if e.Marks&dissector.MarkTruncated != 0 {
		cut = " cut"
	}
	if e.Request == nil {
		request += " STATUS"
	}
	*c = append(*c, strings.Replace(request, "STATUS", status, 1)+fmt.Sprintf(" %d%s", got, cut))
	return nil
}

// Every call is as the client that made it was told, and there is no other.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "http3", func(t *testing.T, capture string, want []string) {
		switch {
		case strings.Contains(capture, "early"):
			want = split(want, "/size/50", 1, false)
		case strings.Contains(capture, "moving"):
			want = split(split(want, "/size/20", 0, true), "/size/30", 0, true)
		}
		var got heard
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, quic.Protocol, tls.Protocol, http3.Protocol)
		dissectortest.SameLines(t, got, want)
	})
}

// split parts the request and the response of the calls of a target, but for the first few of
// them: those of which the request came in a 0-RTT packet, the secret of which the recorded client
// does not write, and those that a client made when it had moved to another port and was still
// answered at the one before.
func split(calls []string, target string, first int, asked bool) (out []string) {
	for _, line := range calls {
		f := strings.Fields(line)
		if f[1] != target {
			out = append(out, line)
			continue
		}
		if first--; first >= 0 {
			out = append(out, line)
			continue
		}
		out = append(out, "- "+f[2]+" "+f[4])
		if asked {
			out = append(out, f[0]+" "+f[1]+" - "+f[3]+" 0")
		}
	}
	return out
}

// TestZeroRTT reads calls of which the first is in a 0-RTT packet, of version 2, as tshark does
// but for that one.
func TestZeroRTT(t *testing.T) {
	var got heard
	file := filepath.Join(dissectortest.Public(t), "ndpi/quic-v2.pcapng")
	dissectortest.Dissect(t, dissectortest.Open(t, file), &got, quic.Protocol, tls.Protocol, http3.Protocol)
	dissectortest.SameLines(t, got, []string{
		"GET /index.html 200 0 386",
		"GET /test.html 404 0 0",
		"GET /1234567 - 0 0",
	})
}
