package dissector

import "shark/dissector/stream"

// inbox is bytes of a side that wait for more, and where they came from.
type inbox struct {
	buf   []byte // bytes that somebody still wants to see
	marks []mark // in which packets the bytes of buf came
}

// mark says that the bytes of buf from off on came at a place.
type mark struct {
	off int
	at  stream.At
}

// add appends bytes and returns all that there are then: b itself where nothing waits.
func (s *inbox) add(b []byte, at stream.At) []byte {
	s.marks = append(s.marks, mark{len(s.buf), at})
	if len(s.buf) == 0 {
		return b
	}
	s.buf = append(s.buf, b...)
	return s.buf
}

// keep holds back what work left of data: all but the first used bytes.
func (s *inbox) keep(p *partition, data []byte, used int) {
	if used >= len(data) {
		s.drop(p)
		return
	}
	rest := data[used:]
	if len(s.buf) > 0 && &s.buf[0] == &data[0] {
		s.buf = s.buf[:copy(s.buf, rest)]
	} else {
		s.buf = append(p.buffer(), rest...)
	}
	i := len(s.marks) - 1
	for i > 0 && s.marks[i].off > used {
		i--
	}
	s.marks = s.marks[:copy(s.marks, s.marks[i:])]
	for j := range s.marks {
		s.marks[j].off = max(0, s.marks[j].off-used)
	}
}

// drop empties it. What it held its bytes in serves another: of thousands of
// connections few are in the middle of a message at a time.
func (s *inbox) drop(p *partition) {
	p.recycleBuffer(s.buf)
	if s.buf, s.marks = nil, s.marks[:0]; cap(s.marks) > maxMarks {
		s.marks = nil
	}
}

// place returns where the byte at off of the data in work was captured.
func (s *inbox) place(off int) stream.At {
	if len(s.marks) == 1 {
		return s.marks[0].at
	}
	i := len(s.marks) - 1
	for i > 0 && s.marks[i].off > off {
		i--
	}
	return s.marks[i].at
}

// latest returns when the last of the bytes [from, to) of the data in work was
// captured: one in their middle may have been sent again later.
func (s *inbox) latest(from, to int) stream.At {
	at := s.place(from)
	if len(s.marks) == 1 {
		return at
	}
	for _, m := range s.marks {
		if m.off > from && m.off < to {
			at.Time, at.Number = max(at.Time, m.at.Time), max(at.Number, m.at.Number)
		}
	}
	return at
}

// segmentAfter returns where in the data in work, n bytes long, the next segment
// behind off begins, n when there is none.
func (s *inbox) segmentAfter(off, n int) int {
	for _, m := range s.marks {
		if m.off > off && m.off < n {
			return m.off
		}
	}
	return n
}
