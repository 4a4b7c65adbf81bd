package quic

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"shark/dissector/protocol/quic/record"
)

// streams puts together what one side says in its streams (RFC 9000 section 2). What comes
// out of order waits for what is before it, or until that is given up.
type streams struct {
	open map[uint64]*inStream
	next [4]uint64 // of each type of stream, the lowest ID that was not seen
	held int       // bytes that wait
	out  []byte    // records of what is ready
	now  record.Place

	lapsed bool // the records so far went to who does not get the next ones
}

// oneWayOnly is the bit of a stream's ID that says that one side speaks in it alone (section 2.1).
const oneWayOnly = 2

// inStream is one side of a stream.
type inStream struct {
	ready  uint64  // bytes that were handed on
	pieces []chunk // that wait, by offset
	since  int64   // ns; since when nothing of them was handed on
	size   uint64  // all of its bytes, once that is known
	ended  bool    // it is known
}

// chunk is bytes of a stream that wait.
type chunk struct {
	offset uint64
	data   []byte
	at     record.Place
}

// fresh begins the records of a datagram.
func (s *streams) fresh(at record.Place) {
	s.out, s.now = s.out[:0], at
	if !s.lapsed {
		return
	}
	s.lapsed = false
	for _, id := range slices.Sorted(maps.Keys(s.open)) {
		if s.open[id].ready > 0 {
			s.out = record.AppendNumber(s.out, record.Lapse, id, at, 0)
		}
	}
}

// get returns a stream that is open; nil of one that is over.
func (s *streams) get(id uint64) *inStream {
	if x := s.open[id]; x != nil {
		return x
	}
	next := &s.next[id&3]
	if id < *next {
		return nil
	}
	if s.open == nil {
		s.open = make(map[uint64]*inStream)
	}
	// Streams before it are open too (section 3.2), though nothing of them came so far.
	for n := max(*next|id&3, id-min(id, 4*maxSkipped)); n < id; n += 4 {
		s.begin(n)
	}
	*next = id + 4
	return s.begin(id)
}

// begin begins a stream, in place of the oldest ones when there are too many: not of those in
// which one side speaks, which are few and last.
func (s *streams) begin(id uint64) *inStream {
	if len(s.open) >= maxStreams {
		oldest := slices.SortedFunc(maps.Keys(s.open), func(a, b uint64) int {
			return cmp.Or(cmp.Compare(a&oneWayOnly, b&oneWayOnly), cmp.Compare(a, b))
		})
		for _, old := range oldest[:maxStreams/4] {
			s.over(old)
		}
	}
	x := new(inStream)
	s.open[id] = x
	return x
}

// add takes the bytes of a STREAM frame; fin says that they are the last ones.
func (s *streams) add(id, offset uint64, b []byte, fin bool) {
	x := s.get(id)
	if x == nil {
		return
	}
	end := offset + uint64(len(b))
	if fin {
		x.size, x.ended = end, true
	}
	switch {
	case offset > x.ready:
		if len(b) > 0 {
			s.wait(x, offset, b)
		}
	case end > x.ready:
		s.say(id, x, b[x.ready-offset:], s.now)
	}
	s.release(id, x)
	if len(x.pieces) > 0 && (s.now.Time-x.since > maxWait || s.held > maxHeld || len(x.pieces) > maxChunks) {
		s.giveUp(id, x)
	}
	if x.ended && x.ready >= x.size {
		if s.open[id] != nil {
			s.say(id, x, nil, s.now)
		}
	}
}

// wait keeps bytes until those before them come.
func (s *streams) wait(x *inStream, offset uint64, b []byte) {
	at, _ := slices.BinarySearchFunc(x.pieces, offset, func(c chunk, offset uint64) int {
		if c.offset < offset {
			return -1
		}
		return 1
	})
	if at < len(x.pieces) && x.pieces[at].offset == offset && len(x.pieces[at].data) >= len(b) {
		return
	}
	if len(x.pieces) == 0 {
		x.since = s.now.Time
	}
	x.pieces = slices.Insert(x.pieces, at, chunk{offset, bytes.Clone(b), s.now})
	s.held += len(b)
}

// release hands on what waited for what was handed on.
func (s *streams) release(id uint64, x *inStream) {
	for len(x.pieces) > 0 && x.pieces[0].offset <= x.ready {
		c := x.pieces[0]
		x.pieces = x.pieces[1:]
		s.held -= len(c.data)
		if end := c.offset + uint64(len(c.data)); end > x.ready {
			s.say(id, x, c.data[x.ready-c.offset:], c.at)
		}
	}
}

// giveUp hands on what waits: what is before it was not captured.
func (s *streams) giveUp(id uint64, x *inStream) {
	s.out = record.AppendNumber(s.out, record.Missing, id, s.now, x.pieces[0].offset-x.ready)
	x.ready, x.since = x.pieces[0].offset, s.now.Time
	s.release(id, x)
}

// say makes a record of a stream's next bytes, and ends it behind its last one.
func (s *streams) say(id uint64, x *inStream, b []byte, at record.Place) {
	x.ready += uint64(len(b))
	last := x.ended && x.ready >= x.size
	s.out = record.AppendData(s.out, id, at, b, last)
	if last {
		s.over(id)
	}
}

// over ends a stream.
func (s *streams) over(id uint64) {
	if x := s.open[id]; x != nil {
		for _, c := range x.pieces {
			s.held -= len(c.data)
		}
		x.pieces = nil
		delete(s.open, id)
	}
}

// reset ends a stream as its sender does (section 19.4).
func (s *streams) reset(id, code uint64) {
	if s.get(id) == nil {
		return
	}
	s.out = record.AppendNumber(s.out, record.Reset, id, s.now, code)
	s.over(id)
}
