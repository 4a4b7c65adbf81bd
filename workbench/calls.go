package workbench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shark/dissector"
	"shark/dissector/field"
	"shark/workbench/index"
)

// place says where an entry comes from.
type place struct {
	conn     uint64
	index    uint32
	flow     int64
	time     time.Time
	protocol string // its label
	isConn   bool
	isFlow   bool
}

func (w *Workbench) place(r *index.Row) place {
	is := func(p *dissector.Protocol) bool { return r.Value(w.catalogue.Flag(p.Name)) == true }
	return place{
		conn: uint64(r.Value(field.ConnID.Field).(int64)), index: uint32(r.Value(field.Index.Field).(int64)), flow: r.Value(field.FlowID.Field).(int64),
		time: r.Value(field.Timestamp).(time.Time), protocol: r.Value(field.Protocol.Field).(string),
		isConn: is(dissector.ConnProtocol), isFlow: is(dissector.FlowProtocol),
	}
}

// entry finds an entry's place and shows its row to visit, which may be nil.
func (x *opened) entry(ctx context.Context, w *Workbench, id int64, visit func(*index.Row) error) (p place, err error) {
	err = x.db.Entry(ctx, id, func(r *index.Row) error {
		p = w.place(r)
		if visit != nil {
			return visit(r)
		}
		return nil
	})
	if errors.Is(err, index.ErrNotFound) {
		err = fmt.Errorf("entry %d: %w", id, ErrNotFound)
	}
	return p, err
}

// connsOf returns the connections of flows, ascending.
func (e *Evidence) connsOf(ctx context.Context, x *opened, flows map[int64]bool) ([]uint64, error) {
	if len(flows) == 0 {
		return nil, nil
	}
	plan, err := e.w.compile(dissector.ConnProtocol.Name)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for r, err := range x.db.Query(ctx, plan, index.QueryOptions{}) {
		if err != nil {
			return nil, err
		}
		if p := e.w.place(r); flows[p.flow] {
			out = append(out, p.conn)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// conns returns the connections of an entry: its own, or all of a flow.
func (e *Evidence) conns(ctx context.Context, x *opened, p place) ([]uint64, error) {
	if p.isFlow {
		return e.connsOf(ctx, x, map[int64]bool{p.flow: true})
	}
	return []uint64{p.conn}, nil
}
