package http2

import (
	"fmt"
	"strings"
	"testing"

	"shark/dissector"
)

func goAwayFrame(last uint32, code byte, debug string) string {
	return raw(frameGoAway, 0, 0, string([]byte{byte(last >> 24), byte(last >> 16), byte(last >> 8), byte(last), 0, 0, 0, code})+debug)
}

func TestGoAway(t *testing.T) {
	const c, s = dissector.Client, dissector.Server
	const get, settings = "\x82\x86\x84", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	ask := func(ids ...uint32) string {
		var b strings.Builder
		for _, id := range ids {
			b.WriteString(raw(frameHeaders, 5, id, get))
		}
		return b.String()
	}
	const forever = 1<<31 - 1
	type turn struct {
		from  dissector.Side
		bytes string
		want  string
	}
	const calm = "http2_goaway=ENHANCE_YOUR_CALM http2_goaway_debug=too_many_pings "
	for _, x := range []struct {
		name  string
		turns []turn
	}{
		{"what is above the last stream is refused, what is below goes on", []turn{
			{s, settings + goAwayFrame(3, 11, "too_many_pings"), calm + "remark | " + calm + "http2_unprocessed=1 failed=1 remark cancel | " + calm + "http2_unprocessed=1 failed=1 remark cancel"},
			{s, raw(frameHeaders, 5, 3, "\x88"), "status_code=200 response_body_size=0 [3]"},
			{c, raw(frameRSTStream, 0, 5, "\x00\x00\x00\x08"), ""},
		}},
		{"what was begun before the client knew is refused, too, with its body", []turn{
			{s, settings + raw(frameHeaders, 5, 3, "\x88") + raw(frameHeaders, 5, 5, "\x88") + raw(frameHeaders, 5, 7, "\x88") + goAwayFrame(7, 0, ""), "status_code=200 response_body_size=0 [3] | status_code=200 response_body_size=0 [5] | status_code=200 response_body_size=0 [7]"},
			{c, raw(frameHeaders, 4, 9, get) + raw(frameData, 1, 9, "body"), "method=GET url=/ [9] open | http2_goaway=NO_ERROR http2_unprocessed=1 failed=1 remark cancel"},
		}},
		{"first a warning, then the last stream", []turn{
			{s, settings + goAwayFrame(forever, 0, "max_age"), strings.Repeat(" | http2_goaway=NO_ERROR http2_goaway_debug=max_age remark", 3)[3:]},
			{s, goAwayFrame(5, 0, ""), "http2_goaway=NO_ERROR remark | http2_goaway=NO_ERROR remark | http2_goaway=NO_ERROR http2_unprocessed=1 failed=1 remark cancel"},
		}},
		{"NO_ERROR takes no other's place, of either side", []turn{
			{s, settings + goAwayFrame(7, 2, ""), strings.Repeat(" | http2_goaway=INTERNAL_ERROR remark", 3)[3:]},
			{c, goAwayFrame(0, 0, ""), "remark | remark | remark"},
			{s, goAwayFrame(7, 1, ""), strings.Repeat(" | http2_goaway=PROTOCOL_ERROR remark", 3)[3:]},
		}},
		{"an answer is told, whatever was said before", []turn{
			{s, settings + goAwayFrame(5, 0, "") + raw(frameHeaders, 4, 7, "\x88") + raw(frameData, 1, 7, "ok"), "http2_goaway=NO_ERROR remark | http2_goaway=NO_ERROR remark | http2_goaway=NO_ERROR http2_unprocessed=1 failed=1 remark cancel | status_code=200 [7] open | [7] response_body_size=2"},
		}},
		{"what has an answer was processed", []turn{
			{s, settings + raw(frameHeaders, 4, 7, "\x88") + goAwayFrame(5, 0, ""), "status_code=200 [7] open | http2_goaway=NO_ERROR remark | http2_goaway=NO_ERROR remark | http2_goaway=NO_ERROR remark"},
		}},
		{"nobody is told of too many, nor of too large ones", []turn{
			{s, settings + raw(frameGoAway, 0, 0, strings.Repeat("x", maxControl+1)) + raw(frameHeaders, 5, 3, "\x88") + raw(frameHeaders, 5, 5, "\x88"), "status_code=200 response_body_size=0 [3] | status_code=200 response_body_size=0 [5]"},
			{s, strings.Repeat(goAwayFrame(forever, 0, ""), maxGoAways+3), strings.Repeat(" | http2_goaway=NO_ERROR remark", maxGoAways)[3:]},
		}},
		{"debug data is cut", []turn{
			{s, settings + raw(frameHeaders, 5, 3, "\x88") + raw(frameHeaders, 5, 5, "\x88") + goAwayFrame(forever, 0, strings.Repeat("x", maxDebug+1)), "status_code=200 response_body_size=0 [3] | status_code=200 response_body_size=0 [5] | http2_goaway=NO_ERROR http2_goaway_debug=" + strings.Repeat("x", maxDebug) + " remark"},
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			parse := newParser().parse
			say(t, parse, c, 0, preface+raw(frameSettings, 0, 0, "")+ask(3, 5, 7))
			for i, turn := range x.turns {
				if got := strings.Join(say(t, parse, turn.from, 0, turn.bytes), " | "); got != turn.want {
					t.Errorf("turn %d:\ngot  %s\nwant %s", i, got, turn.want)
				}
			}
		})
	}
}

// A GOAWAY that arrives in parts is one.
func TestGoAwayInParts(t *testing.T) {
	p := newParser()
	say(t, p.parse, dissector.Client, 0, preface+raw(frameHeaders, 5, 1, "\x82\x86\x84"))
	b := []byte(goAwayFrame(0, 0, "why"))
	for n := range b {
		m := &dissector.Message{From: dissector.Server}
		if _, err := p.parse(dissector.Server, b[:n], m); err != dissector.ErrShort || m.Need <= n {
			t.Fatalf("%d bytes: error %v, needs %d", n, err, m.Need)
		}
	}
	if got := fmt.Sprint(say(t, p.parse, dissector.Server, 0, string(b))); !strings.Contains(got, "http2_goaway_debug=why http2_unprocessed=1") {
		t.Errorf("got %s", got)
	}
}
