// Package stream puts the segments of a TCP connection in order.
//
// In: segments in capture order, lost, reordered, repeated and overlapping as
// they may be. Out: each side's bytes in order, with every hole reported as a
// gap of known size, and in an order of cause and effect between the sides: bytes
// are handed out only after the bytes of the other side that their sender had
// acknowledged. In-order bytes are handed out where they stand, without a copy;
// only what has to wait is copied, within limits.
package stream

// Limits on what one connection may keep waiting.
const (
	// MaxHeldBytes is how many bytes one side may hold behind a hole.
	MaxHeldBytes = 1 << 20
	// MaxHeldSegments is how many segments one side may hold behind a hole.
	MaxHeldSegments = 1024
	// MaxLate is after how many more packets of the connection a hole that the
	// receiver has acknowledged counts as never captured.
	MaxLate = 64
	// maxJump is how far ahead of the expected one a sequence number may be.
	maxJump = 1 << 30
)

// At says where bytes were captured.
type At struct {
	Time   int64  // ns since 1970
	Number uint64 // packet
	Acked  int64  // offset in the other side's stream that their sender had received; -1 when unknown
}

// Segment is one TCP segment. Data is what was captured of its Len bytes; it is
// not kept.
type Segment struct {
	Seq, Ack uint32
	SYN, ACK bool
	FIN, RST bool
	Data     []byte
	Len      uint32 // payload bytes on the wire, at least len(Data)
	Time     int64
	Number   uint64
}

// Receiver takes what a connection hands out. Side is 0 or 1 as given to Add.
type Receiver interface {
	// Data gives the next bytes of a side; off is the offset of the first one in
	// the side's stream. b is valid during the call only.
	Data(side int, off int64, b []byte, at At)
	// Gap says that the next n bytes of a side were not captured.
	Gap(side int, n int64)
	// End says that a side sent its last byte.
	End(side int, at At)
}

// Conn puts both sides of one connection in order. The zero Conn is ready.
type Conn struct {
	half [2]half
}

type half struct {
	seen  bool   // a packet of it was captured
	known bool   // next is meaningful
	ended bool   // FIN or RST was reached
	next  uint32 // sequence number expected next
	off   int64  // the same as an offset: bytes handed out or given up so far
	acked int64  // the highest offset the other side acknowledged
	late  int    // packets since the hole at off was seen to be acknowledged
	held  []held // by offset
	bytes int    // of held
}

type held struct {
	off  int64
	n    int64 // bytes on the wire
	data []byte
	end  bool
	at   At
}

// Held returns the bytes that the connection keeps waiting.
func (c *Conn) Held() int { return c.half[0].bytes + c.half[1].bytes }

// Touch brings c into the processor's cache. What it returns means nothing.
func (c *Conn) Touch() byte { return byte(c.half[0].off ^ c.half[1].off) }

// Started tells whether anything of a side was seen.
func (c *Conn) Started(side int) bool { return c.half[side].seen }

// Offset returns how many bytes of a side were handed out or given up.
func (c *Conn) Offset(side int) int64 { return c.half[side].off }

func (h *half) offset(seq uint32) int64 { return h.off + int64(int32(seq-h.next)) }

func (h *half) advance(n int64) {
	h.off += n
	h.next += uint32(n)
	h.late = 0
}

// Add takes the next segment of a side in capture order.
func (c *Conn) Add(side int, s *Segment, r Receiver) {
	h, o := &c.half[side], &c.half[side^1]
	seq := s.Seq
	if s.SYN {
		seq++
	}
	h.seen = true
	if !h.known {
		h.known, h.next = true, seq
	}
	if s.ACK && !s.RST && !o.known { // so far the other side has come, seen or not
		o.known, o.next = true, s.Ack
	}
	acked := int64(-1)
	if s.ACK && o.known {
		if a := o.offset(s.Ack); a-o.off < maxJump {
			acked = a
			o.acked = max(o.acked, a)
		}
	}
	if s.Len > 0 || s.FIN || s.RST {
		c.take(side, seq, s, acked, r)
	}
	if len(h.held) > 0 || len(o.held) > 0 || h.acked > h.off || o.acked > o.off {
		c.settle(r)
	}
}

func (c *Conn) take(side int, seq uint32, s *Segment, acked int64, r Receiver) {
	h, o := &c.half[side], &c.half[side^1]
	off := h.offset(seq)
	end := s.FIN || s.RST
	if h.ended || off+int64(s.Len) < h.off || off-h.off > maxJump || (off+int64(s.Len) == h.off && !end) {
		return // nothing new, or nonsense
	}
	next := off <= h.off && len(h.held) == 0 && (acked <= o.off || o.ended)
	if next && off == h.off && !end && len(s.Data) == int(s.Len) { // as nearly all are
		h.advance(int64(s.Len))
		r.Data(side, off, s.Data, At{Time: s.Time, Number: s.Number, Acked: acked})
		return
	}
	x := held{off: off, n: int64(s.Len), data: s.Data, end: end, at: At{Time: s.Time, Number: s.Number, Acked: acked}}
	if next {
		h.deliver(side, &x, r)
		return
	}
	x.data = append([]byte(nil), s.Data...)
	h.hold(x)
}

