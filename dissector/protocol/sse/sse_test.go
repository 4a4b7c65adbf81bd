package sse

import (
	"math/rand/v2"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
)

func response(contentType string) *dissector.Message {
	m := &dissector.Message{From: dissector.Server}
	http.SetStatus(m, 200, nil, "HTTP/1.1")
	http.ResponseHeaders.Add(&m.Values, []byte("content-type"), []byte(contentType))
	return m
}

func TestClaim(t *testing.T) {
	for contentType, want := range map[string]bool{
		"text/event-stream": true, "text/event-stream; charset=utf-8": true, "Text/Event-Stream;x": true,
		"text/event-streams": false, "text/plain": false, "": false, "application/x-json": false,
	} {
		if got := claim(response(contentType)); got != want {
			t.Errorf("%q: got %v", contentType, got)
		}
	}
	if claim(&dissector.Message{From: dissector.Client}) {
		t.Error("a request")
	}
}

// Events are read alike however the stream is cut (section 9.2.6 of the specification has
// some of these).
func TestEvents(t *testing.T) {
	for in, want := range map[string]struct {
		events   int64
		name, id string
		retry    int64
	}{
		"":                                   {0, "", "", 0},
		"data: a\n\n":                        {1, "message", "", 0},
		"data: a\r\n\r\ndata: b\r\n\r\n":     {2, "message", "", 0},
		"data: a\r\rdata: b\r\r":             {2, "message", "", 0},
		"\ufeffdata: a\n\n":                  {1, "message", "", 0},
		"data: a\ndata: b\n\n:beat\n\n":      {1, "message", "", 0},
		"event: add\nid: 7\ndata\n\n":        {1, "add", "7", 0},
		"event: add\ndata: x\n\ndata: y\n\n": {2, "message", "", 0},
		"id: 1\n\nevent: none\n\n":           {0, "", "1", 0},
		"data: a\n\nid: 2\ndata: cut":        {1, "message", "", 0},
		"retry: 250\nretry: no\n\n":          {0, "", "", 250},
		"id:1\ndata:a\n\nid\ndata:b\n\n":     {2, "message", "", 0},
		"id: a\x00b\ndata: x\n\n":            {1, "message", "", 0},
		"nothing: a\n\n":                     {0, "", "", 0},
	} {
		rng := rand.New(rand.NewPCG(5, 5))
		for range 50 {
			m := response("text/event-stream")
			for b := []byte(in); len(b) > 0; {
				n := 1 + rng.IntN(len(b))
				body(m, b[:n])
				b = b[n:]
			}
			done(m)
			v := &m.Values
			if Events.Get(v) != want.events || string(LastName.Get(v)) != want.name || string(LastID.Get(v)) != want.id || Retry.Get(v) != want.retry || Holed.Get(v) {
				t.Fatalf("%q: %d events, last %q, id %q, retry %d", in, Events.Get(v), LastName.Get(v), LastID.Get(v), Retry.Get(v))
			}
		}
	}
}

// Where bytes are missing the events around the hole are not counted, and it is said.
func TestHole(t *testing.T) {
	m := response("text/event-stream")
	body(m, []byte("event: a\nid: 1\ndata: a\n\nevent: b\nid: 2\nda"))
	m.Lost += 30
	body(m, []byte("ta: c\n\nevent: d\ndata: d\n\n"))
	done(m)
	v := &m.Values
	if Events.Get(v) != 2 || string(LastName.Get(v)) != "d" || string(LastID.Get(v)) != "1" || !Holed.Get(v) {
		t.Errorf("%d events, last %q, id %q, holed %v", Events.Get(v), LastName.Get(v), LastID.Get(v), Holed.Get(v))
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("\ufeffevent: a\r\nid: 1\r\ndata: a\r\n\r\nretry: 5\rdata\r\r"), 9, int64(0))
	f.Add([]byte(": beat\n\ndata: a\n\n"), 3, int64(7))
	f.Fuzz(func(t *testing.T, b []byte, cut int, lost int64) {
		defer dissectortest.Bounded(t)()
		m := response("text/event-stream")
		cut = min(max(cut, 0), len(b))
		body(m, b[:cut])
		m.Lost += max(lost, 0)
		body(m, b[cut:])
		done(m)
		if n := Events.Get(&m.Values); n > int64(len(b))/5 {
			t.Fatalf("%d events in %d bytes", n, len(b))
		}
	})
}
