package dissector

import (
	"context"
	"sync"
)

// lane is some partitions that one worker at a time works on. Any worker may: what
// one pair of addresses says may be half of a capture, and then the others share the
// rest. A lane's units stay in their order.
type lane struct {
	parts []*partition

	mu    sync.Mutex
	queue []*unit // nil is the end
	taken bool    // a worker has the lane, or it is in ready
}

// lanesPerWorker is how finely the work is divided, as far as there are partitions.
const lanesPerWorker = 32

// Batches on their way: so many for each worker, as long as that is few.
const (
	unitsPerWorker = 3
	manyUnits      = 16 // besides one for each worker
)

func newRun(ctx context.Context, cancel context.CancelCauseFunc, parts []*partition, workers int) *run {
	n := min(lanesPerWorker*workers, len(parts))
	units := min(unitsPerWorker*workers, manyUnits+workers)
	r := &run{ctx: ctx, cancel: cancel, lanes: make([]*lane, n), ready: make(chan *lane, n), free: make(chan *unit, units)}
	r.open.Store(int32(n))
	for i := range r.lanes {
		r.lanes[i] = new(lane)
	}
	for i, p := range parts {
		l := r.lanes[i%n]
		l.parts = append(l.parts, p)
	}
	for range cap(r.free) {
		r.free <- new(unit)
	}
	return r
}

// spread gives a unit to all lanes that have packets in it.
func (r *run) spread(u *unit) {
	u.left.Store(1)
	for _, l := range r.lanes {
		if l.concerns(u) {
			u.left.Add(1)
			r.give(l, u)
		}
	}
	r.release(u)
}

// release is called by everybody who is done with a unit.
func (r *run) release(u *unit) {
	if u.left.Add(-1) == 0 {
		r.free <- u
	}
}

// give appends a unit to a lane's queue.
func (r *run) give(l *lane, u *unit) {
	l.mu.Lock()
	l.queue = append(l.queue, u)
	idle := !l.taken
	l.taken = true
	l.mu.Unlock()
	if idle {
		r.ready <- l
	}
}

// take returns the lane's next unit; false gives the lane back.
func (l *lane) take() (*unit, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.taken = false
		return nil, false
	}
	u := l.queue[0]
	l.queue = l.queue[:copy(l.queue, l.queue[1:])]
	return u, true
}

// work is one worker: it takes one lane after the other, until all are finished.
func (r *run) work(s Sink) {
	for l := range r.ready {
		for u, ok := l.take(); ok; u, ok = l.take() {
			if r.ctx.Err() == nil {
				l.work(r, u, s)
			}
			if u != nil {
				r.release(u)
			} else if r.open.Add(-1) == 0 {
				close(r.ready)
			}
		}
	}
}

// concerns tells whether a unit has packets of the lane.
func (l *lane) concerns(u *unit) bool {
	for _, p := range l.parts {
		if len(u.lists[p.number]) > 0 {
			return true
		}
	}
	return false
}

// work takes the lane's packets of a unit, one partition after the other, so that
// what a partition keeps is at hand for all of its packets. nil finishes them. The
// error of a sink ends the run.
func (l *lane) work(r *run, u *unit, s Sink) {
	for _, p := range l.parts {
		p.sink = s
		if u == nil {
			p.finish()
		} else {
			p.packets(u.lists[p.number])
		}
		if p.err != nil {
			r.cancel(p.err)
			return
		}
	}
}
