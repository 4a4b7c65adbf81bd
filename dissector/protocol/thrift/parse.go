package thrift

import (
	"encoding/binary"
	"strconv"

	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	side     [2]side
	joined   bool // the connection was joined in its middle, and that is taken account of
	pairs    pairs
	inflated []byte // room for the beginning of what was compressed
}

// side is where a side stands within a message that has no frame.
type side struct {
	walker walker
	heard  bool // a message of it was read
	open   bool
	kind   int
	key    uint64
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.side[from]
	if m.Gap > 0 {
		s.open = false
		p.pairs.lose(from, m.Start)
	}
	if m.Joined && !p.joined { // calls that were not seen may be answered yet
		p.joined, p.pairs.unproven = true, true
	}
	if s.open {
		return p.goOn(from, buf, m)
	}
	if len(buf) < 8 {
		m.Need = 8
		return 0, dissector.ErrShort
	}
	if !isFramed(buf) {
		return p.unframed(from, buf, m)
	}
	return p.framed(from, buf, m)
}

// isFramed tells whether b, of 8 bytes at least, begins with a frame's length. An old
// message begins with the length of a name.
func isFramed(b []byte) bool {
	switch {
	case b[0] >= 0x80:
		return false
	case b[4] == 0x80 || b[4] == 0x82 || b[4] == 0x0f || b[4] == 0:
		return true
	}
	return false
}

// unframed reads the head of a message, and begins the walk that finds its end.
func (p *parser) unframed(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	h, err := readHead(buf)
	if err != nil {
		return 0, err
	}
	if !sends(from, h.kind) {
		return 0, errMalformed
	}
	s := &p.side[from]
	s.walker.begin(h.protocol, h.kind)
	span, done, err := s.walker.walk(buf[h.size:])
	if err != nil && err != dissector.ErrShort {
		return 0, err
	}
	transport := "unframed"
	if m.Joined && !s.heard { // the length of a frame may have come right before
		transport, m.Resumed = "", true
	}
	p.set(from, &h, transport, m)
	m.SetBody(h.size, span)
	s.open, s.kind = !done, h.kind
	if m.Open = s.open; done {
		s.walker.answer(m)
	}
	return int64(h.size) + span, nil
}

// goOn walks on in a message.
func (p *parser) goOn(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.side[from]
	span, done, err := s.walker.walk(buf)
	if err != nil {
		s.open = err == dissector.ErrShort
		return 0, err
	}
	pair(s.kind, s.key, m)
	m.SetBody(0, span)
	s.open = !done
	if m.Open = s.open; done {
		s.walker.answer(m)
	}
	return span, nil
}

// framed reads a message in a frame.
func (p *parser) framed(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	size := int64(binary.BigEndian.Uint32(buf))
	if size < 8 || size > maxFrame {
		return 0, errMalformed
	}
	span := 4 + size
	head := min(span, maxHead)
	if int64(len(buf)) < head {
		m.Need = int(head)
		return 0, dissector.ErrShort
	}
	b, transport := buf[4:head], "framed"
	if b[0] == 0x0f {
		if p.inflated == nil {
			p.inflated = make([]byte, maxHead)
		}
		t, err := readHeader(b, size, p.inflated)
		if err != nil {
			return 0, err
		}
		if t.payload == nil { // in a form that is not read: only that it is a call is known
			Transport.SetString(&m.Values, t.name)
			pair(call, p.pairs.key(from, t.id, nil, m), m)
			return span, nil
		}
		b, transport = t.payload, t.name
	}
	h, err := readHead(b)
	if err != nil || !sends(from, h.kind) {
		return 0, errMalformed
	}
	p.set(from, &h, transport, m)
	if transport == "framed" {
		m.SetBody(4+h.size, size-int64(h.size))
	}
	w := &p.side[from].walker
	w.begin(h.protocol, h.kind)
	if _, done, _ := w.walk(b[h.size:]); done || w.notes.seen {
		w.answer(m)
	}
	return span, nil
}

// sends tells whether a side sends messages of a type.
func sends(from dissector.Side, kind int) bool {
	return (from == dissector.Client) == (kind == call || kind == oneWay)
}

// set puts what a head says into a message.
func (p *parser) set(from dissector.Side, h *head, transport string, m *dissector.Message) {
	v := &m.Values
	service, method := split(h.name)
	dissector.Operation.Set(v, method)
	if from == dissector.Client {
		dissector.Summary.Set(v, h.name)
		Type.SetString(v, messageTypes[h.kind])
	} else {
		Reply.SetString(v, messageTypes[h.kind])
	}
	if len(service) > 0 {
		Service.Set(v, service)
	}
	SequenceID.Set(v, int64(int32(h.id)))
	Wire.SetString(v, protocols[h.protocol])
	s := &p.side[from]
	s.heard = true
	if transport != "" {
		Transport.SetString(v, transport)
	}
	if h.kind != oneWay {
		s.key = p.pairs.key(from, h.id, h.name, m)
	}
	pair(h.kind, s.key, m)
}

// answer says how a call was answered, which the walk has seen.
func (w *walker) answer(m *dissector.Message) {
	v, n := &m.Values, &w.notes
	switch {
	case w.kind == exception:
		dissector.Status.SetString(v, errorName(n.code))
		dissector.StatusCode.Set(v, n.code)
		dissector.Failed.Set(v, true)
	case w.kind != reply:
		return
	case n.seen && n.first > 0:
		dissector.Status.SetString(v, "exception "+strconv.Itoa(int(n.first)))
		dissector.Failed.Set(v, true)
		Declared.Set(v, int64(n.first))
	default:
		dissector.Status.SetString(v, "OK")
		dissector.Failed.Set(v, false)
	}
	if n.cut {
		n.text = append(n.text, "..."...)
	}
	if len(n.text) > 0 {
		Exception.Set(v, n.text)
	}
}
