package block

import (
	"bytes"

	"shark/packet"
)

// waiting are fragments of datagrams that are not complete, by number of the packet.
type waiting struct {
	records map[uint64]*waiter
	queue   []uint64 // in the order they came; those that were taken too
	bytes   int
}

// waiter is a fragment with memory of its own.
type waiter struct {
	rec    packet.Record
	packet packet.Packet // as far as a fragment can be decoded
}

func (r *waiter) size() int { return len(r.rec.Data) + len(r.rec.Options) + 512 }

func (w *waiting) add(rec *packet.Record, p *packet.Packet) {
	r := &waiter{rec: *rec, packet: *p}
	r.rec.Data, r.rec.Options = bytes.Clone(rec.Data), bytes.Clone(rec.Options)
	r.packet.Payload, r.packet.Fragments = nil, nil
	w.records[rec.Number] = r
	w.queue = append(w.queue, rec.Number)
	w.bytes += r.size()
}

// take returns a fragment, which waits no longer; nil when it does not wait.
func (w *waiting) take(number uint64) *waiter {
	r := w.records[number]
	if r != nil {
		delete(w.records, number)
		w.bytes -= r.size()
	}
	if len(w.records) == 0 {
		w.queue = w.queue[:0]
	}
	return r
}

// oldest takes the fragment that waits the longest. There is one.
func (w *waiting) oldest() *waiter {
	for {
		number := w.queue[0]
		w.queue = w.queue[1:]
		if r := w.take(number); r != nil {
			return r
		}
	}
}
