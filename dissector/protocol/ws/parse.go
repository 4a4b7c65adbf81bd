package ws

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"shark/dissector"
	"shark/dissector/wire"
)

// parser reads one connection.
type parser struct {
	sides  [2]side
	pings  uint64 // so far
	closed bool   // a side has
}

// side is what one side has said so far.
type side struct {
	open  bool // a message goes on
	late  bool // after a loss, until a message begins
	msg   message
	aside *dissector.Message // what is open, while a control frame stands inside
	flate inflater
	pings []ping // that wait for the other side's pong, oldest first
}

// message is a message that is being read.
type message struct {
	opcode byte
	packed bool
	over   bool // longer than is inflated
	frames int64
	length int64
	data   []byte // its beginning, or all of it if it is packed
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.lose(from)
	}
	f, need, err := readFrame(buf)
	if err != nil {
		m.Need = need
		return 0, err
	}
	if f.masked != (from == dissector.Client) && (f.masked || p.sides[from].late) {
		return 0, errMask
	}
	if f.control() {
		return p.control(from, &f, buf, m)
	}
	return p.data(from, &f, buf, m)
}

// lose says that bytes of a side are missing: what it said before is out of reach, and
// its pongs may be missing.
func (p *parser) lose(from dissector.Side) {
	s := &p.sides[from]
	s.open, s.late, s.aside = false, true, nil
	s.flate.lose()
	p.sides[from.Other()].doubt()
}

// data reads a frame of a message.
func (p *parser) data(from dissector.Side, f *frame, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.sides[from]
	if s.open == (f.opcode != opContinuation) && !s.late {
		return 0, errInside
	}
	want := s.want(f)
	if len(buf)-f.size < want {
		m.Need = f.size + want
		return 0, dissector.ErrShort
	}
	if s.open && f.opcode == opContinuation {
		s.restore(m)
	} else {
		s.begin(f)
		m.Resumed = m.Resumed || f.opcode == opContinuation
		s.describe(from, f, m)
	}
	s.late, s.open = false, !f.fin
	s.add(f, buf[f.size:f.size+want])
	s.count(from, m)
	m.Role, m.Open = dissector.OneWay, !f.fin
	m.SetBody(f.size, f.length)
	if f.fin {
		s.finish(from, m)
	}
	return int64(f.size) + f.length, nil
}

// want returns how many bytes of a frame's payload are to be looked at.
func (s *side) want(f *frame) int {
	packed, have := f.packed, 0
	if s.open && f.opcode == opContinuation {
		packed, have = s.msg.packed && !s.msg.over, len(s.msg.data)
	}
	if packed {
		if int64(have)+f.length > maxPacked {
			return 0
		}
		return int(f.length)
	}
	return int(min(f.length, int64(max(0, maxData-have))))
}

// begin starts a message with its first frame.
func (s *side) begin(f *frame) {
	s.msg = message{opcode: f.opcode, packed: f.packed, data: s.msg.data[:0]}
}

// add takes a frame of the message, of which b is what is looked at.
func (s *side) add(f *frame, b []byte) {
	g := &s.msg
	g.frames++
	g.length += f.length
	g.over = g.over || g.packed && g.length > maxPacked
	if g.over {
		g.data = g.data[:0]
		return
	}
	g.data = f.unmask(g.data, b, 0)
}

// describe sets what a message's first frame says.
func (s *side) describe(from dissector.Side, f *frame, m *dissector.Message) {
	name := opcodes[s.msg.opcode]
	Opcode.SetString(&m.Values, name)
	dissector.Operation.SetString(&m.Values, name)
	setSide(from, f, m)
	if s.msg.packed {
		Compressed.Set(&m.Values, true)
	}
}

// setSide says who sent what begins with frame f.
func setSide(from dissector.Side, f *frame, m *dissector.Message) {
	if from == dissector.Server {
		Response.Set(&m.Values, true)
		return
	}
	Request.Set(&m.Values, true)
	if !f.masked {
		Unmasked.Set(&m.Values, true)
	}
}

