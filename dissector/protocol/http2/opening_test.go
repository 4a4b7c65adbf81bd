package http2

import (
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// TestRefusedOpenings: a connection of which nothing comes but a refusal is an entry, and so is
// one that nobody answers. What a connection begins with is none where it was accepted.
func TestRefusedOpenings(t *testing.T) {
	const settings, ack = "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x00\x04\x01\x00\x00\x00\x00"
	hello := preface + settings
	call := raw(frameHeaders, 5, 1, "\x82\x86\x84")
	away := func(code byte) string { return goAwayFrame(0, code, "why") }
	for name, c := range map[string]struct {
		script *dissectortest.Script
		want   []string
	}{
		"by HTTP/1":                 {dissectortest.NewScript().Client(hello).Server("HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 2\r\n\r\nno"), []string{"PRI * > 505"}},
		"by HTTP/1, bit by bit":     {dissectortest.NewScript().Client(preface[:20], preface[20:]).Server("HT", "TP/1.0 400 Bad", " Request\r\n\r\n", "<html>", "</html>"), []string{"PRI * > 400"}},
		"by HTTP/1, in chunks":      {dissectortest.NewScript().Client(hello).Server("HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nno\r\n0\r\n\r\n"), []string{"PRI * > 400"}},
		"by HTTP/1, with a call":    {dissectortest.NewScript().Client(hello + call).Server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), []string{"PRI * > 400", "GET / > -"}},
		"by GOAWAY":                 {dissectortest.NewScript().Client(hello).Server(away(0)), []string{"PRI * > GOAWAY NO_ERROR"}},
		"by GOAWAY and SETTINGS":    {dissectortest.NewScript().Client(hello).Server(settings + ack + away(11)), []string{"PRI * > GOAWAY ENHANCE_YOUR_CALM"}},
		"by GOAWAY, with a call":    {dissectortest.NewScript().Client(hello + call).Server(settings + away(11)), []string{"GET / > -"}},
		"by a server that is first": {dissectortest.NewScript().Server(settings+away(11), "").Client(hello), []string{"PRI * > -"}},
		"by nobody":                 {dissectortest.NewScript().Client(hello), []string{"PRI * > -"}},
		"by nobody, with a call":    {dissectortest.NewScript().Client(hello + call), []string{"GET / > -"}},
		"not, and not used":         {dissectortest.NewScript().Client(hello).Server(settings + ack).Client(ack).Server(away(0)), nil},
		"not, and the server first": {dissectortest.NewScript().Server(settings, away(0)).Client(hello + ack), nil},
		"not, and used":             {dissectortest.NewScript().Client(hello).Server(settings).Client(ack + call).Server(ack + raw(frameHeaders, 5, 1, "\x88") + away(0)), []string{"GET / > 200"}},
		"maybe, for it was missed":  {dissectortest.NewScript().Client(hello).Lose().Server(settings + ack).Server(away(0)), []string{"PRI * > -"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.script.Close().Calls(t, Protocol)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// refusals collects what stands in the halves of calls.
type refusals struct{ lines []string }

func (c *refusals) Entry(e *dissector.Entry) error {
	if e.Protocol == Protocol {
		for _, m := range []*dissector.Message{e.Request, e.Response} {
			if m != nil {
				c.lines = append(c.lines, line(m))
			}
		}
	}
	return nil
}

// TestRefusalsSayWhy: what a server says besides stands in the entry.
func TestRefusalsSayWhy(t *testing.T) {
	var got refusals
	dissectortest.NewScript().Client(preface).Server(goAwayFrame(0, 11, "too_many_pings")).Close().Each(t, &got, Protocol)
	dissectortest.NewScript().Client(preface).Server("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n", "no").Close().Each(t, &got, Protocol)
	all := strings.Join(got.lines, "\n")
	for _, want := range []string{"http2_goaway=ENHANCE_YOUR_CALM http2_goaway_debug=too_many_pings", "failed=1", "status_code=400", "response_body_size=2"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not in\n%s", want, all)
		}
	}
}
