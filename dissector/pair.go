package dissector

import (
	"slices"

	"shark/dissector/stream"
)

// pairing joins requests and responses of one connection: by key, or in order.
//
// After a loss, in-order pairs are void until the sides are seen to take turns
// again: a wrong pair is worse than none.
type pairing struct {
	queue []*exchange     // in order; the answered ones leave it
	keyed table[exchange] // by key, oldest first
	n     int             // exchanges in both
	early *Message        // the interim response that began what is said, as long as it is all

	distrust  bool      // the turn is unknown
	turn      bool      // since then, an answer was seen or is known to be lost
	pipelined bool      // requests were sent before earlier ones were answered
	joined    bool      // the connection was joined in its middle: earlier requests may wait for answers
	unread    stream.At // where the last bytes of the server came that made no sense before the protocol was known
	lastData  int64
}

// exchange is a request and its response, as far as they were seen.
type exchange struct {
	req, resp *Message
	next      *exchange // of the same key
	interim   int
	void      bool // its other half cannot be told
	unsure    bool // begun right after trust was regained
}

// attach finds or makes the exchange of a message that begins.
func (t *talk) attach(m *Message, at stream.At) {
	p := &t.pairs
	if p.early != nil {
		t.c.p.free(p.early)
		p.early = nil
	}
	if m.Role != BySide {
		return
	}
	if p.n >= MaxPending {
		p.dropOldest(t)
	}
	if m.From == Client {
		if ex := p.greeting(m); ex != nil {
			ex.req, m.ex = m, ex
			return
		}
		m.ex = t.c.p.exchange(m, nil)
		if !m.keyed {
			p.judge(m)
		}
		p.keep(m)
		return
	}
	if ex := p.awaiting(m, at.Acked, t.transport); ex != nil {
		ex.resp, m.ex = m, ex
		return
	}
	m.ex = t.c.p.exchange(nil, m)
	m.ex.void = p.distrust && !m.keyed
	if m.keyed {
		p.keep(m)
	}
}

// greeting returns the exchange of a request that the server began.
func (p *pairing) greeting(m *Message) *exchange {
	if !m.keyed {
		return nil
	}
	ex := p.keyed.get(m.key)
	for ex != nil && (ex.req != nil || !ex.resp.Begins || ex.resp.done) {
		ex = ex.next
	}
	return ex
}

// keep keeps the exchange of a message that begins one.
func (p *pairing) keep(m *Message) {
	p.n++
	if !m.keyed {
		p.queue = append(p.queue, m.ex)
		return
	}
	last := p.keyed.get(m.key)
	if last == nil {
		p.keyed.put(m.key, m.ex)
		return
	}
	for last.next != nil {
		last = last.next
	}
	last.next = m.ex
}

// judge says, as a request in order begins, whether its answer can be told: it
// can while the sides take turns.
func (p *pairing) judge(m *Message) {
	pending := false
	for _, ex := range p.queue {
		pending = pending || ex.resp == nil || !ex.resp.done
	}
	if pending {
		p.pipelined = true
		for _, ex := range p.queue {
			if ex.unsure && ex.resp == nil { // the turn was no proof after all
				ex.void, p.distrust = true, true
			}
		}
	}
	if p.unread.Number > 0 && mayAnswer(m, p.unread) {
		m.ex.void = true
		return
	}
	if !p.distrust {
		if p.joined { // as after a loss, but that nothing was lost in sight
			m.ex.unsure, m.Resumed = true, m.Resumed || !p.turn
			p.joined = false
		}
		return
	}
	idle := m.Start-p.lastData >= idleTime
	if !pending && (p.turn && !p.pipelined || idle) {
		p.distrust, p.pipelined, m.ex.unsure = false, false, true
		m.Resumed, p.joined = m.Resumed || p.joined, false
	} else {
		m.ex.void = true
	}
}