func setLength(from dissector.Side, m *dissector.Message, n int64) {
	if from == dissector.Client {
		RequestLength.Set(&m.Values, n)
	} else {
		ResponseLength.Set(&m.Values, n)
	}
}

// count sets what grows with each frame.
func (s *side) count(from dissector.Side, m *dissector.Message) {
	setLength(from, m, s.msg.length)
	if s.msg.frames > 1 {
		Frames.Set(&m.Values, s.msg.frames)
	}
}

// finish sets what a whole message says.
func (s *side) finish(from dissector.Side, m *dissector.Message) {
	g := &s.msg
	begin, total := g.data, g.length
	if g.packed {
		if m.Detail {
			m.Ride = bytes.Clone(s.flate.dictionary())
		}
		out, n, why := s.flate.message(g.data, g.over)
		if why != "" {
			Unreadable.SetString(&m.Values, why)
			dissector.Summary.SetString(&m.Values, sized(g.length)+" compressed")
			s.msg.data = nil
			return
		}
		ContentLength.Set(&m.Values, n)
		begin, total = out, n
	}
	setData(from, m, begin, total)
	if cap(g.data) > maxWindow {
		g.data = nil
	}
}

// setData sets the beginning of what is said where it is text, without the secrets in it;
// n is the length of it all.
func setData(from dissector.Side, m *dissector.Message, begin []byte, n int64) {
	text := hideSecrets(shorten(begin, n, maxData))
	if len(text) == 0 || !printable(text) {
		dissector.Summary.SetString(&m.Values, sized(n))
		return
	}
	if from == dissector.Client {
		RequestData.Set(&m.Values, text)
	} else {
		ResponseData.Set(&m.Values, text)
	}
	dissector.Summary.Set(&m.Values, bytes.TrimSpace(firstLine(shorten(text, n, maxSummary))))
}

func sized(n int64) string { return strconv.FormatInt(n, 10) + " bytes" }

// shorten returns at most limit bytes of b, the beginning of n, and no part of a
// character at the cut.
func shorten(b []byte, n int64, limit int) []byte {
	b = b[:min(len(b), limit)]
	if int64(len(b)) == n {
		return b
	}
	return wire.Whole(b)
}

// firstLine returns b up to a line break.
func firstLine(b []byte) []byte {
	if i := bytes.IndexAny(b, "\r\n"); i > 0 {
		return b[:i]
	}
	return b
}

// printable tells whether b is text: UTF-8, with no control characters but those that
// stand in text and what ends a STOMP frame or colours a terminal.
func printable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for i, c := range b {
		switch {
		case c >= ' ' && c != 0x7f, c == '\t', c == '\n', c == '\r', c == 0x1b, c == 0 && i == len(b)-1:
		default:
			return false
		}
	}
	return true
}

// put keeps the open message in m aside and makes m an empty one, for the control frame
// inside it: the engine knows of one open message a side.
func (s *side) put(m *dissector.Message) {
	aside := *m
	s.aside = &aside
	var empty dissector.Message
	m.Values, m.Ride, m.Body, m.Raw = empty.Values, nil, nil, nil
	m.Size, m.BodySize, m.Lost, m.Notes = 0, 0, 0, 0
	m.Start, m.First, m.Resumed = m.End, m.Last, false
}

// restore makes m the open message that was kept aside, if one was.
func (s *side) restore(m *dissector.Message) {
	old := s.aside
	if old == nil {
		return
	}
	s.aside = nil
	m.Values.Merge(&old.Values)
	m.Start, m.First, m.Resumed = old.Start, old.First, old.Resumed
	m.Size, m.BodySize, m.Lost = old.Size, old.BodySize, old.Lost
	m.Body, m.Raw = old.Body, old.Raw
}
