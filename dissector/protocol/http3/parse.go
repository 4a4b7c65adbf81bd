package http3

import (
	"errors"

	"shark/dissector"
	"shark/dissector/protocol/http/hpack"
	"shark/dissector/protocol/http/section"
	"shark/dissector/protocol/http3/qpack"
	"shark/dissector/protocol/quic/record"
)

var errRecord = errors.New("no record of a stream")

// parser is the state of one connection.
type parser struct {
	sides   [2]side
	streams streams
	list    section.List // the field section that is being read
	add     func(*hpack.Field)
	notice  notice
}

// side is what one side has said so far.
type side struct {
	decoder qpack.Decoder      // of its field sections
	oneWay  map[uint64]*oneWay // the streams that it alone speaks in
	away    uint64             // of the server: the first stream that it does not process
	leaving bool               // it said so (GOAWAY)

	record record.Record // that is being read
	left   int           // bytes of it that were not; 0: it is over
	waits  bool          // it is about to say what is not known yet
}

func newParser() *parser {
	p := new(parser)
	p.list.Version, p.list.UnknownField = version, Unknown
	p.add = p.list.Add
	return p
}

// turn is one call of the parser: a record, or what is left of one, on its way to a piece.
type turn struct {
	from   dissector.Side
	m      *dissector.Message
	data   []byte // what is left of the record's bytes
	behind []byte // the records after it
	used   int    // of data
	frame  int    // bytes of the record's header, which were not on the wire
	last   bool   // the stream ends behind data
	final  bool   // no more records will come
}

// parse reads the next piece: to the end of a frame, or of a record.
func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(p.notice.to) > 0 {
		p.tell(m)
		return p.notice.span, nil
	}
	s := &p.sides[from]
	before := *s
	t := turn{from: from, m: m, final: m.Final}
	if s.left == 0 {
		r, n, ok := record.Read(buf)
		switch {
		case ok:
		case n == 0:
			return 0, errRecord
		default:
			m.Need = n
			return 0, dissector.ErrShort
		}
		s.record, s.left, t.frame = r, len(r.Data), record.HeaderLen
		if r.Kind > record.Last {
			return p.event(n, &t)
		}
	}
	if len(buf) < t.frame+s.left {
		m.Need = t.frame + s.left
		return 0, dissector.ErrShort
	}
	t.data, t.behind = buf[t.frame:t.frame+s.left], buf[t.frame+s.left:]
	t.last = s.record.Kind == record.Last
	err := p.say(s, &t)
	if err != nil {
		*s = before
		s.waits = true
		return 0, err
	}
	s.waits = false
	s.record.Data = nil // it is only lent
	s.left -= t.used
	p.notice.span = int64(t.frame + t.used)
	return p.notice.span, nil
}

// say reads what the next bytes of a stream say.
func (p *parser) say(s *side, t *turn) error {
	id := s.record.Stream
	if id&serverOpens != 0 == (t.from == dissector.Server) && id&oneWayOnly != 0 {
		p.control(s, t)
		return nil
	}
	if id&(serverOpens|oneWayOnly) != 0 { // nothing of HTTP is said there
		t.skip()
		return nil
	}
	return p.exchange(id, t)
}

// Bits of a stream's ID (RFC 9000 section 2.1).
const (
	serverOpens = 1
	oneWayOnly  = 2
)

// skip passes over what is left of the record.
func (t *turn) skip() { t.used, t.m.Skip = len(t.data), true }

// event reads a record of n bytes that has no bytes of a stream.
func (p *parser) event(n int, t *turn) (int64, error) {
	r := &p.sides[t.from].record
	id, m := r.Stream, t.m
	m.Skip, m.Size = true, -int64(n)
	switch {
	case r.Kind == record.Close:
		if !p.sides[t.from.Other()].waits { // what that side said before is still to be told
			p.closed(r.Number, m)
		}
	case id&oneWayOnly != 0:
		p.lose(t.from, id)
	case id&serverOpens != 0:
	case r.Kind == record.Reset:
		p.reset(t.from, id, r.Number, m)
	case r.Kind == record.Stop:
		p.stop(t.from, id, r.Number, m)
	case r.Kind == record.Missing:
		p.miss(t.from, id, int64(min(r.Number, 1<<62)), m)
	case r.Kind == record.Lapse:
		p.lapse(t.from, id, m)
	}
	p.notice.span = int64(n)
	return int64(n), nil
}

// piece makes m a piece of a side's message in a stream: the message goes on unless the stream
// ends with it.
func (p *parser) piece(from dissector.Side, st *stream, m *dissector.Message, last bool) {
	h := &st.half[from]
	m.Skip = false
	m.SetKey(st.id)
	StreamID.Set(&m.Values, int64(st.id))
	if h.at.Packet > 0 {
		m.Start, m.First = min(m.Start, h.at.Time), min(m.First, h.at.Packet)
	}
	m.Size += h.waiting
	h.waiting = 0
	if s := &p.sides[dissector.Server]; from == dissector.Client && s.leaving && st.id >= s.away {
		refuse(m)
	}
	if m.Role != dissector.Interim {
		h.begun, m.Open = true, !last
		m.Resumed = m.Resumed || !h.headed
	}
	if last {
		p.end(from, h, m)
	}
	p.streams.put(st)
}
