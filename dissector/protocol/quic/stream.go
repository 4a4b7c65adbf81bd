package quic

import "slices"

// stream puts the CRYPTO frames of one side together (RFC 9000 section 19.6). They may
// come in any order and again.
type stream struct {
	buf  []byte
	runs []run // that were received, in order, with holes between them
	told bool  // its message was: the bytes are not kept any more
}

// run is bytes of a stream: from, and to before which it ends.
type run struct{ from, to int }

// add takes a piece of the stream, as far as it is within the limits. again says that
// some of it was there already.
func (s *stream) add(offset uint64, b []byte) (again bool) {
	if offset >= maxHello || len(b) == 0 {
		return false
	}
	r := run{int(offset), min(int(offset)+len(b), maxHello)}
	if s.missing(r.from) > maxHoles { // room for what was not received costs whoever sends it nothing
		return false
	}
	at, _ := slices.BinarySearchFunc(s.runs, r, func(a, b run) int { return a.to - b.from })
	end := at
	whole := r
	for end < len(s.runs) && s.runs[end].from <= r.to {
		x := s.runs[end]
		again = again || x.from < r.to && x.to > r.from
		whole.from, whole.to = min(whole.from, x.from), max(whole.to, x.to)
		end++
	}
	if at == end && len(s.runs) >= maxPieces {
		return false
	}
	s.runs = slices.Replace(s.runs, at, end, whole)
	if s.told {
		return again
	}
	if more := r.to - len(s.buf); more > 0 {
		s.buf = append(s.buf, make([]byte, more)...)
	}
	copy(s.buf[r.from:r.to], b)
	return again
}

// missing returns how many bytes before an offset were not received.
func (s *stream) missing(offset int) int {
	n := offset
	for _, r := range s.runs {
		n -= max(0, min(r.to, offset)-r.from)
	}
	return n
}

// drop drops the bytes: their message was told. What comes again is told from what is
// new without them.
func (s *stream) drop() { s.buf, s.told = nil, true }

// have returns how many bytes there are from the stream's beginning on.
func (s *stream) have() int {
	if len(s.runs) == 0 || s.runs[0].from > 0 {
		return 0
	}
	return s.runs[0].to
}

// Handshake messages (RFC 8446 section 4).
const (
	typeClientHello = 1
	typeServerHello = 2
	typeLen         = 4 // type and length
)

// message returns the handshake message that begins at off, nil while it is not
// complete, or when it was told. long says that it never will be, within the limit.
func (s *stream) message(off int) (b []byte, long bool) {
	have := s.have()
	if s.told || have < off+typeLen {
		return nil, false
	}
	h := s.buf[off:]
	size := typeLen + int(h[1])<<16 + int(h[2])<<8 + int(h[3])
	switch {
	case off+size > maxHello:
		return nil, true
	case have < off+size:
		return nil, false
	}
	return h[:size], false
}
