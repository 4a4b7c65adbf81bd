package workbench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/stream"
	"shark/packet"
	"shark/workbench/index"
)

// Chunk is the next bytes that one side of a connection sent.
type Chunk struct {
	Client bool // who sent it
	Time   time.Time
	Packet uint64
	Data   []byte // nil where bytes are missing; valid during the call
	Gap    int64  // bytes that were never captured
}

// Followed says whose connection Follow went through.
type Followed struct {
	Client, Server string // addresses and ports
	Coverage       Coverage
}

// Follow calls begin and then visit with what the two sides of an entry's
// connection sent, in order.
func (e *Evidence) Follow(ctx context.Context, id int64, begin func(Followed) error, visit func(Chunk) error) error {
	db, err := e.index(ctx)
	if err != nil {
		return err
	}
	f := &follower{visit: visit}
	err = db.Entry(ctx, id, func(r *index.Row) error {
		f.conn = uint64(r.Value(field.ConnID.Field).(int64))
		return nil
	})
	if errors.Is(err, index.ErrNotFound) {
		return fmt.Errorf("entry %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return err
	}
	ends := Followed{Coverage: e.coverage()}
	plan, err := e.w.compile(fmt.Sprintf("conn && conn_id == %d", f.conn))
	if err != nil {
		return err
	}
	for r, err := range db.Query(ctx, plan, index.QueryOptions{Limit: 1}) {
		if err != nil {
			return err
		}
		f.client = r.Value(field.SrcIP.Field).(string)
		f.port = uint16(r.Value(field.SrcPort.Field).(int64))
		ends.Client = fmt.Sprintf("%s:%d", f.client, f.port)
		ends.Server = fmt.Sprintf("%s:%d", r.Value(field.DstIP.Field), r.Value(field.DstPort.Field))
	}
	numbers, err := db.Packets(ctx, f.conn)
	if err != nil {
		return err
	}
	src, err := e.connection(ctx, numbers)
	if err != nil {
		return err
	}
	if err := begin(ends); err != nil {
		return err
	}
	if s, ok := src.(*picked); ok {
		f.first(s.records)
	}
	_, err = dissector.Run(ctx, src, dissector.Options{Memory: e.w.cfg.Memory, Tap: f}, func(int) dissector.Sink { return nothing{} })
	return errors.Join(f.err, err)
}

// nothing is a sink that wants nothing.
type nothing struct{}

func (nothing) Entry(*dissector.Entry) error { return nil }

// follower hears one connection.
type follower struct {
	conn   uint64
	client string
	port   uint16
	dir    int // direction in which the client sends
	visit  func(Chunk) error
	err    error
}

// first finds out in which direction, of those that the dissector counts from the
// first packet, the client sends.
func (f *follower) first(records []packet.Record) {
	if len(records) == 0 {
		return
	}
	var p packet.Packet
	packet.NewDecoder().Decode(&records[0], &p)
	if p.Src.String() != f.client || p.SrcPort != f.port {
		f.dir = 1
	}
}

func (f *follower) give(c Chunk) {
	if f.err == nil {
		f.err = f.visit(c)
	}
}

func (f *follower) Data(_ uint64, side int, _ int64, b []byte, at stream.At) {
	f.give(Chunk{Client: side == f.dir, Time: time.Unix(0, at.Time).UTC(), Packet: at.Number, Data: b})
}

func (f *follower) Gap(_ uint64, side int, n int64) {
	f.give(Chunk{Client: side == f.dir, Gap: n})
}

func (f *follower) End(uint64, int, stream.At) {}
