package pcapng

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
)

const (
	// chunkSize is how much is written at once. Writes that end at multiples of
	// chunkAlign of the file cost a fifth less than others.
	chunkSize  = 1 << 20
	chunkAlign = 16 << 10
	// firstChunk is the size of the first, since much that is written is small.
	firstChunk = 256 << 10
	// lateChunk is that of one for late packets, and how many bytes one packet may
	// move aside.
	lateChunk = 64 << 10
	// maxSpare is how many chunks of each size are kept to be filled again.
	maxSpare = 8
)

// hold is what is written and not yet given to the file. Packets stand in it in
// order of time, as far back as window bytes. Few are moved for a late one: the
// chunk that it belongs into is divided there. The memory that takes is part of
// the window.
type hold struct {
	out    io.Writer
	window int
	chunks []*chunk         // in the order of the file; the last one is being filled
	spare  map[int][]*chunk // empty chunks, by size
	grow   int              // size of the next new chunk
	size   int64            // bytes written to out
	bytes  int              // in the chunks
	extra  int              // of the chunks, in sum
	moved  []byte
	space  reserver

	newest int64 // time of the last packet held
	passed int64 // time of the latest packet written
	late   int64 // packets earlier than one that was written before them
}

// chunk is a run of bytes, those of mem from begin to end. What is before begin
// can be used, for what the chunk before it leaves over: at least chunkAlign bytes.
type chunk struct {
	mem        []byte
	begin, end int
	limit      int     // how far it may be filled: less than mem when another chunk has the rest
	extra      int     // memory of one that was made for late packets, as far as it is empty
	places     []place // of its packets; none without a window
}

// place is where a packet begins.
type place struct {
	time int64
	at   int
}

func newHold(out io.Writer, window int) *hold {
	h := &hold{out: out, window: window, spare: make(map[int][]*chunk), grow: firstChunk, newest: math.MinInt64, passed: math.MinInt64}
	h.chunks = []*chunk{newChunk(firstChunk)}
	return h
}

func newChunk(n int) *chunk {
	return &chunk{mem: make([]byte, chunkAlign+n), begin: chunkAlign, end: chunkAlign, limit: chunkAlign + n}
}

// add puts b at the end of the chunk, which grows if need be.
func (c *chunk) add(b []byte) {
	if c.limit-c.end < len(b) {
		old := *c
		*c = *newChunk(2 * (old.end - old.begin + len(b)))
		c.extra = old.extra // and no packets: those do not make it grow
		c.add(old.mem[old.begin:old.end])
	}
	c.end += copy(c.mem[c.end:], b)
}

// chunk returns an empty chunk of n bytes.
func (h *hold) chunk(n int) *chunk {
	list := h.spare[n]
	if len(list) == 0 {
		return newChunk(n)
	}
	h.spare[n] = list[:len(list)-1]
	return list[len(list)-1]
}

func (h *hold) last() *chunk { return h.chunks[len(h.chunks)-1] }

// inOrder takes n bytes of a packet that is not late, and returns where to put them.
// It is what room and packet do, for nearly all packets and in one step. Nil means no.
func (h *hold) inOrder(t int64, n int) []byte {
	c := h.last()
	end := c.end + n
	if t < h.newest || end > c.limit || h.window == 0 {
		return nil
	}
	c.places = append(c.places, place{t, c.end})
	b := c.mem[c.end:end]
	c.end, h.newest = end, t
	h.bytes += n
	return b
}

// room returns no bytes, to which n can be appended before packet is called.
func (h *hold) room(n int) ([]byte, error) {
	c := h.last()
	if c.limit-c.end < n {
		return h.next(n)
	}
	return c.mem[c.end:c.end:c.limit], nil
}

// next is room where the last chunk has none.
func (h *hold) next(n int) ([]byte, error) {
	h.grow = min(2*h.grow, chunkSize)
	c := h.chunk(max(h.grow, n))
	h.chunks = append(h.chunks, c)
	if err := h.shrink(h.window); err != nil {
		return nil, err
	}
	return c.mem[c.end:c.end:c.limit], nil
}

// shrink writes what is more than n bytes, as far as whole chunks go.
func (h *hold) shrink(n int) error {
	for len(h.chunks) > 1 && h.bytes+h.extra > n {
		if err := h.pass(false); err != nil {
			return err
		}
	}
	return nil
}

// packet takes the n bytes that were put into room, and puts them where their
// time belongs.
func (h *hold) packet(t int64, n int) error {
	h.bytes += n
	c := h.last()
	switch {
	case h.window == 0:
		c.end += n
	case t >= h.newest:
		c.places = append(c.places, place{t, c.end})
		c.end += n
		h.newest = t
	default:
		h.moved = append(h.moved[:0], c.mem[c.end:c.end+n]...)
		h.insert(t, h.moved)
		return h.shrink(h.window + chunkSize)
	}
	return nil
}

