package cassandra

import "shark/dissector"

// streams counts the uses of stream ids. A client uses an id again when it has been
// answered, so a response answers the latest use of its id. Where bytes of the server
// were lost, the response may be among them, and the next one by the same id be to a
// request that is missing too: none is then paired with a request from before. An id
// that was used again shows that the response before it is what is missing.
type streams struct {
	latest map[uint16]use // what waits for its answer, by id; at most 32768
	uses   uint64
	lost   [2]bool
	key    uint64 // of the message read last
}

// use is a request that waits for its answer.
type use struct {
	key   uint64
	again bool // one before it with the same id was not seen answered
}

// ask returns the key of a request.
func (s *streams) ask(stream uint16) uint64 {
	s.uses++
	s.key = s.uses<<16 | uint64(stream)
	_, again := s.latest[stream]
	s.latest[stream] = use{s.key, again}
	return s.key
}

// peek returns the key of a response; without a request it is one of its own.
func (s *streams) peek(stream uint16) uint64 {
	if u, ok := s.latest[stream]; ok {
		s.key = u.key
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
		return
	}
	if from == dissector.Client {
		return
	}
	for stream, u := range s.latest {
		if !u.again {
			delete(s.latest, stream)
			continue
		}
		s.latest[stream] = use{key: u.key}
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