// awaiting returns the exchange that a response which begins now belongs to.
// acked is how much of the requests its sender had received.
func (p *pairing) awaiting(m *Message, acked int64, tr Transport) *exchange {
	if m.keyed {
		for ex := p.keyed.get(m.key); ex != nil; ex = ex.next {
			if ex.req == nil || ex.resp != nil {
				continue
			}
			if tr&(TCP|SCTP|QUIC) == 0 && m.Start-ex.req.Start > answerTime {
				continue
			}
			return ex
		}
		return nil
	}
	for _, ex := range p.queue {
		if ex.resp != nil || ex.void {
			continue
		}
		if acked >= 0 && acked <= ex.req.offset {
			// An answer to a request that its sender had not received: an older
			// request must be out of sight.
			p.distrust, p.turn, p.pipelined, ex.void = true, true, true, true
			return nil
		}
		return ex
	}
	return nil
}

// peer returns the request that a response being parsed answers.
func (p *pairing) peer(m *Message) *Message {
	if m.From == Client && m.Role != Answers {
		return nil
	}
	ex := m.ex
	if ex == nil {
		ex = p.awaiting(m, -1, m.Transport)
	}
	if ex == nil {
		return nil
	}
	return ex.req
}

// handOn gives a request the key by which its answer comes in the protocol that the sides go
// on with.
func (p *pairing) handOn(ex *exchange, key uint64) {
	p.remove(ex.req, ex)
	ex.req.Next = "" // it was granted
	ex.req.SetKey(key)
	p.keep(ex.req)
}

// openMessage returns the message of a side that goes on with the next piece of key.
func (p *pairing) openMessage(from Side, key uint64) *Message {
	for ex := p.keyed.get(key); ex != nil; ex = ex.next {
		m := ex.req
		if from == Server {
			m = ex.resp
		}
		if m != nil && !m.done {
			return m
		}
	}
	return nil
}

// ending returns what the sender of m, a piece that cancels an exchange, has said
// in it: a message that may be complete already, or m itself if it said nothing
// yet. It is nil when there is no such exchange.
func (p *pairing) ending(m *Message) *Message {
	if !m.Cancel || !m.keyed {
		return nil
	}
	ex := p.keyed.get(m.key)
	if ex == nil {
		return nil
	}
	half := &ex.req
	if m.From == Server {
		half = &ex.resp
	}
	if *half == nil {
		*half, m.ex = m, ex
	}
	return *half
}

// remark adds what m says of the exchange of its key to that, and is done with m.
func (t *talk) remark(m *Message) {
	m.Skip = true
	ex := t.pairs.keyed.get(m.key)
	if ex == nil {
		return
	}
	half, other := ex.req, ex.resp
	if m.From == Server {
		half, other = other, half
	}
	if half == nil {
		half = other
	}
	half.Update(&m.Values)
	half.Unanswered = max(half.Unanswered, m.Unanswered)
	if m.Cancel {
		t.cancel(half)
	}
}

// silence ends the exchange of m's key, in which nothing is answered, and is done with m.
func (t *talk) silence(m *Message) {
	m.Skip = true
	ex := t.pairs.keyed.get(m.key)
	for ex != nil && (ex.req == nil || ex.resp != nil) {
		ex = ex.next
	}
	if ex == nil || !ex.req.done {
		return
	}
	ex.req.Merge(&m.Values)
	ex.req.Unpaired = ex.req.Unpaired || m.Unpaired
	t.pairs.remove(ex.req, ex)
	t.emit(ex, !m.Unpaired, false)
}

// finished is called when a message is complete: its exchange becomes an entry if
// that is complete too.
func (p *pairing) finished(t *talk, m *Message) {
	ex := m.ex
	switch {
	case ex == nil && m.Role == Interim:
		if first := p.awaiting(m, -1, m.Transport); first != nil {
			first.interim++
			if m.NextKey != 0 {
				p.handOn(first, m.NextKey)
			}
		} else if m.Begins && t.c.index == 0 {
			p.early = m
			return
		}
		t.c.p.free(m)
		return
	case ex == nil:
		t.emit(t.c.p.exchange(m, nil), true, false)
		return
	case ex.req == nil:
		p.turn = p.turn || p.distrust || p.joined
		p.remove(m, ex)
		t.emit(ex, false, false)
	case ex.void && ex.resp == nil:
		p.remove(m, ex)
		t.emit(ex, false, false)
	case ex.req.done && ex.resp != nil && ex.resp.done:
		p.remove(ex.req, ex)
		t.emit(ex, false, false)
	}
}

