package http_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

// read parses all of a side, without an engine, and tells each message as
// "summary or status, pieces' spans, anomaly".
func read(t testing.TB, from dissector.Side, data string) (out []string, err error) {
	t.Helper()
	parse := http.Protocol.New(dissector.TCP)
	m, spans := new(dissector.Message), ""
	for len(data) > 0 {
		m.Open, m.Skip = false, false
		span, err := parse(from, []byte(data), m)
		if err != nil {
			return out, err
		}
		spans += fmt.Sprintf(" %d", min(span, int64(len(data))))
		if m.Skip {
			spans, m = "", new(dissector.Message)
		} else if !m.Open {
			what := dissector.Summary.Get(&m.Values)
			if from == dissector.Server {
				what = dissector.Status.Get(&m.Values)
			}
			line := string(what) + spans
			if a := http.Anomaly.Get(&m.Values); len(a) > 0 {
				line += ": " + string(a)
			}
			out = append(out, line)
			spans, m = "", new(dissector.Message)
		}
		data = data[min(span, int64(len(data))):]
	}
	return out, nil
}

func TestFraming(t *testing.T) {
	const client, server = dissector.Client, dissector.Server
	for _, c := range []struct {
		name string
		from dissector.Side
		in   string
		want string // joined by "; "; the error last
	}{
		{"no body", client, "GET /a?b HTTP/1.1\r\n\r\n", "/a 21"},
		{"body", client, "POST / HTTP/1.1\r\ncontent-length:3\r\n\r\nabcGET /n HTTP/1.1\r\n\r\n", "/ 40; /n 19"},
		{"same length twice", client, "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc", "/ 44"},
		{"length is not a number", client, "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n", "/ 39: content-length is not a number"},
		{"length overflows", client, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "/ 57: content-length is not a number"},
		{"folded length", client, "POST / HTTP/1.1\r\nContent-Length:\r\n 3\r\n\r\nabc", "/ 43"},
		{"blank before colon", client, "POST / HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc", "/ 42: space between a header's name and its colon"},
		{"coding that is not chunked", client, "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", "/ 48: transfer-encoding does not end in chunked"},
		{"gzip in chunks", client, "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\nx\n0\n\n", "/ 53 3 4"},
		{"large chunk unseen", client, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\nx", ""},
		{"identity", client, "POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", "/ 68"},
		{"blanks before the target", client, "GET   /far HTTP/1.1\r\n\r\n", "/far 23"},
		{"target with blanks", client, "GET /a b HTTP/1.1\r\n\r\n", "/a b 21"},
		{"line without colon", client, "GET / HTTP/1.1\r\nnonsense\r\n\r\n", "/ 28: header line without a colon"},
		{"absolute target", client, "GET http://u:p@h:81?q HTTP/1.1\r\n\r\n", "/ 34"},
		{"until the end", server, "HTTP/1.1 200 OK\r\n\r\nall the rest", "200 31"},
		{"no reason", server, "HTTP/1.0 204\r\n\r\n", "204 16"},
		{"not modified has no body", server, "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 \r\n\r\n", "304 37; 204 17"},
		{"trailers", server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", "200 47 11"},
		{"empty lines first", server, "\r\n\r\nHTTP/1.1 204 x\r\n\r\n", "204 18"},

		{"early version", client, "GET /\r\n", "malformed request line"},
		{"HTTP/2", client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "malformed request line"},
		{"binary", client, "\x16\x03\x01", "malformed request line"},
		{"response from the client", client, "HTTP/1.1 200 OK\r\n\r\n", "malformed request line"},
		{"request from the server", server, "GET / HTTP/1.1\r\n\r\n", "malformed status line"},
		{"status of two digits", server, "HTTP/1.1 20 OK\r\n\r\n", "malformed status line"},
		{"bad chunk size", server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "malformed chunk"},
		{"chunk without its end", server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n", "malformed chunk"},
		{"chunk line too long", server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 5000), "malformed chunk: its line is longer than 4096 bytes"},
		{"head too long", client, "GET / HTTP/1.1\r\nA: " + strings.Repeat("x", 70000), "message is not complete yet"},
		{"status line too long", server, "HTTP/1.1 200 " + strings.Repeat("x", 70000), "head is longer than 65536 bytes"},
		{"method unknown before too much", client, "GOT /" + strings.Repeat("x", 70000), "head is longer than 65536 bytes"},
		{"half a head", client, "GET / HTTP/1.1\r\nA: b\r\n", "message is not complete yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := read(t, c.from, c.in)
			if err != nil {
				out = append(out, err.Error())
			}
			if got := strings.Join(out, "; "); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	long := strings.Repeat("a", 300)
	for in, want := range map[string]dissector.Guess{
		"":                                       dissector.More,
		"G":                                      dissector.More,
		"GET":                                    dissector.More,
		"GET /index.html HT":                     dissector.More,
		"GET / HTTP/1.1\r\n":                     dissector.Request,
		"GET /" + long:                           dissector.Request,
		"POST http://h/ HTTP/1.0\n":              dissector.Request,
		"VERSION-CONTROL /x HTTP/1.1\r\n":        dissector.Request,
		"CONNECT h:443 HTTP/1.1\r\n":             dissector.Request,
		"H":                                      dissector.More,
		"HTTP/1.1 2":                             dissector.More,
		"HTTP/1.1 200":                           dissector.More,
		"HTTP/1.1 200 OK":                        dissector.Response,
		"HTTP/1.0 404\r\n":                       dissector.Response,
		"HTTP/1.1 2000":                          dissector.No,
		"HTTP/2 200":                             dissector.No,
		"HTTP/1.x":                               dissector.No,
		"GETT / HTTP/1.1\r\n":                    dissector.No,
		"GET  HTTP/1.1\r\n":                      dissector.No,
		"GET   /far HTTP/1.1\r\n":                dissector.Request,
		"\r\nGET / HTTP/1.1\r\n":                 dissector.Request,
		"\r\n":                                   dissector.More,
		"GET /\r\n":                              dissector.No,
		"GET key\r\n":                            dissector.No,
		"OPTIONS rtsp://h/x RTSP/1.0\r\n":        dissector.No,
		"NOTIFY sip:a@b SIP/2.0\r\n":             dissector.No,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":       dissector.No,
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc":   dissector.No,
		"GET /\x00\x01 HTTP/1.1\r\n":             dissector.No,
		"SEARCH " + long + long + " IMAP4rev1\r": dissector.More,
		"HELO mail.example\r\n":                  dissector.No,
	} {
		if got := http.Protocol.Probe([]byte(in)); got != want {
			t.Errorf("%.60q: got %d, want %d", in, got, want)
		}
	}
}

// FuzzParse checks that whatever is parsed from the first bytes of a side is
// parsed the same from more of them.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"GET /a?b=c HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\n c\r\n\r\nokHTTP/1.0 404\n\nx",
	} {
		f.Add(false, uint16(20), []byte(s))
		f.Add(true, uint16(33), []byte(s))
	}
	f.Add(false, uint16(9), []byte("POST / HTTP/1.1\r\n"+"a: "+strings.Repeat("b", 66000)+"\r\nContent-Length: 2\r\n\r\nok"))
	f.Fuzz(func(t *testing.T, server bool, cut uint16, data []byte) {
		defer dissectortest.Bounded(t)()
		from := dissector.Client
		if server {
			from = dissector.Server
		}
		parse := http.Protocol.New(dissector.TCP)
		for m := new(dissector.Message); len(data) > 0; {
			less := *m
			less.Values.Merge(&m.Values)
			early, shortErr := parse(from, data[:min(int(cut), len(data))], &less)
			m.Open, m.Skip = false, false
			span, err := parse(from, data, m)
			if err == nil && span <= 0 {
				t.Fatalf("span %d", span)
			}
			if !m.Skip && !errors.Is(shortErr, dissector.ErrShort) && (early != span || (err == nil) != (shortErr == nil)) {
				t.Fatalf("cut at %d: %d, %v; whole: %d, %v\n%q", cut, early, shortErr, span, err, data)
			}
			http.Protocol.Probe(data)
			if err != nil {
				return
			}
			data = data[min(span, int64(len(data))):]
			if !m.Open {
				http.Content(m, data, 1<<16)
				for _, fl := range http.Fields {
					if fl.From == http.URL.Field {
						fl.Derive(string(http.URL.Get(&m.Values)))
					} else if fl.Derive != nil {
						fl.Derive(string(data))
					}
				}
				m = new(dissector.Message)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	req := []byte("GET /api/v1/products/1YMWWN1N4O?currency=EUR HTTP/1.1\r\nHost: frontend.shop.svc.cluster.local:8080\r\nUser-Agent: Go-http-client/1.1\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nX-Request-Id: 7f9c2ba4-e88f-4d2a-8ab4-90a4c1c5b2d1\r\n\r\n")
	resp := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sat, 21 Nov 2026 22:25:07 GMT\r\nContent-Length: 1024\r\nServer: envoy\r\nX-Envoy-Upstream-Service-Time: 3\r\n\r\n" + strings.Repeat("x", 1024))
	parse := http.Protocol.New(dissector.TCP)
	m := new(dissector.Message)
	b.SetBytes(int64(len(req) + len(resp)))
	b.ReportAllocs()
	for b.Loop() {
		v := m.Values
		v.Reset()
		*m = dissector.Message{Values: v}
		if _, err := parse(dissector.Client, req, m); err != nil {
			b.Fatal(err)
		}
		v = m.Values
		v.Reset()
		*m = dissector.Message{Values: v}
		if _, err := parse(dissector.Server, resp, m); err != nil {
			b.Fatal(err)
		}
	}
}
