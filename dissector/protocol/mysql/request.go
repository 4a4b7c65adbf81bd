package mysql

import (
	"shark/dissector"
)

// directly is the statement id by which MariaDB's clients name the statement that
// they prepared last, before they know its id.
const directly = 1<<32 - 1

// command reads the first packet of a command.
func (p *parser) command(buf []byte, h header, m *dissector.Message) (int64, error) {
	if h.n == 0 || h.seq != 0 {
		return 0, errMalformed
	}
	limit := maxHead
	if m.Detail {
		limit = maxDetailHead
	}
	if head := headerSize + min(h.n, limit); len(buf) < head {
		m.Need = head
		return 0, dissector.ErrShort
	}
	payload := buf[headerSize : headerSize+min(h.n, limit)]
	cmd := payload[0]
	if commands[cmd] == "" {
		return 0, errMalformed
	}
	p.phase, p.upload = ready, false
	p.up = upstream{open: h.n == maxPacket, silent: silent(cmd)}
	if m.Open = p.up.open; p.up.silent {
		m.Role = dissector.OneWay
	}
	m.Notes = notes(cmd, 0)
	p.ask(cmd, payload[1:], len(payload) < h.n || m.Open, m)
	return int64(headerSize + h.n), nil
}

// ask sets the fields of a command of which b follows its first byte, not all of it
// if cut.
func (p *parser) ask(cmd byte, b []byte, cut bool, m *dissector.Message) {
	v, r := &m.Values, newReader(b)
	if cmd == comChangeUser {
		p.changeUser(r)
		p.describe(m, cmd)
		p.summariseLogin(m)
		return
	}
	p.describe(m, cmd)
	switch cmd {
	case comQuery:
		if !p.attributes(&r) {
			return
		}
		p.say(r.B, cut, m)
		if name := used(r.B); name != nil && !cut {
			p.choose(name)
		}
	case comStmtPrepare:
		p.say(b, cut, m)
		p.last = append(p.last[:0], Query.Get(v)...)
	case comStmtExecute, comStmtBulkExecute, comStmtFetch, comStmtReset, comStmtLongData, comStmtClose:
		p.statement(cmd, r.int(4), m)
	case comInitDB, comCreateDB, comDropDB:
		dissector.Summary.Set(v, clip(b, maxName))
		if cmd == comInitDB {
			Database.Set(v, clip(b, maxName))
			p.choose(b)
		}
	case comFieldList:
		dissector.Summary.Set(v, clip(r.cstring(), maxSummary))
	case comResetConnection:
		p.forget()
	}
}

// describe sets what every command has.
func (p *parser) describe(m *dissector.Message, cmd byte) {
	Command.SetString(&m.Values, commands[cmd])
	dissector.Operation.SetString(&m.Values, commands[cmd])
	p.setSession(m)
}

// say sets the text of a statement.
func (p *parser) say(sql []byte, cut bool, m *dissector.Message) {
	limit := maxQuery
	if m.Detail {
		limit = maxDetailHead
	}
	p.scrap = appendSQL(p.scrap[:0], sql, limit, cut)
	p.tell(p.scrap, m)
}

func (p *parser) tell(sql []byte, m *dissector.Message) {
	Query.Set(&m.Values, sql)
	p.line = appendLine(p.line[:0], sql, maxSummary)
	dissector.Summary.Set(&m.Values, p.line)
}

// statement sets the fields of a command on a prepared statement.
func (p *parser) statement(cmd byte, id uint64, m *dissector.Message) {
	StatementID.Set(&m.Values, int64(id))
	if text, ok := p.text(id); ok {
		p.tell(text, m)
	} else {
		m.Resumed = true // it was prepared out of sight, or too many were
	}
	if cmd == comStmtClose {
		p.close(id)
	}
}

// attributes passes over the attributes of a query (CLIENT_QUERY_ATTRIBUTES) and
// tells whether its text is at hand. Where the capabilities are unknown, the two
// bytes that say that there are none tell.
func (p *parser) attributes(r *reader) bool {
	if !p.known {
		if len(r.B) > 2 && r.B[0] == 0 && r.B[1] == 1 {
			r.Take(2)
		}
		return true
	}
	if p.caps&capQueryAttributes == 0 {
		return true
	}
	n := r.lenenc()
	r.lenenc() // sets of parameters: one
	if n == 0 || r.Bad {
		return !r.Bad
	}
	if n > maxHead {
		return false
	}
	null := r.TakeLong((n + 7) / 8)
	r.int(1) // their types follow
	types := make([]byte, 0, min(n, uint64(len(r.B)/3)))
	for i := uint64(0); i < n && !r.Bad; i++ {
		types = append(types, byte(r.int(2)))
		r.text() // the name
	}
	if r.Bad {
		return false
	}
	for i, t := range types {
		if null[i/8]>>(i%8)&1 == 0 {
			r.value(t)
		}
	}
	return !r.Bad
}

// value passes over a value as binary rows have it.
func (r *reader) value(kind byte) {
	switch kind {
	case 1: // TINY
		r.Take(1)
	case 2, 13: // SHORT, YEAR
		r.Take(2)
	case 3, 4, 9: // LONG, FLOAT, INT24
		r.Take(4)
	case 5, 8: // DOUBLE, LONGLONG
		r.Take(8)
	case 6: // NULL
	case 7, 10, 11, 12: // TIMESTAMP, DATE, TIME, DATETIME
		r.TakeLong(r.int(1))
	default:
		r.text()
	}
}