// cancel ends the exchange of m with what it has.
func (t *talk) cancel(m *Message) {
	ex := m.ex
	if ex == nil {
		t.c.p.free(m)
		return
	}
	for _, half := range []*Message{ex.req, ex.resp} {
		if half != nil && !half.done {
			half.end(true)
		}
	}
	t.pairs.remove(m, ex)
	t.emit(ex, false, false)
}

// remove forgets an exchange of m, if it is kept.
func (p *pairing) remove(m *Message, ex *exchange) {
	if m.keyed {
		p.removeKeyed(m.key, ex)
	} else if i := slices.Index(p.queue, ex); i >= 0 {
		p.n--
		p.queue = slices.Delete(p.queue, i, i+1)
	}
}

func (p *pairing) removeKeyed(key uint64, ex *exchange) {
	first := p.keyed.get(key)
	switch {
	case first == nil:
		return
	case first != ex:
		for first.next != ex {
			if first = first.next; first == nil {
				return
			}
		}
		first.next = ex.next
	case ex.next == nil:
		p.keyed.remove(key)
	default:
		p.keyed.put(key, ex.next)
	}
	ex.next = nil
	p.n--
}

// mayAnswer tells whether bytes that came at a place may be the answer to a request: they
// came behind it, or their sender had received it.
func mayAnswer(req *Message, at stream.At) bool {
	return req.First < at.Number || req.offset < at.Acked
}

// loss voids the in-order pairs that a hole in what a side said, which ends at a place, makes
// uncertain. Requests made before a hole in the requests are still answered first.
func (p *pairing) loss(t *talk, from Side, at stream.At) {
	p.distrust = true
	p.turn = from == Server
	if from == Client {
		return
	}
	queue := p.queue
	p.queue = nil
	for _, ex := range queue {
		switch {
		case ex.resp != nil, !mayAnswer(ex.req, at): // its answer has begun, or will behind the hole
			p.queue = append(p.queue, ex)
		case ex.req.done:
			p.n--
			ex.void = true
			t.emit(ex, false, false)
		default:
			ex.void = true
			p.queue = append(p.queue, ex)
		}
	}
}

// dropOldest makes room: the oldest exchange becomes an entry as it is.
func (p *pairing) dropOldest(t *talk) {
	var oldest *exchange
	if len(p.queue) > 0 {
		oldest = p.queue[0]
	}
	for ex := range p.keyed.all {
		if oldest == nil || byFirst(ex, oldest) < 0 {
			oldest = ex
		}
	}
	if oldest == nil {
		return
	}
	m := oldest.first()
	if !m.done {
		m.end(true)
	}
	p.remove(m, oldest)
	t.c.p.report.Evicted++
	t.emit(oldest, false, true)
}

func (ex *exchange) first() *Message {
	if ex.req != nil {
		return ex.req
	}
	return ex.resp
}

// drain makes entries of all that is left, oldest first.
func (p *pairing) drain(t *talk, evicted bool) {
	if m := p.early; m != nil {
		p.early = nil
		t.emit(t.c.p.exchange(nil, m), false, evicted)
	}
	left := p.queue
	for ex := range p.keyed.all {
		for ; ex != nil; ex = ex.next {
			left = append(left, ex)
		}
	}
	p.queue, p.keyed, p.n = left[:0], table[exchange]{}, 0
	sortByFirst(left)
	t.said = t.said || len(left) > 1
	for _, ex := range left {
		for _, m := range []*Message{ex.req, ex.resp} {
			if m != nil && !m.done {
				m.end(true)
			}
		}
		t.emit(ex, false, evicted)
	}
}
