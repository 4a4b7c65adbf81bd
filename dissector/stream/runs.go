package stream

import "slices"

// Limits on what one side of an association may keep waiting.
const (
	// MaxRuns is how many runs of fragments are kept.
	MaxRuns = 256
	// MaxUserMessage is how many bytes of one user message are kept.
	MaxUserMessage = 512 << 10
	// MaxFragments is how many bytes of all incomplete messages are kept.
	MaxFragments = 1 << 20
	// runOverhead is what a run costs beside its bytes.
	runOverhead = 160
)

// fragment is a part of a user message.
type fragment struct {
	key         uint64 // of its message, 0 where its numbers tell that
	pos         uint32 // its number
	first, last bool
	stream      uint16
	ppid        uint32
	data        []byte // as captured
	size        int64  // on the wire
	at          At
	tsn         uint32
}

// run is fragments of one message that follow each other.
type run struct {
	fragment        // as its first one says, but for last and data
	next     uint32 // number of the fragment behind it
	cut      bool   // data ends before the fragments do
	end      At
}

// runs are the incomplete messages of a side, in the order of keys and numbers.
type runs struct {
	list  []run
	bytes int
}

// compare orders a run and a fragment, modulo 2^32.
func (x *run) compare(f *fragment) int {
	switch {
	case x.key < f.key, x.key == f.key && int32(x.pos-f.pos) < 0:
		return -1
	case x.key == f.key && x.pos == f.pos:
		return 0
	}
	return 1
}

// joins tells whether y is behind x in the same message.
func (x *run) joins(y *run) bool {
	return x.key == y.key && x.next == y.pos && !x.last && !y.first
}

// add takes a fragment and hands out its message if that is whole now.
func (r *runs) add(side int, f *fragment, l Listener) {
	i := len(r.list)
	for i > 0 && r.list[i-1].compare(f) > 0 {
		i--
	}
	one := run{fragment: *f, next: f.pos + 1, end: f.at}
	if i > 0 && r.list[i-1].joins(&one) {
		i--
		r.extend(&r.list[i], f)
	} else {
		one.data, one.size = nil, 0
		r.list = slices.Insert(r.list, i, one)
		r.extend(&r.list[i], f)
		r.list[i].next = f.pos + 1
	}
	from, to := r.around(i)
	if r.list[from].first && r.list[to].last {
		r.deliver(side, from, to, l)
	}
	for len(r.list) > MaxRuns || r.bytes > MaxFragments || r.stale(f.tsn) {
		r.giveUp(side, r.oldest(), l)
	}
}

// extend puts a fragment at the end of a run.
func (r *runs) extend(x *run, f *fragment) {
	keep := f.data
	if x.cut {
		keep = nil
	}
	keep = keep[:min(len(keep), MaxUserMessage-len(x.data))]
	x.data = append(x.data, keep...)
	r.bytes += len(keep)
	x.size += f.size
	x.cut = x.cut || int64(len(keep)) < f.size
	x.last, x.next, x.tsn, x.end = f.last, f.pos+1, f.tsn, f.at
}

// around returns the runs next to i that are one with it.
func (r *runs) around(i int) (from, to int) {
	from, to = i, i
	for from > 0 && r.list[from-1].joins(&r.list[from]) {
		from--
	}
	for to+1 < len(r.list) && r.list[to].joins(&r.list[to+1]) {
		to++
	}
	return from, to
}

// oldest returns the run that has not grown for longest.
func (r *runs) oldest() int {
	best := 0
	for i := range r.list {
		if int32(r.list[i].tsn-r.list[best].tsn) < 0 {
			best = i
		}
	}
	return best
}

// stale tells whether the oldest run can be no part of what is said now.
func (r *runs) stale(tsn uint32) bool {
	return len(r.list) > 0 && int32(tsn-r.list[r.oldest()].tsn) > recentTSNs
}

// giveUp ends the wait for the rest of the message of run i.
func (r *runs) giveUp(side, i int, l Listener) {
	from, to := r.around(i)
	r.deliver(side, from, to, l)
}

// deliver hands out the runs from to to, which follow each other, and forgets them.
func (r *runs) deliver(side, from, to int, l Listener) {
	x := r.list[from]
	for _, y := range r.list[from+1 : to+1] {
		if !x.cut {
			x.data = append(x.data, y.data[:min(len(y.data), MaxUserMessage-len(x.data))]...)
		}
		x.size += y.size
		x.cut = x.cut || int64(len(x.data)) < x.size
		x.last = y.last
		x.at = earlier(x.at, y.at)
		if y.end.Number > x.end.Number {
			x.end = y.end
		}
	}
	for _, y := range r.list[from : to+1] {
		r.bytes -= len(y.data)
	}
	r.list = slices.Delete(r.list, from, to+1)
	if !x.first {
		l.Drop(side, x.size)
		return
	}
	l.Message(side, &UserMessage{
		Data: x.data, Len: x.size, Cut: x.cut || !x.last, Stream: x.stream, PPID: x.ppid, First: earlier(x.at, x.end), Last: x.end,
	})
}

func earlier(a, b At) At {
	if b.Number < a.Number {
		return b
	}
	return a
}
