package dissector

import "shark/dissector/field"

// A partition uses again what its connections are done with: a capture of many short
// ones would otherwise mostly allocate and collect. What is kept is bounded by number
// and by the size of each.
const (
	maxPool    = 1024    // messages, and exchanges
	maxEnded   = 64      // connections, talks, and flows
	maxBuffers = 32      // buffers, each of up to MaxProbe bytes
	maxValues  = 8 << 10 // bytes of a message's values
	maxNumbers = 256     // bytes of a connection's packet numbers
	maxMarks   = 8       // of a side
	maxQueue   = 16      // exchanges of a talk
	maxSpoken  = 4       // protocols of a connection or flow
)

// pop takes the last of a pool; it is nil when there is none.
func pop[T any](pool *[]*T) *T {
	n := len(*pool) - 1
	if n < 0 {
		return nil
	}
	x := (*pool)[n]
	*pool = (*pool)[:n]
	return x
}

// small returns list emptied, to be filled again, or nil if it has room for more
// than limit.
func small[T any](list []T, limit int) []T {
	if cap(list) > limit {
		return nil
	}
	return list[:0]
}

// message returns an empty message.
func (p *partition) message() *Message {
	if m := pop(&p.messages); m != nil {
		return m
	}
	return new(Message)
}

// free takes a message that nothing refers to any more.
func (p *partition) free(m *Message) {
	v, carried := m.Values, m.carried[:0]
	if v.Size() > maxValues {
		v = field.Values{}
	}
	v.Reset()
	*m = Message{}
	m.Values, m.carried = v, carried
	if len(p.messages) < maxPool {
		p.messages = append(p.messages, m)
	}
}

// exchange returns an exchange of two messages, of which one may be nil.
func (p *partition) exchange(req, resp *Message) *exchange {
	ex := pop(&p.exchanges)
	if ex == nil {
		return &exchange{req: req, resp: resp}
	}
	*ex = exchange{req: req, resp: resp}
	return ex
}

func (p *partition) recycleExchange(ex *exchange) {
	if len(p.exchanges) < maxPool {
		p.exchanges = append(p.exchanges, ex)
	}
}

// buffer returns an empty buffer.
func (p *partition) buffer() []byte {
	n := len(p.buffers) - 1
	if n < 0 {
		return nil
	}
	b := p.buffers[n]
	p.buffers = p.buffers[:n]
	return b
}

// recycleBuffer keeps a buffer for another side, unless it is large.
func (p *partition) recycleBuffer(b []byte) {
	if cap(b) > 0 && cap(b) <= MaxProbe && len(p.buffers) < maxBuffers {
		p.buffers = append(p.buffers, b[:0])
	}
}

// record returns an empty buffer for what a record says.
func (p *partition) record() []byte {
	n := len(p.records) - 1
	if n < 0 {
		return nil
	}
	b := p.records[n]
	p.records = p.records[:n]
	return b
}

// recycleRecord keeps such a buffer: there is one for each stream that another is in.
func (p *partition) recycleRecord(b []byte) {
	if cap(b) > 0 && cap(b) <= maxSealed && len(p.records) <= MaxNested {
		p.records = append(p.records, b[:0])
	}
}

// conn returns an empty connection.
func (p *partition) conn() *conn {
	if c := pop(&p.ended); c != nil {
		return c
	}
	return new(conn)
}

// recycleConn takes a connection that was closed. Those who still know it see that
// it has no partition, or another id.
func (p *partition) recycleConn(c *conn) {
	if s := c.tcp; s != nil && len(p.states) < maxEnded {
		*s = tcpState{}
		p.states = append(p.states, s)
	}
	numbers, spoken := small(c.numbers.enc, maxNumbers), small(c.spoken, maxSpoken)
	*c = conn{numbers: numberList{enc: numbers}, spoken: spoken}
	if len(p.ended) < maxEnded {
		p.ended = append(p.ended, c)
	}
}

// tcpState returns the state of a TCP connection that begins.
func (p *partition) tcpState() *tcpState {
	if s := pop(&p.states); s != nil {
		return s
	}
	return new(tcpState)
}

// talk returns the talk of a connection that begins to say something.
func (p *partition) talk(c *conn) *talk {
	t := pop(&p.talks)
	if t == nil {
		t = new(talk)
	}
	t.c, t.side, t.transport = c, &p.noSides, c.transport
	if c.transport == TCP {
		t.side = p.twoSides()
	}
	return t
}

// streamTalk returns a talk in streams, whatever the connection is.
func (p *partition) streamTalk(c *conn) *talk {
	t := p.talk(c)
	if t.side == &p.noSides {
		t.side = p.twoSides()
	}
	return t
}

// twoSides returns the empty sides of a talk.
func (p *partition) twoSides() *[2]side {
	if s := pop(&p.sides); s != nil {
		return s
	}
	return new([2]side)
}

// recycleTalk takes a talk that was closed.
func (p *partition) recycleTalk(t *talk) {
	if t.tunnel != nil {
		t.tunnel.recycle(p)
	}
	t.recycleSessions(p)
	if t.side != &p.noSides {
		for d := range t.side {
			p.recycleBuffer(t.side[d].buf)
			t.side[d] = side{inbox: inbox{marks: small(t.side[d].marks, maxMarks)}}
		}
		if len(p.sides) < maxEnded {
			p.sides = append(p.sides, t.side)
		}
	}
	*t = talk{pairs: pairing{queue: small(t.pairs.queue, maxQueue)}}
	if len(p.talks) < maxEnded {
		p.talks = append(p.talks, t)
	}
}

// flowGroup returns an empty flow.
func (p *partition) flowGroup() *flowGroup {
	if g := pop(&p.groups); g != nil {
		return g
	}
	return new(flowGroup)
}

// recycleGroup takes a flow that was handed out and that no connection belongs to.
func (p *partition) recycleGroup(g *flowGroup) {
	spoken := small(g.spoken, maxSpoken)
	*g = flowGroup{spoken: spoken}
	if len(p.groups) < maxEnded {
		p.groups = append(p.groups, g)
	}
}
