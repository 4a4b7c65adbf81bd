package redis

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// parser reads one connection.
type parser struct {
	side    [2]progress
	line    line
	command // of the client
	reply   // of the server
	quiet
	subscriptions
	sessions bool // a command was seen that begins a subscription or makes a replica
}

// progress is where a side stands in its message.
type progress struct {
	open  bool // some pieces of the message were read already
	role  dissector.Role
	count int64 // elements taken, the outermost aggregate not counted
	nest  nest
}

// line is an inline command whose end is not there yet.
type line struct {
	seen int   // bytes of it that were looked at: they come again with each try
	gap  int64 // what was lost before it
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.side[from]
	if from == dissector.Client && m.Gap != p.line.gap { // what waited is gone
		p.line = line{gap: m.Gap}
	}
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
			p.command.reset(m.Detail)
		} else {
			p.reply.reset()
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
func (p *parser) scan(s *progress, from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	for pos := int64(0); ; {
		if from == dissector.Client && s.count >= 0 || from == dissector.Server && p.reply.kind != 0 {
			pos = p.texts(s, from, buf, pos)
			if s.nest.depth == 0 {
				return pos, p.end(s, from, m)
			}
		}
		e, need := read(buf, int(pos))
		switch {
		case need == malformed:
			return 0, errMalformed
		case need > 0 && (pos == 0 || !s.open && pos < maxAtomic):
			m.Need = need
			return 0, dissector.ErrShort
		case need > 0:
			p.piece(s, from, m)
			return pos, nil
		}
		if from == dissector.Server {
			p.note(&e, s.nest.depth)
		} else if !p.argument(&e, s.count) {
			return 0, errMalformed
		}
		if !s.nest.take(e.kind, e.n) {
			return 0, errMalformed
		}
		s.count++
		pos = e.next
		if s.nest.depth == 0 {
			if s.count == 0 && (e.kind == '$' || e.kind == '=' || e.kind == '!') && e.n >= 0 {
				m.SetBody(int(e.body()), e.n)
			}
			return pos, p.end(s, from, m)
		}
		if pos > int64(len(buf)) {
			p.piece(s, from, m)
			return pos, nil
		}
	}
}

// texts takes the strings at pos that are all at hand, up to the end of the message or
// to something else, and returns the offset behind them.
func (p *parser) texts(s *progress, side dissector.Side, buf []byte, pos int64) int64 {
	for s.nest.depth > 0 {
		n := int64(0)
		for n < s.nest.left {
			from, to := wholeText(buf, int(pos))
			if to == 0 {
				break
			}
			if side == dissector.Client {
				p.add(buf[from:to], int64(to-from))
			} else if p.named {
				p.noteText(buf[from:to])
			}
			pos = int64(to) + 2
			n++
		}
		if n == 0 {
			break
		}
		s.count += n
		s.nest.drop(n)
	}
	return pos
}

// piece ends a piece of a message that goes on.
func (p *parser) piece(s *progress, from dissector.Side, m *dissector.Message) {
	m.Open = true
	if !s.open {
		s.open = true
		if from == dissector.Client {
			s.role = p.request(m)
		} else {
			s.role = p.early(m)
		}
	}
	m.Role = s.role
}

// end is called when a message is complete.
func (p *parser) end(s *progress, from dissector.Side, m *dissector.Message) error {
	first := !s.open
	s.open = false
	switch {
	case from == dissector.Client && s.count == 0: // "*0", which Redis passes over
		m.Skip = true
	case from == dissector.Client && first:
		m.Role = p.request(m)
	case from == dissector.Client:
		m.Role = s.role
		p.command.set(m)
	case first:
		var err error
		m.Role, err = p.answer(m)
		return err
	case s.role == dissector.OneWay:
		m.Role = s.role
	default:
		m.Role = s.role
		p.reply.set(m)
	}
	return nil
}

// inline reads a command that is a line of words.
func (p *parser) inline(buf []byte, m *dissector.Message) (int64, error) {
	seen := min(p.line.seen, len(buf))
	p.line.seen = 0
	fresh := buf[seen:]
	eol := bytes.IndexByte(fresh[:min(len(fresh), maxLine-seen)], '\n')
	if eol < 0 {
		if len(buf) >= maxLine || !printable(fresh) {
			return 0, errMalformed
		}
		p.line.seen = len(buf)
		m.Need = len(buf) + 1
		return 0, dissector.ErrShort
	}
	eol += seen
	line := bytes.TrimRight(buf[:eol], "\r ")
	if !printable(line) {
		return 0, errMalformed
	}
	c := &p.command
	c.reset(m.Detail)
	add := func(word []byte) { c.add(word, int64(len(word))) }
	// Without quotes, what was meant as one word may be several.
	if c.exact = bytes.ContainsAny(line, "\"'") && inQuotes(line, nil); c.exact {
		inQuotes(line, add)
	} else {
		for word := range bytes.FieldsSeq(line) {
			add(word)
		}
	}
	if c.args == 0 {
		m.Skip = true
	} else {
		m.Role = p.request(m)
	}
	return int64(eol + 1), nil
}

// printable tells whether b may be of an inline command.
func printable(b []byte) bool { return wire.Printable(b, "\t\r") }
