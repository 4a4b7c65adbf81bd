package http2

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
)

// raw builds a frame.
func raw(kind frameType, flags byte, stream uint32, payload string) string {
	n := len(payload)
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), byte(kind), flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}) + payload
}

// lit is a field that is spelled out and put into the table.
func lit(name, value string) string {
	return "\x40" + string(rune(len(name))) + name + string(rune(len(value))) + value
}

// say parses all of b and returns what it makes of it: a line for each piece.
func say(t testing.TB, parse dissector.Parse, from dissector.Side, gap int64, b string) []string {
	t.Helper()
	var out []string
	for len(b) > 0 {
		m := &dissector.Message{From: from, Gap: gap}
		span, err := parse(from, []byte(b), m)
		if err != nil {
			return append(out, err.Error())
		}
		if span <= 0 {
			t.Fatalf("span %d", span)
		}
		if !m.Skip && m.Unanswered == dissector.Shown { // but for the preface
			out = append(out, line(m))
		}
		if !m.Again {
			b = b[min(int(span), len(b)):]
		}
		gap = 0
	}
	return out
}

func line(m *dissector.Message) string {
	var s strings.Builder
	for f, v := range m.All() {
		switch f {
		case StreamID.Field:
			fmt.Fprintf(&s, "[%d] ", v.Int)
		case Reset.Field, GoAway.Field, GoAwayDebug.Field, Exhausted.Field, http.URL.Field, http.Method.Field, http.Host.Field:
			fmt.Fprintf(&s, "%s=%s ", f.Name, v.Bytes)
		case Unprocessed.Field, RequestStall.Field, ResponseStall.Field, Unknown.Field, Holed.Field, dissector.StatusCode.Field, dissector.Failed.Field, http.RequestBodySize.Field, http.ResponseBodySize.Field:
			fmt.Fprintf(&s, "%s=%d ", f.Name, v.Int)
		}
		if f.Kind == field.Map {
			fmt.Fprintf(&s, "%s{%s} ", f.Name, strings.TrimSpace(string(v.Bytes)))
		}
	}
	for _, x := range []struct {
		on   bool
		name string
	}{{m.Open, "open"}, {m.Remark, "remark"}, {m.Cancel, "cancel"}, {m.Role == dissector.Asks, "asks"}, {m.Role == dissector.Interim, "interim"}, {m.Resumed, "resumed"}} {
		if x.on {
			s.WriteString(x.name + " ")
		}
	}
	return strings.TrimSpace(s.String())
}

