// Package sse reads server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html), which an HTTP response
// of type text/event-stream consists of. The events are counted as they pass by; nothing
// of them is kept but the last one's name and id.
package sse

import (
	"bytes"
	"sync"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
)

// Protocol is server-sent events over HTTP of any version.
var Protocol = &dissector.Protocol{
	Name:      "sse",
	Label:     "SSE",
	Doc:       "Streams of server-sent events over HTTP.",
	Transport: dissector.TCP,
	Fields:    field.Fields(Events, LastName, LastID, ResumedFrom, Retry, Holed),
	Implies:   []string{"http"},
	Over:      "http",
	Carry:     &dissector.Rider{Claim: claim, Body: body, Done: done},
}

// The fields of server-sent events beyond those of HTTP.
var (
	Events      = field.NewInt("sse_events", "", "Events that were seen whole; a stream that was cut short may have more.", "sse && sse_events > 3")
	LastName    = field.NewText("sse_last_event", "Name of the last event; message where it has none.", `sse && sse_last_event == "price"`)
	LastID      = field.NewText("sse_last_id", "Id of the last event that has one: from there a client goes on.", `sse && sse_last_id != ""`)
	ResumedFrom = field.NewText("sse_resumed_from", "Id that the client goes on from, by its header Last-Event-ID.", `sse && sse_resumed_from != ""`)
	Retry       = field.NewInt("sse_retry", "ms", "After what time the server asks clients to connect again, by its last word on it.", "sse && sse_retry < 1000")
	Holed       = field.NewBool("sse_uncounted", "Events may have been missed: bytes of the stream were not captured, or it is compressed.", "sse && sse_uncounted")
)

// maxLine is how many bytes of a line are looked at.
const maxLine = 200

func claim(m *dissector.Message) bool {
	if m.From == dissector.Client {
		return false
	}
	const name = "text/event-stream"
	t, _ := http.ContentType(m)
	return len(t) >= len(name) && t[len(name)-1]|0x20 == 'm' && bytes.EqualFold(t[:len(name)], []byte(name)) &&
		(len(t) == len(name) || t[len(name)] == ';' || t[len(name)] == ' ')
}

// reader walks over the lines of a stream.
type reader struct {
	line    []byte // the beginning of the one that goes on
	cr      bool   // the last one ended in CR: a LF is part of its end
	begun   bool   // a line was seen
	data    bool   // the event that goes on has data
	events  int64
	name    []byte // of the event that goes on
	last    []byte // name of the last event
	nextID  []byte // that of the event that goes on or, if it has none, of the one before
	id      []byte
	retry   int64 // -1 if none was seen
	lost    int64
	holed   bool
	skipped bool // the line that goes on lost its beginning
}

var readers = sync.Pool{New: func() any { return new(reader) }}

func body(m *dissector.Message, chunk []byte) {
	r, ok := m.Ride.(*reader)
	if !ok {
		r = readers.Get().(*reader)
		*r = reader{line: r.line[:0], name: r.name[:0], last: r.last[:0], nextID: r.nextID[:0], id: r.id[:0], retry: -1}
		_, r.holed = http.ResponseHeaders.Get(&m.Values, "content-encoding")
		m.Ride = r
	}
	if m.Lost > r.lost {
		r.lost = m.Lost
		r.lose()
	}
	r.walk(chunk)
}

// lose says that bytes are missing: the event that goes on cannot be told.
func (r *reader) lose() {
	r.holed, r.skipped, r.data, r.cr = true, true, false, false
	r.line, r.name, r.nextID = r.line[:0], r.name[:0], append(r.nextID[:0], r.id...)
}

func (r *reader) walk(b []byte) {
	for len(b) > 0 {
		if r.cr && b[0] == '\n' {
			r.cr = false
			b = b[1:]
			continue
		}
		r.cr = false
		i := bytes.IndexAny(b, "\r\n")
		end := i
		if i < 0 {
			end = len(b)
		}
		r.line = append(r.line, b[:min(end, max(0, maxLine-len(r.line)))]...)
		if i < 0 {
			return
		}
		r.cr = b[i] == '\r'
		r.endLine()
		b = b[i+1:]
	}
}

// endLine takes a whole line: a part of an event, or its end.
func (r *reader) endLine() {
	line := r.line
	if !r.begun {
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	r.begun = true
	if !r.skipped {
		r.part(line)
	}
	r.skipped = false
	r.line = r.line[:0]
}

// part reads a line of an event (section 9.2.6 of the specification).
func (r *reader) part(line []byte) {
	if len(line) == 0 {
		r.id = append(r.id[:0], r.nextID...)
		if r.data {
			r.events++
			r.last = append(r.last[:0], r.name...)
		}
		r.data, r.name = false, r.name[:0]
		return
	}
	key, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(key) {
	case "data":
		r.data = true
	case "event":
		r.name = append(r.name[:0], value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			r.nextID = append(r.nextID[:0], value...)
		}
	case "retry":
		if n, ok := number(value); ok {
			r.retry = n
		}
	}
}

// number reads a time in ms.
func number(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > 1e15 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}

func done(m *dissector.Message) {
	v := &m.Values
	if req := m.Peer(); req != nil {
		if id, ok := http.RequestHeaders.Get(&req.Values, "last-event-id"); ok {
			ResumedFrom.Set(v, id[:min(len(id), maxLine)])
		}
	}
	r, ok := m.Ride.(*reader)
	if !ok {
		Events.Set(v, 0)
		return
	}
	m.Ride = nil
	if r.holed || m.Lost > r.lost || http2.Holed.Get(v) {
		Holed.Set(v, true)
	}
	Events.Set(v, r.events)
	if r.events > 0 {
		if len(r.last) == 0 {
			LastName.SetString(v, "message")
		} else {
			LastName.Set(v, r.last)
		}
	}
	if len(r.id) > 0 {
		LastID.Set(v, r.id)
	}
	if r.retry >= 0 {
		Retry.Set(v, r.retry)
	}
	readers.Put(r)
}
