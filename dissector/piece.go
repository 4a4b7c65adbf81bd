package dissector

import (
	"shark/dissector/stream"
)

// piece is a parsed span on its way past: its bytes need not be looked at, but
// its body may have readers.
type piece struct {
	active    bool
	m         *Message
	pos, span int64
	bodyFrom  int64
	bodyTo    int64
	open      bool // the message goes on after it
	cancel    bool
	watch     Watcher // nil if nobody does
}

// pass takes the next bytes of the piece, at most what is left of it.
func (p *piece) pass(b []byte, at stream.At) {
	m, n := p.m, int64(len(b))
	m.Size += n
	m.End, m.Last = max(m.End, at.Time), max(m.Last, at.Number)
	from, to := max(p.bodyFrom, p.pos), min(p.bodyTo, p.pos+n)
	if to > from {
		if m.BodySize == 0 {
			m.head = m.Size - n + from - p.pos
		}
		m.BodySize += to - from
		chunk := b[from-p.pos : to-p.pos]
		for _, r := range m.carried {
			if r.Carry.Body != nil {
				r.Carry.Body(m, chunk)
			}
		}
		if m.Detail {
			m.Body = appendUpTo(m.Body, chunk, MaxDetail)
		}
	}
	if p.watch != nil {
		p.watch.Pass(b)
	}
	if m.Detail {
		m.Raw = appendUpTo(m.Raw, b, MaxDetail)
	}
	p.pos += n
}

func appendUpTo(dst, b []byte, limit int) []byte {
	return append(dst, b[:min(len(b), max(0, limit-len(dst)))]...)
}

// pass moves a side's piece on by the front of b and returns how much that took.
func (t *talk) pass(d int, b []byte, at stream.At) int {
	s := &t.side[d]
	n := int(min(s.piece.span-s.piece.pos, int64(len(b))))
	s.piece.pass(b[:n], at)
	if s.piece.pos == s.piece.span {
		t.endPiece(d)
	}
	return n
}

// begin starts the piece that Parse found: m is the scratch message it filled, or
// the side's open one.
func (t *talk) begin(d int, m *Message, span int64, at stream.At) {
	s := &t.side[d]
	s.piece = piece{active: true, m: m, span: span, bodyFrom: m.bodyFrom, bodyTo: m.bodyFrom + m.bodyLen, open: m.Open, cancel: m.Cancel, watch: m.Watch}
	m.Watch = nil
	if m.Remark {
		t.remark(m)
	}
	if m.Role == Silent {
		t.silence(m)
	}
	if m.Skip {
		return
	}
	if half := t.pairs.ending(m); half != nil {
		if half != m {
			half.Merge(&m.Values)
			half.adds(m)
			t.c.p.free(m)
			s.piece.m = half
		}
		return
	}
	if m.keyed && s.cur == nil {
		if whole := t.pairs.openMessage(m.From, m.key); whole != nil {
			whole.Merge(&m.Values)
			whole.Next, whole.Role = m.Next, m.Role
			whole.adds(m)
			t.c.p.free(m)
			s.piece.m = whole
			return
		}
	}
	if s.cur == nil {
		m.Resumed = m.Resumed || m.Gap > 0
		if m.NextKey != 0 && !t.c.p.speaks(m.Next) { // the answer is not going to be read
			m.Role, m.NextKey = BySide, 0
		}
		t.attach(m, at)
		for _, r := range t.riders {
			if r.Carry.Claim(m) {
				m.carried = append(m.carried, r)
			}
		}
		for _, r := range m.carried {
			if r.Carry.Keep == nil {
				t.c.speaks(r)
			}
		}
	}
	s.cur = nil
	if m.Open && !m.keyed {
		s.cur = m
	}
}

// adds takes what Parse said of m, the next piece of this message.
func (m *Message) adds(next *Message) {
	m.Resumed = m.Resumed || next.Resumed
	m.Start, m.First = min(m.Start, next.Start), min(m.First, next.First)
	m.Size += next.Size
	m.Lost += next.Lost
}

// endPiece is called when the piece's last byte has passed.
func (t *talk) endPiece(d int) {
	s := &t.side[d]
	m := s.piece.m
	if s.piece.watch != nil {
		s.piece.watch.Passed(m)
	}
	s.piece.active, s.piece.m, s.piece.watch = false, nil, nil
	switch {
	case m.Skip:
		s.cur = nil
		t.c.p.free(m)
	case s.piece.cancel:
		t.cancel(m)
	case !s.piece.open:
		s.cur = nil
		t.finish(d, m)
	}
}

// finish is called when a message is as complete as it gets.
func (t *talk) finish(d int, m *Message) {
	if m.done {
		return
	}
	m.end(false)
	next, final := m.Next, m.Role == OneWay || m.From == Server && (m.Role != Interim || m.NextKey != 0)
	ex := m.ex
	if m.From == Client && next != "" && ex != nil && (ex.resp == nil || !ex.resp.done) {
		t.side[d].hold = ex
	}
	if final && (next == Opaque || m.Truncated) && t.burrow(m) {
		t.rework(d ^ 1)
		return
	}
	t.pairs.finished(t, m)
	if final && next != "" {
		t.change(next)
		t.rework(d ^ 1)
		return
	}
	if other := &t.side[d^1]; final && ex != nil && other.hold == ex {
		other.hold = nil
		t.rework(d ^ 1)
	}
}

// newMessage returns an empty message that begins at a place.
func (t *talk) newMessage(d int, at stream.At) *Message {
	p := t.c.p
	m := p.message()
	m.From, m.Flow, m.Transport, m.Detail = t.role[d], t.c.flow, t.transport, p.opts.Detail
	if d == 1 {
		m.Flow.Src, m.Flow.Dst, m.Flow.SrcPort, m.Flow.DstPort = m.Flow.Dst, m.Flow.Src, m.Flow.DstPort, m.Flow.SrcPort
	}
	m.Start, m.First, m.End, m.Last = at.Time, at.Number, at.Time, at.Number
	m.talk, m.proto, m.Joined, m.Final = t, t.proto, t.joined, t.final
	return m
}
