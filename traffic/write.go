package traffic

import "shark/packet"

// span is when the first byte of something was captured, and when the last of
// its bytes was, whichever that is.
type span struct{ first, last int64 }

// send sends b as one write of an application and returns when it was seen. b
// must stay as it is until the step is written: it is of c.arena, or constant.
func (c *conversation) send(from side, b []byte) span {
	w := write{
		c: c, from: from, to: from.other(), b: b,
		at: c.take(from), base: c.seq[from], mss: c.mss(),
	}
	for w.off < len(b) {
		switch {
		case w.left() > 1 && c.chance(c.flaws.Reorder):
			w.swap()
		case c.chance(c.flaws.Loss):
			w.lose()
		default:
			w.data(w.next())
			w.arrived()
		}
		w.pace()
	}
	c.now = max(c.now, w.end)
	return w.span
}

// write is one send under way.
type write struct {
	c        *conversation
	from, to side
	b        []byte
	base     uint32 // sequence number of its first byte
	off      int    // of what was not sent yet
	mss      int
	at       int64 // when the next segment can be sent
	end      int64 // when the last one was
	burst    int   // segments sent since the last wait for an acknowledgement
	acked    int64 // when the first acknowledgement of the burst is seen; 0 for none yet
	again    bool  // what is sent was captured before
	span
}

// left is how many segments are still to be sent.
func (w *write) left() int { return (len(w.b) - w.off + w.mss - 1) / w.mss }

// next takes the next segment off what is to be sent.
func (w *write) next() (lo, hi int) {
	lo = w.off
	w.off = min(w.off+w.mss, len(w.b))
	return lo, w.off
}

// data sends the bytes lo to hi of the write.
func (w *write) data(lo, hi int) {
	flags := packet.ACK
	if hi == len(w.b) {
		flags |= packet.PSH
	}
	c := w.c
	at := c.push(w.from, segment{
		at: w.at, payload: w.b[lo:hi], flags: uint8(flags),
		seq: w.base + uint32(lo), ack: c.seq[w.to],
	})
	c.heard[w.from] = 0
	w.end = at
	if lo == 0 && w.first == 0 {
		w.first = at
	}
	if !w.again {
		w.last = at
	}
	w.at = at + microsecond + c.between(0, 3*microsecond)
	w.burst++
}

// arrived says that all up to w.off has come to the other side, which
// acknowledges every second segment at once.
func (w *write) arrived() {
	c := w.c
	c.seq[w.from] = w.base + uint32(w.off)
	if c.heard[w.to]++; c.heard[w.to] >= 2 && w.off < len(w.b) {
		w.acknowledge()
	}
}

// acknowledge has the other side say up to where it received everything.
func (w *write) acknowledge() {
	at := w.c.ack(w.to, w.end+w.c.trip[w.to])
	if w.acked == 0 {
		w.acked = at
	}
}

// pace makes the sender wait for an acknowledgement once its window is full.
func (w *write) pace() {
	c := w.c
	if w.burst < c.wide[w.from] || w.off == len(w.b) {
		return
	}
	if w.acked == 0 {
		w.acknowledge()
	}
	w.at = max(w.at, w.acked+c.trip[w.from])
	w.burst, w.acked = 0, 0
	c.wide[w.from] = min(2*c.wide[w.from], fullWindow)
}

// swap sends the next two segments in the wrong order.
func (w *write) swap() {
	c := w.c
	lo, mid := w.next()
	_, hi := w.next()
	w.data(mid, hi)
	w.acknowledge()
	w.data(lo, mid)
	w.arrived()
	w.acknowledge()
	c.world.truth.Reordered++
}

// lose loses the next segment, before or behind the place of capture. It is
// sent again: soon, when three segments that came after it made the receiver
// repeat itself, else after a timeout.
func (w *write) lose() {
	c := w.c
	lo, hi := w.next()
	w.end = w.at
	seen := c.chance(0.5)
	if seen {
		w.data(lo, hi)
	}
	after := 0
	for ; after < 3 && w.off < len(w.b); after++ {
		w.data(w.next())
		w.acknowledge()
	}
	w.at = w.end + c.trip[w.to] + c.trip[w.from]
	if after < 3 {
		w.at = w.end + retransmit + c.between(0, 20*millisecond)
	}
	w.again = seen
	w.data(lo, hi)
	w.again = false
	w.arrived()
	w.acknowledge()
	w.burst = 0
	c.world.truth.Lost++
	if seen {
		c.world.truth.Retransmitted++
	}
}
