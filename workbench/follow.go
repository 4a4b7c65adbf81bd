package workbench

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
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
}

// Follow calls begin and then visit with what the two sides of an entry's
// connection sent, in order: of TLS that could be read with secrets, what was said in it. The first error of either ends it.
func (e *Evidence) Follow(ctx context.Context, id int64, begin func(Followed) error, visit func(Chunk) error) (c Coverage, err error) {
	x, err := e.indexOfEntry(ctx, id)
	if err != nil {
		return c, err
	}
	c = e.coverage(x)
	damage, err := e.follow(ctx, x, id, begin, visit)
	e.met(&c, damage)
	return c, err
}

// follow is Follow with the index that has the entry. It returns the damage among the packets.
func (e *Evidence) follow(ctx context.Context, x *opened, id int64, begin func(Followed) error, visit func(Chunk) error) ([]packet.Damage, error) {
	p, err := x.entry(ctx, e.w, id, nil)
	if err != nil {
		return nil, err
	}
	conns, err := e.conns(ctx, x, p)
	if err != nil {
		return nil, err
	}
	if len(conns) != 1 {
		return nil, usage("entry %d is a flow of %s: follow one of those that 'conn && flow_id == %d' lists", id, Count(int64(len(conns)), "connections"), p.flow)
	}
	numbers, err := x.db.Packets(ctx, conns[0])
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &follower{conn: conns[0], visit: visit, cancel: cancel}
	ends, err := f.ends(ctx, e, x, numbers)
	if err != nil {
		return nil, err
	}
	src, err := e.selection(ctx, x, numbers, false)
	if err != nil {
		return nil, err
	}
	defer func() { src.Close() }() // only read from
	if err := begin(ends); err != nil {
		return nil, err
	}
	opts := dissector.Options{Memory: e.w.cfg.Memory, Tap: f}
	if f.clear {
		opts.Protocols, opts.TapClear = e.w.choice.list, true
		if opts.Secrets, err = e.allKeys(ctx, x); err != nil {
			return nil, err
		}
	}
	_, err = dissector.Run(ctx, e.inOrder(x, src), opts, func(int) dissector.Sink { return nothing{} })
	if f.err != nil {
		return src.Damage(), f.err
	}
	return src.Damage(), err
}

// nothing is a sink that wants nothing.
type nothing struct{}

func (nothing) Entry(*dissector.Entry) error { return nil }

// follower hears one connection.
type follower struct {
	conn   uint64
	client int  // direction in which the client sends, of those that the dissector counts
	clear  bool // what it says in TLS is followed
	visit  func(Chunk) error
	cancel context.CancelCauseFunc
	err    error
}

// ends finds out who the client is, and in which direction it sends: direction 0
// is that of the connection's first packet.
func (f *follower) ends(ctx context.Context, e *Evidence, x *opened, numbers []uint64) (Followed, error) {
	var out Followed
	plan, err := e.w.compile("conn && conn_id == " + strconv.FormatUint(f.conn, 10))
	if err != nil {
		return out, err
	}
	var ip string
	var port int64
	for r, err := range x.db.Query(ctx, plan, index.QueryOptions{Limit: 1}) {
		if err != nil {
			return out, err
		}
		ip, port = r.Value(field.SrcIP.Field).(string), r.Value(field.SrcPort.Field).(int64)
		how, _ := r.Value(field.ConnTLS.Field).(string)
		f.clear = how == "decrypted" || how == "partly"
		out.Client = endText(ip, port)
		out.Server = endText(r.Value(field.DstIP.Field).(string), r.Value(field.DstPort.Field).(int64))
	}
	first, err := e.firstPacket(ctx, x, numbers)
	if err == nil && (first.Src.String() != ip || int64(first.SrcPort) != port) {
		f.client = 1
	}
	return out, err
}

// endText writes an address with its port, if it has one.
func endText(ip string, port int64) string {
	if port == 0 {
		return ip
	}
	return net.JoinHostPort(ip, strconv.FormatInt(port, 10))
}

// firstPacket decodes the first packet of a connection, put together if it came in
// fragments.
func (e *Evidence) firstPacket(ctx context.Context, x *opened, numbers []uint64) (p packet.Packet, err error) {
	src, err := e.selection(ctx, x, numbers, false)
	if err != nil {
		return p, err
	}
	defer func() { src.Close() }() // only read from
	dec := packet.NewDecoder()
	var b packet.Batch
	for {
		err := src.ReadBatch(&b)
		for i := range b.Records {
			if dec.Decode(&b.Records[i], &p); p.Kind == packet.Transport {
				return p, nil
			}
		}
		if errors.Is(err, io.EOF) {
			dec.Flush(func(rest *packet.Packet) { p = *rest })
			return p, nil
		}
		if err != nil {
			return p, err
		}
	}
}

func (f *follower) give(conn uint64, side int, c Chunk) {
	if f.err != nil || conn != f.conn {
		return
	}
	c.Client = side == f.client
	if f.err = f.visit(c); f.err != nil {
		f.cancel(f.err)
	}
}

// Data implements dissector.Tap.
func (f *follower) Data(conn uint64, side int, _ int64, b []byte, at stream.At) {
	f.give(conn, side, Chunk{Time: time.Unix(0, at.Time).UTC(), Packet: at.Number, Data: b})
}

// Gap implements dissector.Tap.
func (f *follower) Gap(conn uint64, side int, n int64) { f.give(conn, side, Chunk{Gap: n}) }

// End implements dissector.Tap.
func (f *follower) End(uint64, int, stream.At) {}
