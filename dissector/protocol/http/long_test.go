package http_test

import (
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

// inSegments cuts a text into what packets hold.
func inSegments(text string) (out []string) {
	for len(text) > 1400 {
		out, text = append(out, text[:1400]), text[1400:]
	}
	return append(out, text)
}

// TestLongHeads: a head that is too long to be read as a whole is told of by its front, and what
// follows is found where the rest of it says where that begins.
func TestLongHeads(t *testing.T) {
	many := strings.Repeat("X-Filler: "+strings.Repeat("y", 90)+"\r\n", 1000)
	line := "X-Filler: " + strings.Repeat("y", 3_000_000) + "\r\n"
	const next, ok, found = "GET /next HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
	for name, c := range map[string]struct {
		client, server string
		want           []string
	}{
		"many lines":               {"GET /a HTTP/1.1\r\n" + many + "\r\n" + next, found + ok, []string{"GET /a > 404 truncated", "GET /next > 200"}},
		"a long line":              {"GET /a HTTP/1.1\r\n" + line + "\r\n" + next, found + ok, []string{"GET /a > 404 truncated", "GET /next > 200"}},
		"a long target":            {"GET /" + strings.Repeat("x", 80_000) + " HTTP/1.1\r\nHost: h\r\n\r\n" + next, found + ok, []string{"GET > 404 truncated", "GET /next > 200"}},
		"length behind the limit":  {"POST /a HTTP/1.1\r\n" + many + "Content-Length: 5\r\n\r\nGET /" + next, found + ok, []string{"POST /a > 404 truncated", "GET /next > 200"}},
		"length before the limit":  {"POST /a HTTP/1.1\r\nContent-Length: 5\r\n" + many + "\r\nGET /" + next, found + ok, []string{"POST /a > 404 truncated", "GET /next > 200"}},
		"chunks":                   {"POST /a HTTP/1.1\r\n" + many + "Transfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n" + next, found + ok, []string{"POST /a > 404 truncated", "GET /next > 200"}},
		"a response":               {"GET /a HTTP/1.1\r\n\r\n" + next, "HTTP/1.1 404 No\r\n" + many + "Content-Length: 3\r\n\r\nHTT" + ok, []string{"GET /a > 404 truncated", "GET /next > 200"}},
		"an interim response":      {"GET /a HTTP/1.1\r\n\r\n" + next, "HTTP/1.1 103 Early Hints\r\n" + many + "\r\n" + found + ok, []string{"GET /a > 404", "GET /next > 200"}},
		"a response until the end": {"GET /a HTTP/1.1\r\n\r\n", "HTTP/1.1 404 No\r\n" + many + "\r\n" + ok, []string{"GET /a > 404 truncated"}},
		"an upgrade":               {"GET /a HTTP/1.1\r\n" + many + "Upgrade: TLS/1.0\r\n\r\n", "HTTP/1.1 101 Yes\r\n" + many + "Upgrade: TLS/1.0\r\n\r\n" + ok, []string{"GET /a > 101 truncated"}},
		"no end":                   {"GET /a HTTP/1.1\r\n" + many, "", []string{"GET /a > - truncated"}},
		"no end of a line":         {"GET /a HTTP/1.1\r\n" + line[:len(line)-2], "", []string{"GET /a > - truncated"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := dissectortest.NewScript().Client(inSegments(c.client)...).Server(inSegments(c.server)...).Close().Calls(t, http.Protocol)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// longHeads collects what stands in requests.
type longHeads struct{ requests []*dissector.Message }

func (c *longHeads) Entry(e *dissector.Entry) error {
	if e.Protocol == http.Protocol {
		m := new(dissector.Message)
		m.Merge(&e.Request.Values)
		c.requests = append(c.requests, m)
	}
	return nil
}

// TestLongHeadsSaySo: of such a head it is said that it is one, how long it is and what stands in
// its front; no more of it is kept.
func TestLongHeadsSaySo(t *testing.T) {
	const first, filler = "POST /a HTTP/1.1\r\nHost: h\r\n", "X-Filler: y\r\n"
	text := first + strings.Repeat(filler, 100_000) + "\r\n"
	var got longHeads
	dissectortest.NewScript().Client(inSegments(text)...).Close().Each(t, &got, http.Protocol)
	if len(got.requests) != 1 {
		t.Fatalf("%d requests", len(got.requests))
	}
	v := &got.requests[0].Values
	host, _ := http.RequestHeaders.Get(v, "host")
	if why := string(http.Anomaly.Get(v)); why != "head is too long to be read as a whole" || string(host) != "h" || string(http.Host.Get(v)) != "h" {
		t.Errorf("anomaly %q, host %q", why, host)
	}
	if n := http.RequestHeadersSize.Get(v); n != int64(len(text)) {
		t.Errorf("head of %d bytes, not %d", n, len(text))
	}
	if n := v.Size(); n > 80<<10 {
		t.Errorf("%d bytes are kept", n)
	}
}

// TestLongHeadsWithoutAnEnd: where a head does not tell where its message ends, nothing is taken
// for the next one but what proves to be.
func TestLongHeadsWithoutAnEnd(t *testing.T) {
	many := strings.Repeat("X-Filler: "+strings.Repeat("y", 90)+"\r\n", 1000)
	for name, lines := range map[string]string{
		"two lengths":        "Content-Length: 3\r\n" + many + "Content-Length: 4\r\n",
		"a length goes on":   many + "Content-Length:\r\n 3\r\n",
		"a length is a line": many + "Content-Length: " + strings.Repeat("0", 70_000) + "3\r\n",
	} {
		s := dissectortest.NewScript().Client(inSegments("POST /a HTTP/1.1\r\n" + lines + "\r\n")...).Client("{12}").Client("GET /next HTTP/1.1\r\n\r\n").Close()
		if got := s.Calls(t, http.Protocol); !slices.Equal(got, []string{"GET /next > - resumed unpaired", "POST /a > - truncated"}) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
