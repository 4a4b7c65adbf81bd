package workbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
	"shark/workbench/index"
)

// Limits of what Show returns.
const (
	// DefaultBody is how many bytes of a body Show returns if not told otherwise.
	DefaultBody = 64 << 10
	// MaxBody is how many it returns at most.
	MaxBody = dissector.MaxDetail
)

// Detail is one entry in full, its bytes read from the packets.
type Detail struct {
	Entry    []byte   // JSON object of all its fields
	Request  *Message // nil when it was not seen
	Response *Message
	Packets  []uint64 // numbers of its connection's packets
	Coverage Coverage
}

// Message is one side of an entry in full.
type Message struct {
	Start, End time.Time
	Size       int64  // bytes on the wire
	Lost       int64  // bytes of it that were never captured
	Head       []byte // what came before the body, or all of it when it has none; as sent
	Body       []byte // as the application saw it, or as sent when Note says so
	BodySize   int64  // of the body on the wire
	Cut        bool   // Body is longer than what is returned
	Note       string // why Body is not what the application saw; empty when it is
}

// Show returns one entry in full. body is how many bytes of each body to return
// at most, 0 for DefaultBody.
func (e *Evidence) Show(ctx context.Context, id int64, body int) (*Detail, error) {
	if body <= 0 {
		body = DefaultBody
	}
	body = min(body, MaxBody)
	db, err := e.index(ctx)
	if err != nil {
		return nil, err
	}
	d := &Detail{Coverage: e.coverage()}
	var conn uint64
	var at uint32
	isCall := true
	err = db.Entry(ctx, id, func(r *index.Row) error {
		conn, at = uint64(r.Value(field.ConnID.Field).(int64)), uint32(r.Value(field.Index.Field).(int64))
		for _, p := range []*dissector.Protocol{dissector.ConnProtocol, dissector.FlowProtocol} {
			if r.Value(e.w.catalogue.Flag(p.Name)) == true {
				isCall = false
			}
		}
		var err error
		d.Entry, err = e.w.schema.JSON().Append(nil, r)
		return err
	})
	if errors.Is(err, index.ErrNotFound) {
		return nil, fmt.Errorf("entry %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if d.Packets, err = db.Packets(ctx, conn); err != nil {
		return nil, err
	}
	if !isCall || len(e.inputs) == 0 {
		return d, nil
	}
	return d, e.fill(ctx, d, conn, at, body)
}

// fill dissects the entry's connection once more, this time keeping its bytes.
func (e *Evidence) fill(ctx context.Context, d *Detail, conn uint64, at uint32, body int) error {
	src, err := e.connection(ctx, d.Packets)
	if err != nil {
		return err
	}
	want := &wanted{conn: conn, index: at, body: body, detail: d}
	opts := dissector.Options{Protocols: e.w.protocols, Memory: e.w.cfg.Memory, Detail: true}
	if _, err := dissector.Run(ctx, src, opts, func(int) dissector.Sink { return want }); err != nil {
		return err
	}
	if !want.found {
		return errors.New("the packets do not hold the entry that the index names: was the index made from other files?")
	}
	return nil
}

// wanted is a sink that looks for one entry.
type wanted struct {
	conn   uint64
	index  uint32
	body   int
	detail *Detail
	found  bool
}

func (w *wanted) Entry(e *dissector.Entry) error {
	if e.Conn != w.conn || e.Index != w.index || w.found {
		return nil
	}
	w.found = true
	w.detail.Request, w.detail.Response = w.message(e.Request), w.message(e.Response)
	return nil
}

func (w *wanted) message(m *dissector.Message) *Message {
	if m == nil {
		return nil
	}
	out := &Message{
		Start: time.Unix(0, m.Start).UTC(), End: time.Unix(0, m.End).UTC(), Size: m.Size, Lost: m.Lost, BodySize: m.BodySize,
	}
	head := m.Raw
	if m.BodySize > 0 {
		head = head[:min(int64(len(head)), m.HeadSize())]
	}
	out.Head = append([]byte(nil), head[:min(len(head), w.body)]...)
	raw := m.Body
	content := raw
	if f := m.Content(); f != nil {
		text, err := f(m, raw, w.body+1)
		if err != nil {
			out.Note = fmt.Sprintf("shown as sent: %v", err)
		} else {
			content = text
		}
	}
	out.Cut = len(content) > w.body || int64(len(raw)) < m.BodySize-m.Lost
	out.Body = append([]byte(nil), content[:min(len(content), w.body)]...)
	return out
}

// connection returns a source of the packets of the given numbers, which are
// those of one connection.
func (e *Evidence) connection(ctx context.Context, numbers []uint64) (packet.Source, error) {
	s := &picked{}
	err := e.each(ctx, numbers, func(r *packet.Record, interfaces []packet.Interface) error {
		rec := *r
		rec.Data, rec.Options = append([]byte(nil), r.Data...), nil
		s.records = append(s.records, rec)
		s.bytes += len(rec.Data)
		s.interfaces = interfaces
		if s.bytes > maxPicked {
			return fmt.Errorf("the connection has more than %d MiB of packets: export it and look at it with other tools", maxPicked>>20)
		}
		return nil
	})
	return s, err
}

// maxPicked is how many bytes of one connection are held in memory.
const maxPicked = 256 << 20

// picked yields records from memory.
type picked struct {
	records    []packet.Record
	bytes      int
	interfaces []packet.Interface
}

func (s *picked) ReadBatch(b *packet.Batch) error {
	n := min(len(s.records), 1024)
	b.Records = append(b.Records[:0], s.records[:n]...)
	s.records = s.records[n:]
	if n == 0 {
		return io.EOF
	}
	return nil
}

func (s *picked) Interfaces() []packet.Interface { return s.interfaces }
func (s *picked) Damage() []packet.Damage        { return nil }
func (s *picked) Close() error                   { return nil }