// deliver hands out the part of x that is new.
func (h *half) deliver(side int, x *held, r Receiver) {
	if old := h.off - x.off; old > 0 {
		x.off += old
		x.n -= old
		x.data = x.data[min(old, int64(len(x.data))):]
	}
	if len(x.data) > 0 {
		off := h.off
		h.advance(int64(len(x.data)))
		r.Data(side, off, x.data, x.at)
	}
	if cut := x.n - int64(len(x.data)); cut > 0 {
		h.advance(cut)
		r.Gap(side, cut)
	}
	if x.end && !h.ended {
		h.advance(1)
		h.ended = true
		h.held, h.bytes = nil, 0
		r.End(side, x.at)
	}
}

// hold keeps x in the order of offsets, behind those of the same offset.
func (h *half) hold(x held) {
	i := len(h.held)
	for i > 0 && h.held[i-1].off > x.off {
		i--
	}
	h.held = append(h.held, held{})
	copy(h.held[i+1:], h.held[i:])
	h.held[i] = x
	h.bytes += len(x.data)
}

// settle hands out whatever may go, and gives up holes that will not be filled.
func (c *Conn) settle(r Receiver) {
	for {
		for c.drain(0, r) || c.drain(1, r) {
		}
		if !c.giveUp(0, r) && !c.giveUp(1, r) {
			break
		}
	}
	for i := range c.half {
		if h := &c.half[i]; h.acked > h.off && !h.ended {
			h.late++
		}
	}
}

// drain hands out the first held segment of a side if nothing is missing before it.
func (c *Conn) drain(side int, r Receiver) bool {
	h, o := &c.half[side], &c.half[side^1]
	if len(h.held) == 0 {
		return false
	}
	x := h.held[0]
	if x.off > h.off || (x.at.Acked > o.off && !o.ended) {
		return false
	}
	h.held = h.held[1:]
	h.bytes -= len(x.data)
	if len(h.held) == 0 {
		h.held = nil
	}
	if x.off+x.n > h.off || (x.end && x.off+x.n == h.off) {
		h.deliver(side, &x, r)
	}
	return true
}

// giveUp ends the wait for the bytes at the front of a side: when they were
// acknowledged long ago, or when too much waits behind them.
func (c *Conn) giveUp(side int, r Receiver) bool {
	h, o := &c.half[side], &c.half[side^1]
	if h.ended {
		return false
	}
	own := len(h.held) > 0 && h.held[0].off > h.off
	overdue := h.acked > h.off && h.late > MaxLate
	full := func(x *half) bool { return x.bytes > MaxHeldBytes || len(x.held) > MaxHeldSegments }
	gated := len(o.held) > 0 && o.held[0].off <= o.off && o.held[0].at.Acked > h.off
	if !overdue && !(own && full(h)) && !(gated && full(o)) {
		return false
	}
	if !own && overdue && h.acked == h.off+1 { // only a FIN that was not captured
		h.advance(1)
		h.ended = true
		r.End(side, At{Acked: -1})
		return true
	}
	to := h.acked
	if own && (h.held[0].off < to || to <= h.off) {
		to = h.held[0].off
	}
	return h.skip(side, to, r)
}

// skip gives up the bytes up to offset to.
func (h *half) skip(side int, to int64, r Receiver) bool {
	n := to - h.off
	if n <= 0 {
		return false
	}
	h.advance(n)
	r.Gap(side, n)
	return true
}

// Flush hands out all that is still held, with the gaps between.
func (c *Conn) Flush(r Receiver) {
	for c.half[0].held != nil || c.half[1].held != nil {
		for c.drain(0, r) || c.drain(1, r) {
		}
		if !c.skipFirst(r) {
			break
		}
	}
}

// skipFirst gives up the hole that the earliest held segment waits for.
func (c *Conn) skipFirst(r Receiver) bool {
	first := -1
	for i := range c.half {
		if h := c.half[i].held; len(h) > 0 && (first < 0 || h[0].at.Number < c.half[first].held[0].at.Number) {
			first = i
		}
	}
	if first < 0 {
		return false
	}
	h, o := &c.half[first], &c.half[first^1]
	x := &h.held[0]
	if x.off > h.off {
		return h.skip(first, x.off, r)
	}
	return o.skip(first^1, x.at.Acked, r)
}
