package redis

import (
	"bytes"

	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	side [2]scan
	quiet
	subscriptions
}

// scan is where a side stands in its message, and what was seen of it.
type scan struct {
	open  bool // some pieces of the message were read already
	role  dissector.Role
	nest  nest
	count int64 // elements taken, the outermost aggregate not counted

	command // client
	reply   // server
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.side[from]
	if m.Gap > 0 {
		s.open = false
		if from == dissector.Server {
			p.unsure, p.answers = true, 0
		}
	}
	if len(buf) == 0 {
		return 0, dissector.ErrShort
	}
	if !s.open {
		if buf[0] == '\n' || buf[0] == '\r' && from == dissector.Client {
			return blank(buf, m)
		}
		if from == dissector.Client && buf[0] != '*' {
			return p.inline(buf, m)
		}
		s.nest.start()
		s.count, s.role = -1, dissector.BySide
		if from == dissector.Client {
			s.command.reset(m.Detail)
		} else {
			s.reply.reset()
		}
	}
	span, err := p.scan(s, from, buf, m)
	if err != nil && err != dissector.ErrShort {
		s.open = false
	}
	return span, err
}

// blank skips an empty line: clients may send one, and a master that prepares a
// snapshot sends them to its replica.
func blank(buf []byte, m *dissector.Message) (int64, error) {
	m.Skip = true
	if buf[0] == '\n' {
		return 1, nil
	}
	if len(buf) < 2 {
		return 0, dissector.ErrShort
	}
	if buf[1] != '\n' {
		return 0, errMalformed
	}
	return 2, nil
}

// scan reads on in a message. One that is not all there is waited for when it is
// short so far, and else taken piece by piece.
func (p *parser) scan(s *scan, from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	pos := int64(0)
	for {
		var e element
		need, err := int(pos)+1, dissector.ErrShort
		if pos < int64(len(buf)) {
			e, need, err = read(buf, int(pos))
		}
		if err == dissector.ErrShort && (pos == 0 || !s.open && pos < maxAtomic) {
			m.Need = need
			return 0, err
		}
		if err == dissector.ErrShort {
			p.piece(s, from, m)
			return pos, nil
		}
		if err != nil {
			return 0, err
		}
		if from == dissector.Server {
			s.note(e, s.nest.depth)
		} else if !s.argument(e, s.count) {
			return 0, errMalformed
		}
		if !s.nest.take(e) {
			return 0, errMalformed
		}
		s.count++
		pos = e.next
		if s.nest.depth == 0 {
			if s.count == 0 && (e.kind == '$' || e.kind == '=' || e.kind == '!') && e.n >= 0 {
				m.SetBody(int(e.body), e.n)
			}
			return pos, p.end(s, from, m)
		}
		if pos > int64(len(buf)) {
			p.piece(s, from, m)
			return pos, nil
		}
	}
}

// piece ends a piece of a message that goes on.
func (p *parser) piece(s *scan, from dissector.Side, m *dissector.Message) {
	m.Open = true
	if !s.open {
		s.open = true
		if from == dissector.Client {
			s.role = p.request(&s.command, m)
		} else {
			s.role = p.early(&s.reply, m)
		}
	}
	m.Role = s.role
}

// end is called when a message is complete.
func (p *parser) end(s *scan, from dissector.Side, m *dissector.Message) error {
	first := !s.open
	s.open = false
	switch {
	case from == dissector.Client && s.count == 0: // "*0", which Redis passes over
		m.Skip = true
	case from == dissector.Client && first:
		m.Role = p.request(&s.command, m)
	case from == dissector.Client:
		m.Role = s.role
		s.command.set(m)
	case first:
		var err error
		m.Role, err = p.answer(&s.reply, m)
		return err
	case s.role == dissector.OneWay:
		m.Role = s.role
	default:
		m.Role = s.role
		s.reply.set(m)
	}
	return nil
}

// inline reads a command that is a line of words.
func (p *parser) inline(buf []byte, m *dissector.Message) (int64, error) {
	eol := bytes.IndexByte(buf[:min(len(buf), maxLine)], '\n')
	if eol < 0 {
		if len(buf) >= maxLine || !printable(buf) {
			return 0, errMalformed
		}
		m.Need = len(buf) + 1
		return 0, dissector.ErrShort
	}
	line := bytes.TrimRight(buf[:eol], "\r ")
	if !printable(line) {
		return 0, errMalformed
	}
	c := &p.side[dissector.Client].command
	c.reset(m.Detail)
	for word := range bytes.FieldsSeq(line) {
		c.add(word, int64(len(word)))
	}
	if c.args == 0 {
		m.Skip = true
	} else {
		m.Role = p.request(c, m)
	}
	return int64(eol + 1), nil
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return true
}