func TestPieces(t *testing.T) {
	const c, s = dissector.Client, dissector.Server
	type turn struct {
		from  dissector.Side
		gap   int64
		bytes string
		want  string // the pieces, joined by " | "
	}
	const settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"
	get := "\x82\x86\x84"
	for _, x := range []struct {
		name  string
		turns []turn
	}{
		{"call with bodies and trailers", []turn{
			{c, 0, preface + raw(frameSettings, 0, 0, "") + raw(frameHeaders, 4, 1, "\x83\x86\x44\x03/a?\x41\x01h"+lit("x", "1")), "request.headers{x: 1} method=POST url=/a? host=h [1] open"},
			{s, 0, settings + raw(frameHeaders, 4, 1, "\x88"), "status_code=200 [1] open"},
			{c, 0, raw(frameData, 8, 1, "\x02body\x00\x00") + raw(frameHeaders, 5, 1, lit("sum", "9")), "[1] open | request.trailers{sum: 9} request_body_size=4 [1]"},
			{s, 0, raw(frameData, 0, 1, "abc") + raw(frameData, 1, 1, ""), "[1] open | [1] response_body_size=3"},
		}},
		{"interim responses", []turn{
			{
				s, 0, settings + raw(frameHeaders, 4, 1, "\x08\x03103"+lit("link", "x")) + raw(frameHeaders, 5, 1, "\x8d"),
				"response.headers{link: x} status_code=103 [1] interim | status_code=404 failed=1 response_body_size=0 [1]",
			},
		}},
		{"head of several frames, padded, with priority", []turn{
			{c, 0, preface + raw(frameHeaders, 0x29, 1, "\x01\x00\x00\x00\x03\x10\x82\x86\x00") + raw(frameContinuation, 0, 1, "\x44\x02") + raw(frameContinuation, 4, 1, "/b"), "method=GET url=/b request_body_size=0 [1]"},
		}},
		{"another frame inside a block", []turn{
			{c, 0, preface + raw(frameHeaders, 0, 1, get) + raw(framePing, 0, 0, "12345678"), errBlockOpen.Error()},
		}},
		{"reset by the server, and what was under way", []turn{
			{c, 0, preface + raw(frameHeaders, 4, 1, get), "method=GET url=/ [1] open"},
			{s, 0, settings + raw(frameRSTStream, 0, 1, "\x00\x00\x00\x07"), "[1] http2_reset=REFUSED_STREAM http2_unprocessed=1 failed=1 cancel"},
			{c, 0, raw(frameData, 1, 1, "late") + raw(frameRSTStream, 0, 1, "\x00\x00\x00\x08"), ""},
		}},
		{"reset of a stream that is over or unknown", []turn{
			{c, 0, preface + raw(frameHeaders, 5, 1, get), "method=GET url=/ request_body_size=0 [1]"},
			{s, 0, settings + raw(frameHeaders, 5, 1, "\x88") + raw(frameRSTStream, 0, 1, "\x00\x00\x00\x00") + raw(frameRSTStream, 0, 9, "\x00\x00\x00\x08"), "status_code=200 response_body_size=0 [1]"},
		}},
		{"upload that the server does not want", []turn{
			{c, 0, preface + raw(frameHeaders, 4, 1, "\x83\x86\x84"), "method=POST url=/ [1] open"},
			{s, 0, settings + raw(frameHeaders, 5, 1, "\x8c") + raw(frameRSTStream, 0, 1, "\x00\x00\x00\x00"), "status_code=400 failed=1 response_body_size=0 [1] | [1] http2_reset=NO_ERROR cancel"},
		}},
		{"push", []turn{
			{s, 0, settings + raw(framePushPromise, 4, 1, "\x00\x00\x00\x02"+get+"\x41\x01h") + raw(frameHeaders, 4, 2, "\x88") + raw(frameData, 1, 2, "css"), "method=GET url=/ host=h [2] asks | status_code=200 [2] open | [2] response_body_size=3"},
		}},
		{"joined late: what is unknown stays so, what comes new is known", []turn{
			{c, 0, raw(frameHeaders, 5, 9, "\x82\xbf\xbe\x86"+lit("x", "1")) + raw(frameHeaders, 5, 11, "\x82\x84\xbe\xbf"), "request.headers{x: 1} http2_unknown_headers=2 method=GET request_body_size=0 [9] resumed | request.headers{x: 1} http2_unknown_headers=1 method=GET url=/ request_body_size=0 [11] resumed"},
		}},
		{"joined late: trailers or head is not guessed", []turn{
			{s, 0, raw(frameHeaders, 5, 9, "\xbe"+lit("x", "1")), "http2_unknown_headers=2 [9] resumed"},
			{s, 0, raw(frameHeaders, 5, 11, lit("grpc-status", "0")), "response.trailers{grpc-status: 0} [11] resumed"},
			{s, 0, raw(frameData, 0, 13, "tail") + raw(frameHeaders, 5, 13, "\xbe\xc5"), "[13] open resumed | response.trailers{grpc-status: 0} http2_unknown_headers=1 [13] resumed"},
		}},
		{"gap", []turn{
			{c, 0, preface + raw(frameHeaders, 4, 1, "\x83\x86\x84"+lit("x", "1")), "request.headers{x: 1} method=POST url=/ [1] open"},
			{c, 100, raw(frameHeaders, 5, 3, get+"\xbe") + raw(frameData, 1, 1, "end"), "http2_unknown_headers=1 method=GET url=/ request_body_size=0 [3] resumed | [1] http2_holed=1 resumed"},
		}},
		{"headers that hide headers", []turn{
			{c, 0, preface + raw(frameHeaders, 5, 1, get+lit("a:b\n", "1\r\nc: 2")), "request.headers{a b : 1  c: 2} method=GET url=/ request_body_size=0 [1]"},
		}},
		{"no frame", []turn{
			{c, 0, preface + "GET / HTTP/1.1\r\n", "frame of type 32 has length 4670804"},
			{c, 0, raw(framePing, 0, 0, "short"), "frame of type 6 has length 5"},
			{c, 0, raw(frameData, 0, 0, "x"), "frame of type 0 on stream 0"},
			{c, 0, raw(frameData, 8, 1, "\x05x"), errPadding.Error()},
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			parse := newParser().parse
			for i, turn := range x.turns {
				if got := strings.Join(say(t, parse, turn.from, turn.gap, turn.bytes), " | "); got != turn.want {
					t.Errorf("turn %d:\ngot  %s\nwant %s", i, got, turn.want)
				}
			}
		})
	}
}

