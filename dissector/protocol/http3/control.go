package http3

import (
	"shark/dissector"
	"shark/dissector/protocol/quic/record"
)

// The types of streams in which one side speaks alone (RFC 9114 section 6.2, RFC 9204 section
// 4.2).
const (
	streamControl = 0x00
	streamEncoder = 0x02
)

// settingCapacity is SETTINGS_QPACK_MAX_TABLE_CAPACITY (RFC 9204 section 5).
const settingCapacity = 0x01

// oneWay is a stream in which one side speaks alone.
type oneWay struct {
	frames        // of the control stream
	sort   uint64 // type of the stream
	typed  bool   // that is known
	begin  []byte // what came of the type, if that is not all
	ahead  int    // bytes that were read before their turn
}

// oneWayStream returns such a stream of a side, nil if there are too many.
func (s *side) oneWayStream(id uint64) *oneWay {
	if x := s.oneWay[id]; x != nil {
		return x
	}
	if len(s.oneWay) >= maxOneWay {
		return nil
	}
	if s.oneWay == nil {
		s.oneWay = make(map[uint64]*oneWay)
	}
	x := new(oneWay)
	s.oneWay[id] = x
	return x
}

// begins takes the stream's type from the front of b and returns how many bytes that took.
func (x *oneWay) begins(b []byte) int {
	had := len(x.begin)
	x.begin = append(x.begin, b[:min(len(b), maxType-had)]...)
	kind, n := varint(x.begin)
	if n == 0 {
		return len(x.begin) - had
	}
	x.sort, x.typed, x.begin = kind, true, nil
	return n - had
}

// maxType is how long a stream's type is at most.
const maxType = 8

// control reads what a side says in a stream of its own, to the end of a frame.
func (p *parser) control(s *side, t *turn) {
	t.m.Skip = true
	x := s.oneWayStream(s.record.Stream)
	if x == nil {
		t.skip()
		return
	}
	t.used = min(x.ahead, len(t.data))
	x.ahead -= t.used
	if !x.typed && !x.lost {
		t.used += x.begins(t.data[t.used:])
	}
	rest := t.data[t.used:]
	switch {
	case !x.typed || x.lost || x.sort != streamControl && x.sort != streamEncoder:
		t.used = len(t.data)
	case x.sort == streamEncoder:
		s.decoder.Instructions(rest)
		t.used = len(t.data)
	default:
		t.used += p.settings(x, t.from, rest, t.m)
	}
}

// keptOfControl is how long a payload may be to be kept, by the type of its frame.
func keptOfControl(kind uint64) uint64 {
	if kind == frameSettings || kind == frameGoAway {
		return maxControl
	}
	return 0
}

// settings reads the control stream to the end of a frame, and returns how much that is.
func (p *parser) settings(x *oneWay, from dissector.Side, b []byte, m *dissector.Message) int {
	used := 0
	if !x.in {
		if used = x.open(b, keptOfControl); !x.in {
			return used
		}
	}
	n, done := x.next(b[used:])
	used += n
	if !done {
		return used
	}
	kept := x.keep
	payload := x.payload()
	switch {
	case !kept:
	case x.kind == frameSettings:
		p.sides[from.Other()].decoder.Capacity(capacity(payload))
	case x.kind == frameGoAway && from == dissector.Server:
		if id, n := varint(payload); n > 0 {
			p.goAway(id, m)
		}
	}
	return used
}

// capacity returns how large a dynamic table SETTINGS allow (RFC 9114 section 7.2.4).
func capacity(b []byte) (most uint64) {
	for len(b) > 0 {
		id, n := varint(b)
		value, more := varint(b[n:])
		if n == 0 || more == 0 {
			return most
		}
		if b = b[n+more:]; id == settingCapacity {
			most = value
		}
	}
	return most
}

// lose takes note that bytes of such a stream are missing, or that there are no more.
func (p *parser) lose(from dissector.Side, id uint64) {
	s := &p.sides[from]
	x := s.oneWay[id]
	if x == nil || !x.typed {
		if x = s.oneWayStream(id); x != nil {
			x.lose()
		}
		return
	}
	if x.sort == streamEncoder {
		s.decoder.Lose()
	}
	x.lose()
}

// lookAhead reads what the encoder said in the records behind the one at hand.
func (p *parser) lookAhead(t *turn) {
	s := &p.sides[t.from]
	passed := make(map[uint64]int) // bytes of each stream
	for b := t.behind; ; {
		r, n, ok := record.Read(b)
		if !ok {
			return
		}
		b = b[n:]
		if r.Stream&oneWayOnly == 0 || r.Stream&serverOpens != 0 != (t.from == dissector.Server) {
			continue
		}
		x := s.oneWayStream(r.Stream)
		if x == nil || x.lost || !x.mayEncode(r.Data) {
			continue
		}
		if r.Kind > record.Last {
			p.lose(t.from, r.Stream)
			continue
		}
		data := r.Data[min(len(r.Data), max(0, x.ahead-passed[r.Stream])):]
		if passed[r.Stream] += len(r.Data); len(data) == 0 {
			continue
		}
		x.ahead += len(data)
		if !x.typed {
			data = data[x.begins(data):]
		}
		if x.typed {
			s.decoder.Instructions(data)
		}
	}
}

// mayEncode tells whether a stream is that of an encoder: by its type, or if there is none yet,
// by what comes next in it.
func (x *oneWay) mayEncode(next []byte) bool {
	switch {
	case x.typed:
		return x.sort == streamEncoder
	case len(x.begin) > 0:
		return false // a type that takes one byte has not begun so
	}
	return len(next) > 0 && next[0] == streamEncoder
}
