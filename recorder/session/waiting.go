package session

import (
	"cmp"
	"math"
	"slices"
	"unsafe"

	"shark/packet"
)

// maxWaiting is how many bytes of memory packets may wait in; beyond it they are written early.
const maxWaiting = 64 << 20

// chunk is memory that packets stand in.
type chunk struct {
	data []byte
	live int // packets in it that wait
}

// chunkSize is how much memory for packets is made at a time. A larger packet has its own.
const chunkSize = 1 << 20

// held is a packet that waits, and where it stands.
type held struct {
	packet.Record
	chunk *chunk
}

const heldSize = int(unsafe.Sizeof(held{}))

// waiting are packets that wait to be written in the order of time. All the memory that they take
// is counted: what they stand in, whole, and the table of them.
type waiting struct {
	most  int                  // bytes of memory
	write func(*packet.Record) // takes those whose turn it is, in order of time
	list  []held               // sorted up to some point
	into  *chunk               // that the next packet goes into; nil: none
	kept  int                  // bytes of all chunks of which one packet waits at least, and of into
	late  [delay / turn]int64  // of each of the last turns the latest packet that came in it
	turn  int                  // of late
}

func newWaiting(most int, write func(*packet.Record)) *waiting {
	w := &waiting{most: most, write: write}
	for i := range w.late {
		w.late[i] = math.MinInt64
	}
	return w
}

// memory is how many bytes the packets take that wait.
func (w *waiting) memory() int { return w.kept + cap(w.list)*heldSize }

// hold makes a packet wait, of which it makes a copy. Where there is no room for it those that
// are the oldest are written, until half of the room is free.
func (w *waiting) hold(r *packet.Record) {
	n := len(r.Data) + len(r.Options)
	if w.into == nil || cap(w.into.data)-len(w.into.data) < n {
		w.begin(n)
	}
	if len(w.list) == cap(w.list) {
		w.grow()
	}
	c := w.into
	from := len(c.data)
	c.data = append(append(c.data, r.Data...), r.Options...)
	c.live++
	at := c.data[from:]
	h := held{*r, c}
	h.Data = at[:len(r.Data):len(r.Data)]
	h.Options = at[len(r.Data):len(at):len(at)]
	w.list = append(w.list, h)
	w.late[w.turn] = max(w.late[w.turn], r.Time)
}

// begin makes a chunk with room for n bytes the one that packets go into.
func (w *waiting) begin(n int) {
	if size := max(chunkSize, n); w.memory()+size > w.most {
		w.shrink()
	}
	old := w.into
	if old != nil && old.live == 0 && cap(old.data) >= n {
		old.data = old.data[:0]
		return
	}
	w.leave()
	w.into = &chunk{data: make([]byte, 0, max(chunkSize, n))}
	w.kept += cap(w.into.data)
}

// leave has no packet go into the chunk any more.
func (w *waiting) leave() {
	if c := w.into; c != nil {
		w.into = nil
		if c.live == 0 {
			w.kept -= cap(c.data)
		}
	}
}

// grow makes a larger table, or room in it.
func (w *waiting) grow() {
	size := max(2*cap(w.list), 1024)
	if w.memory()+size*heldSize > w.most { // the old one is there until the new one is filled
		w.shrink()
	}
	if len(w.list) < cap(w.list) {
		return
	}
	w.list = append(make([]held, 0, size), w.list...)
}

// shrink writes the oldest packets until half of what the table leaves is free, and half of the
// table.
func (w *waiting) shrink() {
	w.sort()
	n := 0
	for n < len(w.list) && (2*w.kept > w.most-cap(w.list)*heldSize || 2*(len(w.list)-n) > cap(w.list)) {
		w.put(&w.list[n])
		n++
	}
	w.drop(n)
}

// next ends a turn, and writes those packets whose time has come: which are no later than what
// came in the turn a delay ago. It is by turns and not by the clock, which may be set.
func (w *waiting) next() {
	w.turn = (w.turn + 1) % len(w.late)
	until := w.late[w.turn]
	w.late[w.turn] = math.MinInt64
	w.release(until)
}

// release writes the packets of a time up to until.
func (w *waiting) release(until int64) {
	if len(w.list) == 0 {
		return
	}
	w.sort()
	n := 0
	for n < len(w.list) && w.list[n].Time <= until {
		w.put(&w.list[n])
		n++
	}
	w.drop(n)
}

func (w *waiting) sort() {
	byTime := func(a, b held) int { return cmp.Compare(a.Time, b.Time) }
	if !slices.IsSortedFunc(w.list, byTime) { // mostly it is
		slices.SortStableFunc(w.list, byTime)
	}
}

// put writes a packet, whose memory is free then.
func (w *waiting) put(h *held) {
	w.write(&h.Record)
	if h.chunk.live--; h.chunk.live == 0 && h.chunk != w.into {
		w.kept -= cap(h.chunk.data)
	}
	h.chunk = nil
}

// drop takes the first n packets out of the table.
func (w *waiting) drop(n int) {
	rest := copy(w.list, w.list[n:])
	clear(w.list[rest:]) // their memory can go
	w.list = w.list[:rest]
}