// However the bytes arrive, the pieces are the same, and Need never asks for
// more than is needed.
func TestArrivalInParts(t *testing.T) {
	stream := preface + raw(frameSettings, 0, 0, "") + raw(frameHeaders, 0x20, 1, "\x00\x00\x00\x00\x00\x83\x86") +
		raw(frameContinuation, 0, 1, "\x84") + raw(frameContinuation, 4, 1, lit("a", "b")) + raw(frameData, 9, 1, "\x03body\x00\x00\x00") +
		raw(frameHeaders, 5, 3, "\x82\x84\x86\xbe") + raw(frameRSTStream, 0, 3, "\x00\x00\x00\x08") + raw(0xbb, 0, 3, "grease")
	want := strings.Join(say(t, newParser().parse, dissector.Client, 0, stream), "\n")
	rng := rand.New(rand.NewPCG(3, 3))
	for round := range 300 {
		parse := newParser().parse
		var got []string
		have, need, done := 0, 0, 0
		for done < len(stream) {
			if have = min(len(stream), have+1+rng.IntN(1+round/10)); have-done < need {
				continue
			}
			m := &dissector.Message{From: dissector.Client}
			span, err := parse(dissector.Client, []byte(stream[done:have]), m)
			if errors.Is(err, dissector.ErrShort) {
				if need = m.Need; need <= have-done || done+need > len(stream) {
					t.Fatalf("needs %d of %d bytes, has %d", need, len(stream)-done, have-done)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if need = 0; !m.Skip && m.Unanswered == dissector.Shown {
				got = append(got, line(m))
			}
			done += int(span)
			have = max(have, done)
		}
		if got := strings.Join(got, "\n"); got != want {
			t.Fatalf("round %d: got\n%s\nwant\n%s", round, got, want)
		}
	}
}

// A block that is too large leaves its fields unknown and harms nothing else.
func TestOversizedBlocks(t *testing.T) {
	many := raw(frameHeaders, 1, 3, "\x82")
	for range maxContinuations + 1 {
		many += raw(frameContinuation, 0, 3, "\x84")
	}
	for name, big := range map[string]string{
		"frame":         raw(frameHeaders, 5, 3, "\x82"+strings.Repeat("\x84", maxBlock)),
		"continuations": many + raw(frameContinuation, 4, 3, ""),
	} {
		t.Run(name, func(t *testing.T) {
			got := say(t, newParser().parse, dissector.Client, 0, preface+raw(frameHeaders, 5, 1, "\x82\x86\x84"+lit("x", "1"))+big+raw(frameHeaders, 5, 5, "\x82\x86\x84\xbe"))
			if len(got) != 3 || !strings.Contains(got[1], "http2_unknown_headers=1 request_body_size=0 [3]") || got[2] != "http2_unknown_headers=1 method=GET url=/ request_body_size=0 [5] resumed" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestStreamsAreBounded(t *testing.T) {
	p := newParser()
	for id := uint32(1); id < 50*maxStreams; id += 2 {
		say(t, p.parse, dissector.Client, 0, raw(frameHeaders, 4, id, "\x82\x86\x84"))
		if id%3 == 0 {
			say(t, p.parse, dissector.Client, 0, raw(frameRSTStream, 0, id, "\x00\x00\x00\x08"))
		}
		if p.streams.n > maxStreams {
			t.Fatalf("%d streams are remembered", p.streams.n)
		}
	}
}

func TestProbe(t *testing.T) {
	const no, more, request, response = dissector.No, dissector.More, dissector.Request, dissector.Response
	settings := raw(frameSettings, 0, 0, "\x00\x03\x00\x00\x00\x64\x00\x04\x00\x01\x00\x00")
	for _, c := range []struct {
		name, head string
		want       dissector.Guess
	}{
		{"preface", preface + raw(frameSettings, 0, 0, ""), request},
		{"begin of the preface", preface[:5], more},
		{"POST", "POST / HTTP/1.1\r\n", no},
		{"settings", settings, response},
		{"begin of settings", settings[:4], more},
		{"settings cut", settings[:12], more},
		{"empty settings", raw(frameSettings, 0, 0, ""), more},
		{"empty settings, acknowledgement", raw(frameSettings, 0, 0, "") + raw(frameSettings, 1, 0, ""), response},
		{"settings and a request", settings + raw(frameHeaders, 5, 7, "\x82\x86\x84"), request},
		{"settings of unknown kind", raw(frameSettings, 0, 0, "\x11\x03\x00\x00\x00\x64"), no},
		{"settings with a value that cannot be", raw(frameSettings, 0, 0, "\x00\x02\x00\x00\x00\x02"), no},
		{"request", raw(frameHeaders, 5, 7, "\x82\x86\xc5\xc6"), request},
		{"begin of a request", raw(frameHeaders, 5, 7, "\x82\x86\x84\xc5")[:11], more},
		{"response", raw(frameHeaders, 4, 7, "\x88\xc6\xc7"), response},
		{"response behind frames that say nothing", raw(frameWindowUpdate, 0, 0, "\x00\x00\x10\x00") + raw(framePing, 1, 0, "12345678") + raw(frameData, 1, 3, "{}") + raw(frameHeaders, 4, 7, "\x88"), response},
		{"trailers of gRPC", raw(frameHeaders, 5, 7, lit("grpc-status", "0")), response},
		{"trailers", raw(frameHeaders, 5, 7, lit("x-sum", "0")), no},
		{"unknown fields only", raw(frameHeaders, 5, 7, "\xc6\xc7"), no},
		{"both kinds", raw(frameHeaders, 5, 7, "\x82\x88"), no},
		{"pseudo-header behind another", raw(frameHeaders, 5, 7, lit("a", "b")+"\x82"), no},
		{"name in capitals", raw(frameHeaders, 5, 7, "\x82"+lit("Host", "b")), no},
		{"status that is none", raw(frameHeaders, 4, 7, "\x08\x03abc"), no},
		{"stream 0", raw(frameHeaders, 5, 0, "\x82"), no},
		{"even stream", raw(frameHeaders, 5, 2, "\x82"), no},
		{"unknown flags", raw(frameHeaders, 0x45, 1, "\x82"), no},
		{"begin of data", raw(frameData, 0, 1, "0123456789")[:12], more},
		{"zeros", strings.Repeat("\x00", 64), no},
		{"Kafka", "\x00\x00\x00\x23\x00\x12\x00\x03\x00\x00\x00\x01\x00\x07console", no},
		{"PostgreSQL, asking for TLS", "\x00\x00\x00\x08\x04\xd2\x16\x2f", no},
		{"PostgreSQL, start", "\x00\x00\x00\x29\x00\x03\x00\x00user\x00shop\x00", no},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(preface+raw(frameSettings, 0, 0, "")+raw(frameHeaders, 5, 1, "\x82\x86\x84"+lit("a", "b"))), []byte(raw(frameSettings, 0, 0, "")+raw(frameHeaders, 4, 1, "\x88\xbe")+raw(frameData, 9, 1, "\x01ab")), int64(0))
	f.Add([]byte(raw(frameHeaders, 0, 1, "\x82")+raw(frameContinuation, 4, 1, "\x84")), []byte(raw(framePushPromise, 12, 1, "\x00\x00\x00\x00\x02\x82")+raw(frameRSTStream, 0, 1, "\x00\x00\x00\x08")), int64(5))
	f.Fuzz(func(t *testing.T, client, server []byte, gap int64) {
		defer dissectortest.Bounded(t)()
		probe(client)
		probe(server)
		parse := newParser().parse
		for i, b := range [][]byte{client, server, client} {
			from := dissector.Side(i % 2)
			for len(b) > 0 {
				m := &dissector.Message{From: from, Gap: gap}
				span, err := parse(from, b, m)
				if errors.Is(err, dissector.ErrShort) {
					if m.Need <= len(b) {
						t.Fatalf("needs %d, has %d", m.Need, len(b))
					}
					break
				}
				if err != nil {
					b = b[1:]
					continue
				}
				if span <= 0 {
					t.Fatalf("span %d", span)
				}
				if !m.Again {
					b = b[min(span, int64(len(b))):]
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	head := "\x83\x86\x44\x12/shop.Cart/AddItem\x41\x13cart.shop.svc:50051" + lit("content-type", "application/grpc") + lit("user-agent", "grpc-go/1.72.0") + lit("te", "trailers")
	again := "\x83\x86\xc2\xc1\xc0\xbf\xbe"
	p := newParser()
	var m dissector.Message
	parse := func(from dissector.Side, buf []byte) {
		for len(buf) > 0 {
			m.Values.Reset()
			m = dissector.Message{Values: m.Values, From: from}
			span, err := p.parse(from, buf, &m)
			if err != nil {
				b.Fatal(err)
			}
			buf = buf[span:]
		}
	}
	parse(dissector.Client, []byte(preface+raw(frameHeaders, 5, 1, head)))
	parse(dissector.Server, []byte(raw(frameSettings, 0, 0, "")+raw(frameHeaders, 5, 1, "\x88"+lit("grpc-status", "0"))))
	request := []byte(raw(frameHeaders, 4, 3, again) + raw(frameData, 1, 3, strings.Repeat("x", 100)))
	response := []byte(raw(frameHeaders, 4, 3, "\x88") + raw(frameData, 0, 3, strings.Repeat("x", 100)) + raw(frameHeaders, 5, 3, "\xbe"))
	b.SetBytes(int64(len(request) + len(response)))
	b.ReportAllocs()
	for b.Loop() { // one call
		parse(dissector.Client, request)
		parse(dissector.Server, response)
	}
}
