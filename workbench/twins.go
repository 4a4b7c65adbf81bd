package workbench

import (
	"context"
	"slices"
	"time"

	"shark/dissector/field"
	"shark/packet"
	"shark/workbench/index"
)

// apart is how much earlier than the packets that carried it plaintext may have been seen.
const apart = time.Second

// carrier is a connection on the wire, which may have carried plaintext.
type carrier struct {
	conn     uint64
	began    int64
	selected bool
}

// twins tells which segments of plaintext belong to connections that are selected. What TLS
// libraries had of a connection and what was on the wire are one connection to whoever asks, and
// two to the dissector, which says nothing of the first where it can read the second.
type twins struct {
	numbers  []uint64 // of the packets of the connections, ascending
	carriers map[packet.Flow][]carrier
	dec      *packet.Decoder
	p        packet.Packet
}

// withPlaintext tells whether some packets that an index is of are plaintext.
func (x *opened) withPlaintext() bool {
	return slices.ContainsFunc(x.db.Meta().Interfaces, func(i packet.Interface) bool { return i.Name == packet.PlaintextInterface })
}

// newTwins adds to connections that are selected, of what TLS libraries had, those that carried
// it.
func (e *Evidence) newTwins(ctx context.Context, x *opened, conns []uint64) (*twins, []uint64, error) {
	t := &twins{carriers: make(map[packet.Flow][]carrier), dec: packet.NewDecoder()}
	selected := func(id uint64) bool {
		_, ok := slices.BinarySearch(conns, id)
		return ok
	}
	type plain struct {
		flow  packet.Flow
		began int64
	}
	var plains []plain
	err := e.eachConn(ctx, x, func(c carrier, f packet.Flow, isPlain bool) {
		if !selected(c.conn) {
			return
		}
		t.carriers[f] = nil
		if isPlain {
			plains = append(plains, plain{f, c.began})
		}
	})
	if err != nil {
		return nil, nil, err
	}
	err = e.eachConn(ctx, x, func(c carrier, f packet.Flow, isPlain bool) {
		if list, ok := t.carriers[f]; ok && !isPlain {
			c.selected = selected(c.conn)
			t.carriers[f] = append(list, c)
		}
	})
	out := slices.Clone(conns)
	for _, p := range plains {
		if c := t.carrier(p.flow, p.began); c != nil {
			c.selected = true
			out = append(out, c.conn)
		}
	}
	slices.Sort(out)
	return t, slices.Compact(out), err
}

// eachConn calls f with all connections of an index, and their ends.
func (e *Evidence) eachConn(ctx context.Context, x *opened, f func(c carrier, flow packet.Flow, plain bool)) error {
	plan, err := e.w.compile("conn")
	if err != nil {
		return err
	}
	source := e.w.catalogue.Lookup("capture_source")
	for row, err := range x.db.Query(ctx, plan, index.QueryOptions{}) {
		if err != nil {
			return err
		}
		if flow, ok := flowOf(row); ok {
			c := carrier{conn: uint64(row.Value(field.ConnID.Field).(int64)), began: row.Value(field.Timestamp).(time.Time).UnixNano()}
			f(c, flow, row.Value(source) == "ebpf_tls")
		}
	}
	return nil
}

// carrier returns the connection that carried what TLS libraries had at a time: the last one of
// the ends that had begun by then.
func (t *twins) carrier(f packet.Flow, at int64) (last *carrier) {
	list := t.carriers[f]
	for i := range list {
		if c := &list[i]; c.began <= at+int64(apart) && (last == nil || c.began > last.began) {
			last = c
		}
	}
	return last
}

// selects tells whether a packet is of the connections that are selected.
func (t *twins) selects(r *packet.Record, plain bool) bool {
	if _, ok := slices.BinarySearch(t.numbers, r.Number); ok || !plain {
		return ok
	}
	t.dec.Decode(r, &t.p)
	if t.p.Kind != packet.Transport {
		return false
	}
	c := t.carrier(lesser(t.p.Flow()), r.Time)
	return c != nil && c.selected
}
