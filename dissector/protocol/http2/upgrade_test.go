package http2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
)

// pairs collects calls: who asks, in what protocol, what, and the answer.
type pairs struct{ lines []string }

func (c *pairs) Entry(e *dissector.Entry) error {
	if e.Protocol == dissector.ConnProtocol || e.Protocol == dissector.FlowProtocol {
		return nil
	}
	line := fmt.Sprintf("%d %s", e.Flow.SrcPort, e.Protocol.Name)
	for _, p := range e.Carriers {
		line += "," + p.Name
	}
	if e.Request != nil {
		line += fmt.Sprintf(" %s %s", http.Version.Get(&e.Request.Values), dissector.Summary.Get(&e.Request.Values))
	}
	if e.Response != nil {
		v := &e.Response.Values
		line += fmt.Sprintf(" > %s %d %s", http.Version.Get(v), http2.StreamID.Get(v), dissector.Status.Get(v))
	}
	if e.Request != nil && http2.Pushed.Get(&e.Request.Values) {
		line += " pushed"
	}
	if e.Interim > 0 {
		line += fmt.Sprintf(" interim %d", e.Interim)
	}
	c.lines = append(c.lines, line)
	return nil
}

// TestUpgrade: the request that asked for HTTP/2 is answered on stream 1 (RFC 7540, section
// 3.2), whatever it was that came in between.
func TestUpgrade(t *testing.T) {
	const (
		asks     = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
		grants   = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
		hello    = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
		settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		call     = "\x00\x00\x03\x01\x05\x00\x00\x00\x03\x82\x86\x84"
		found    = "\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88"
		missing  = "\x00\x00\x01\x01\x05\x00\x00\x00\x03\x8d"
		promise  = "\x00\x00\x07\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02\x82\x86\x84"
		pushed   = "\x00\x00\x01\x01\x05\x00\x00\x00\x02\x88"
		reset    = "\x00\x00\x04\x03\x00\x00\x00\x00\x02\x00\x00\x00\x08"
	)
	both := []*dissector.Protocol{http.Protocol, http2.Protocol}
	for name, c := range map[string]struct {
		script    *dissectortest.Script
		protocols []*dissector.Protocol
		want      []string
	}{
		"granted": {
			dissectortest.NewScript().Client(asks + "\r\n").Server(grants + settings + found).Client(hello + settings + call).Server(missing), both,
			[]string{"40000 http2,http HTTP/1.1 /a > HTTP/2 1 200 interim 1", "40000 http2 HTTP/2 / > HTTP/2 3 404"},
		},
		"the other call is first": {
			dissectortest.NewScript().Client(asks + "\r\n").Server(grants + settings).Client(hello + settings + call).Server(missing + found), both,
			[]string{"40000 http2 HTTP/2 / > HTTP/2 3 404", "40000 http2,http HTTP/1.1 /a > HTTP/2 1 200 interim 1"},
		},
		"while the body is on its way": {
			dissectortest.NewScript().Client(asks + "Content-Length: 4\r\n\r\nab").Server(grants + settings).Client("cd" + hello + settings + call).Server(found + missing), both,
			[]string{"40000 http2,http HTTP/1.1 /a > HTTP/2 1 200 interim 1", "40000 http2 HTTP/2 / > HTTP/2 3 404"},
		},
		"granted, and not answered": {
			dissectortest.NewScript().Client(asks + "\r\n").Server(grants + settings).Client(hello), both,
			[]string{"40000 http HTTP/1.1 /a interim 1"},
		},
		"refused": {
			dissectortest.NewScript().Client(asks + "\r\n").Server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), both,
			[]string{"40000 http HTTP/1.1 /a > HTTP/1.1 0 200"},
		},
		"nobody reads HTTP/2": {
			dissectortest.NewScript().Client(asks + "\r\n").Server(grants + settings + found).Client(hello), both[:1],
			[]string{"40000 http HTTP/1.1 /a > HTTP/1.1 0 101"},
		},
		"the request is not there": {
			dissectortest.NewScript().Lose().Client(asks + "\r\n").Server(grants + settings + found).Client(hello), both,
			[]string{"40000 http2 > HTTP/2 1 200"},
		},
		"pushed": {
			dissectortest.NewScript().Client(hello + settings).Server(settings + promise + pushed), both,
			[]string{"40000 http2 HTTP/2 / > HTTP/2 2 200 pushed"},
		},
		"pushed, and not wanted": {
			dissectortest.NewScript().Client(hello + settings).Server(settings + promise).Client(reset), both,
			[]string{"40000 http2 HTTP/2 / pushed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got pairs
			c.script.Close().Each(t, &got, c.protocols...)
			if !slices.Equal(got.lines, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got.lines, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}