// insert puts a late packet behind the last that is not later.
func (h *hold) insert(t int64, b []byte) {
	if t < h.passed {
		h.late++
	}
	k := len(h.chunks) - 1
	for k > 0 && (len(h.chunks[k].places) == 0 || h.chunks[k].places[0].time > t) {
		k--
	}
	c := h.chunks[k]
	i := sort.Search(len(c.places), func(i int) bool { return c.places[i].time > t })
	if c.insert(i, t, b) || i == len(c.places) && k+1 < len(h.chunks) && h.chunks[k+1].insert(0, t, b) {
		return
	}
	if i < len(c.places) {
		h.divide(k, i)
	}
	fresh := h.chunk(max(len(b), lateChunk/2) + lateChunk/2)
	fresh.extra = len(fresh.mem) / 2 // of those that are divided and filled, about half
	h.extra += fresh.extra
	fresh.insert(0, t, b)
	if k+1 < len(h.chunks) {
		fresh.take(h.chunks[k+1])
	}
	h.chunks = slices.Insert(h.chunks, k+1, fresh)
}

// take moves the first packets of the next chunk here, so that there is room for
// others that come late among them.
func (c *chunk) take(next *chunk) {
	most := next.begin + lateChunk/2
	n, to := len(next.places), next.end
	if to > most {
		n = max(sort.Search(n, func(i int) bool { return next.places[i].at > most })-1, 0)
		to = next.begin
		if n > 0 {
			to = next.places[n].at
		}
	}
	for _, p := range next.places[:n] {
		c.places = append(c.places, place{p.time, p.at - next.begin + c.end})
	}
	c.end += copy(c.mem[c.end:], next.mem[next.begin:to])
	next.begin, next.places = to, next.places[n:]
}

// insert puts a packet before packet i, or behind all, if there is room and not
// much to be moved.
func (c *chunk) insert(i int, t int64, b []byte) bool {
	at := c.end
	if i < len(c.places) {
		at = c.places[i].at
	}
	if c.limit-c.end < len(b) || c.end-at > lateChunk {
		return false
	}
	copy(c.mem[at+len(b):], c.mem[at:c.end])
	c.end += len(b)
	copy(c.mem[at:], b)
	c.places = slices.Insert(c.places, i, place{t, at})
	for j := range c.places[i+1:] {
		c.places[i+1+j].at += len(b)
	}
	return true
}

// divide leaves of chunk k what is before its packet i. The rest is the next chunk.
func (h *hold) divide(k, i int) {
	c := h.chunks[k]
	rest := *c
	rest.begin, rest.places = c.places[i].at, c.places[i:]
	h.chunks = slices.Insert(h.chunks, k+1, &rest)
	c.end, c.limit, c.extra, c.places = rest.begin, rest.begin, 0, c.places[:i:i]
}

// block adds what is no packet: early, before all packets that are held, or behind them.
func (h *hold) block(b []byte, early bool) error {
	if early && len(h.chunks[0].places) > 0 {
		h.divide(0, 0)
	}
	h.bytes += len(b)
	if early && h.window > 0 {
		h.chunks[0].add(b)
		return nil
	}
	if _, err := h.room(len(b)); err != nil {
		return err
	}
	h.last().add(b)
	return nil
}

// pass writes the first chunk. Unless all is to be written, what does not fill the
// last unit of the file goes to the chunk after it.
func (h *hold) pass(all bool) error {
	c := h.chunks[0]
	b := c.mem[c.begin:c.end]
	if n := len(c.places); n > 0 {
		h.passed = max(h.passed, c.places[n-1].time)
	}
	if !all {
		over := min(int((h.size+int64(len(b)))%chunkAlign), len(b))
		to := h.chunks[1]
		to.begin -= over
		copy(to.mem[to.begin:], b[len(b)-over:])
		b = b[:len(b)-over]
	}
	h.bytes -= len(b)
	var err error
	if len(b) > 0 {
		h.space.ahead(h.size, len(b))
		var n int
		n, err = h.out.Write(b)
		h.size += int64(n)
	}
	h.extra -= c.extra
	whole := c.limit == len(c.mem) // no other chunk has any of it
	c.begin, c.end, c.extra, c.places = chunkAlign, chunkAlign, 0, c.places[:0]
	if len(h.chunks) > 1 {
		h.chunks = slices.Delete(h.chunks, 0, 1)
		h.keep(c, whole)
	}
	if err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	return nil
}

// keep keeps an empty chunk for its next use, unless others have its memory or it
// is of an odd size.
func (h *hold) keep(c *chunk, whole bool) {
	n := len(c.mem) - chunkAlign
	if whole && (n == chunkSize || n == lateChunk) && len(h.spare[n]) < maxSpare {
		h.spare[n] = append(h.spare[n], c)
	}
}

// flush writes all.
func (h *hold) flush() error {
	for h.bytes > 0 {
		if err := h.pass(true); err != nil {
			return err
		}
	}
	return nil
}
