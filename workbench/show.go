package workbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"shark/dissector"
	"shark/dissector/protocol/http"
	"shark/snapshot"
	"shark/workbench/index"
)

// Limits of what Show returns.
const (
	// DefaultBody is how many bytes of a body Show returns if not told otherwise.
	DefaultBody = 64 << 10
	// MaxBody is how many it returns at most.
	MaxBody = dissector.MaxDetail
	// leastHead is how many bytes of a head it returns even if of bodies less is
	// asked for.
	leastHead = 64 << 10
	// maxOutline is how many bytes an outline has at most.
	maxOutline = 64 << 10
)

// Detail is one entry in full, its bytes read from the packets.
type Detail struct {
	Entry    []byte   // JSON object of all its fields
	Request  *Message // nil when it was not seen
	Response *Message
	Packets  []uint64 // numbers of its connection's packets, of a flow those of all its connections
	Coverage Coverage
}

// Message is one side of an entry in full.
type Message struct {
	Start, End time.Time
	Size       int64       // bytes on the wire
	Lost       int64       // bytes of it that were never captured
	Outline    []byte      // what it says, as lines of text; empty where there are fields for all of that
	Head       []byte      // what came before the body, or all of it when it has none; as sent
	Body       []byte      // as the application saw it, or as Note says
	BodySize   int64       // of the body on the wire
	Cut        bool        // Head or Body is longer than what is returned
	Note       string      // why Body is not what the application saw; empty when it is
	Parts      []http.Part // of a multipart body, as far as it is at hand
}

// Show returns one entry in full. body is how many bytes of each body to return
// at most, 0 for DefaultBody.
func (e *Evidence) Show(ctx context.Context, id int64, body int) (*Detail, error) {
	if body <= 0 {
		body = DefaultBody
	}
	x, err := e.indexOfEntry(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &Detail{Coverage: e.coverage(x)}
	p, err := x.entry(ctx, e.w, id, func(r *index.Row) (err error) {
		d.Entry, err = e.w.schema.JSON().Append(nil, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	conns, err := e.conns(ctx, x, p)
	if err != nil {
		return nil, err
	}
	if d.Packets, err = x.db.Packets(ctx, conns...); err != nil {
		return nil, err
	}
	switch {
	case p.isConn, p.isFlow:
		return d, nil
	case !e.hasPackets():
		d.Coverage.note("the packets are not at hand: heads and bodies cannot be shown")
		return d, nil
	}
	err = e.fill(ctx, x, d, d.Packets, p, min(body, MaxBody))
	if !errors.Is(err, errNotFound) {
		return d, err
	}
	// A conversation may go on with another one of its flow, and say nothing without that.
	if conns, err = e.connsOf(ctx, x, map[int64]bool{p.flow: true}); err != nil {
		return nil, err
	}
	packets, err := x.db.Packets(ctx, conns...)
	if err != nil {
		return nil, err
	}
	return d, e.fill(ctx, x, d, packets, p, min(body, MaxBody))
}

// errNotFound says that an entry is not where the index says that it is.
var errNotFound = errors.New("the packets do not hold the entry that the index names: was the index made from other files?")

// fill dissects packets with those of the entry's connection once more, this time keeping
// their bytes.
func (e *Evidence) fill(ctx context.Context, x *opened, d *Detail, packets []uint64, p place, body int) error {
	src, err := e.selection(ctx, x, packets, false)
	if err != nil {
		return err
	}
	defer func() { src.Close() }() // only read from
	want := &wanted{place: p, body: body, detail: d}
	keys, err := e.allKeys(ctx, x)
	if err != nil {
		return err
	}
	opts := dissector.Options{Protocols: e.w.choice.list, Memory: e.w.cfg.Memory, Detail: true, Secrets: keys}
	_, err = dissector.Run(ctx, e.inOrder(x, src), opts, func(int) dissector.Sink { return want })
	e.met(&d.Coverage, src.Damage())
	switch {
	case want.found:
		return nil
	case err != nil:
		return err
	case d.Coverage.Unsound:
		return fmt.Errorf("%w: the entry's packets, or some of them, are lost", snapshot.ErrIntegrity)
	}
	return errNotFound
}

// wanted is a sink that looks for one entry.
type wanted struct {
	place
	body   int
	detail *Detail
	found  bool
}

// errFound ends the search.
var errFound = errors.New("found")

// Entry implements dissector.Sink.
func (w *wanted) Entry(e *dissector.Entry) error {
	if w.found || e.Conn != w.conn || e.Index != w.index || e.Time != w.time.UnixNano() || e.Protocol.Label != w.protocol {
		return nil
	}
	entry, err := inDetail(w.detail.Entry, e)
	if err != nil {
		return err
	}
	w.found = true
	w.detail.Entry = entry
	w.detail.Request, w.detail.Response = w.message(e.Request, nil), w.message(e.Response, e.Request)
	return errFound
}

// message keeps what is to be shown of a message; request is what it answers.
func (w *wanted) message(m, request *dissector.Message) *Message {
	if m == nil {
		return nil
	}
	out := &Message{
		Start: time.Unix(0, m.Start).UTC(), End: time.Unix(0, m.End).UTC(), Size: m.Size, Lost: m.Lost, BodySize: m.BodySize,
	}
	out.Outline = m.Outline(request, maxOutline)
	head, size := m.Raw, m.Size-m.Lost
	if m.BodySize > 0 {
		size = m.HeadSize()
		head = head[:min(int64(len(head)), size)]
	}
	out.Head = append([]byte(nil), head[:min(len(head), max(w.body, leastHead))]...)
	content := m.Body
	if f := m.Content(); f != nil {
		content, out.Note = decoded(f(m, m.Body, w.body+1))
		if content == nil {
			content = m.Body
		}
	}
	out.Parts = parts(m, content)
	out.Body = append([]byte(nil), content[:min(len(content), w.body)]...)
	out.Cut = int64(len(out.Head)) < size || len(content) > w.body || int64(len(m.Body)) < m.BodySize-m.Lost
	return out
}

// decoded returns what could be decoded of a body, nil if nothing could, and what
// is to be said of it.
func decoded(content []byte, err error) ([]byte, string) {
	switch {
	case err == nil:
		return content, ""
	case len(content) > 0:
		return content, fmt.Sprintf("is decoded up to an error: %v", err)
	}
	return nil, fmt.Sprintf("is shown as sent: %v", err)
}

// parts lists the parts of a multipart body, as far as it is at hand.
func parts(m *dissector.Message, body []byte) []http.Part {
	headers := http.RequestHeaders
	if m.From == dissector.Server {
		headers = http.ResponseHeaders
	}
	kind, ok := headers.Get(&m.Values, "content-type")
	if !ok || !bytes.HasPrefix(bytes.ToLower(kind), []byte("multipart/")) {
		return nil
	}
	list, _ := http.Parts(string(kind), body) // those before an error are right
	return list
}
