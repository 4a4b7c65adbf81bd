package cassandra

import "shark/dissector"

// streams counts the uses of stream ids. A client uses an id again when it has been
// answered, so a response answers the latest use of its id. Where bytes of both sides
// were lost, a request may be missing as well as the response before it: no response
// is then paired with a request from before.
type streams struct {
	latest map[uint16]uint64 // the key of each id that waits for its answer; at most 32768
	uses   uint64
	lost   [2]bool
	key    uint64 // of the message read last
}

// ask returns the key of a request.
func (s *streams) ask(stream uint16) uint64 {
	s.uses++
	s.key = s.uses<<16 | uint64(stream)
	s.latest[stream] = s.key
	return s.key
}

// peek returns the key of a response; without a request it is one of its own.
func (s *streams) peek(stream uint16) uint64 {
	if key, ok := s.latest[stream]; ok {
		s.key = key
	} else {
		s.uses++
		s.key = s.uses<<16 | uint64(stream)
	}
	return s.key
}

// answered says that the response is there.
func (s *streams) answered(stream uint16) { delete(s.latest, stream) }

func (s *streams) lose(from dissector.Side) {
	s.lost[from] = true
	if s.lost[0] && s.lost[1] {
		clear(s.latest)
		s.lost = [2]bool{}
	}
}

// statements are the prepared statements whose text is known.
type statements struct {
	texts map[string][]byte // by id
	order []string          // oldest first
	held  int               // bytes of the texts
}

// add keeps the text of a statement, and drops the oldest ones for it.
func (s *statements) add(id, text []byte) {
	if len(id) == 0 || len(id) > maxID {
		return
	}
	if old, ok := s.texts[string(id)]; ok {
		s.held += len(text) - len(old)
		s.texts[string(id)] = append(old[:0:0], text...)
	} else {
		s.held += len(text)
		s.texts[string(id)] = append([]byte(nil), text...)
		s.order = append(s.order, string(id))
	}
	drop := 0
	for ; s.held > maxHeld || len(s.order)-drop > maxStatements; drop++ {
		s.held -= len(s.texts[s.order[drop]])
		delete(s.texts, s.order[drop])
	}
	s.order = s.order[:copy(s.order, s.order[drop:])]
}
