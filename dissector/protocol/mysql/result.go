package mysql

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"shark/dissector"
)

// ok reads an OK packet: a statement is done that has no rows.
func (p *parser) ok(b []byte, m *dissector.Message) verdict {
	d, r := &p.down, newReader(b[1:])
	changed := r.lenenc()
	insert := r.lenenc()
	status := uint16(r.int(2))
	r.int(2) // warnings
	if changed > 1<<62 {
		return wrong
	}
	d.done, d.changed = true, d.changed+int64(changed)
	if insert != 0 {
		d.insert = insert
	}
	if p.known && p.caps&capSessionTrack != 0 && status&statusStateChanged != 0 {
		r.text() // what a person may want to read
		p.track(newReader(r.text()))
	}
	return p.ended(status, m)
}

// track reads what the statement changed of the session: its database, if it did.
func (p *parser) track(r reader) {
	const schema = 1 // SESSION_TRACK_SCHEMA
	for len(r.B) > 0 {
		kind := r.int(1)
		change := newReader(r.text())
		if name := change.text(); kind == schema && !change.Bad {
			p.choose(name)
		}
	}
}

// likePrepared tells whether a packet that answers an unknown command looks like
// COM_STMT_PREPARE_OK more than like OK.
func likePrepared(b []byte) bool {
	return len(b) == 12 && b[9] == 0 && binary.LittleEndian.Uint32(b[1:]) > 0 && b[4] == 0
}

// prepareOK reads COM_STMT_PREPARE_OK.
func (p *parser) prepareOK(b []byte, m *dissector.Message) verdict {
	d, r := &p.down, newReader(b[1:])
	id := uint32(r.int(4))
	columns, parameters := int(r.int(2)), int(r.int(2))
	r.int(1 + 2) // filler, warnings
	if r.Bad {
		return wrong
	}
	if p.known && p.caps&capOptionalMetadata != 0 && len(r.B) > 0 && r.B[0] == 0 {
		columns, parameters = 0, 0
	}
	StatementID.Set(&m.Values, int64(id))
	if peer := m.Peer(); peer != nil && d.asked {
		p.prepared(id, clip(Query.Get(&peer.Values), maxQuery+len("...***")))
	}
	d.cmd, d.stage, d.left, d.behind = comStmtPrepare, definitions, parameters, columns
	if parameters == 0 {
		return p.nextGroup(m)
	}
	return goesOn
}

// nextGroup goes on behind the definitions of a prepared statement's parameters to
// those of its columns, and behind these to the end.
func (p *parser) nextGroup(m *dissector.Message) verdict {
	d := &p.down
	if d.behind == 0 {
		d.stray = p.eof == eofUnknown
		return p.succeed(m, "OK")
	}
	d.left, d.behind, d.stage = d.behind, 0, definitions
	return goesOn
}

// succeed sets the fields of an answer that ends well.
func (p *parser) succeed(m *dissector.Message, status string) verdict {
	v := &m.Values
	p.counts(m)
	dissector.Status.SetString(v, status)
	dissector.Failed.Set(v, false)
	p.chose(true)
	return ends
}

// countRows sets how large the results are, as far as they were seen.
func (p *parser) countRows(m *dissector.Message) {
	d := &p.down
	if d.sets > 0 {
		Columns.Set(&m.Values, int64(d.columns))
	}
	if d.sets > 0 || d.stage == rows && d.cmd == comStmtFetch {
		Rows.Set(&m.Values, d.rows)
	}
}

// counts sets what the statements did.
func (p *parser) counts(m *dissector.Message) {
	p.countRows(m)
	d, v := &p.down, &m.Values
	if d.done && (!d.asked || counted(d.cmd)) {
		AffectedRows.Set(v, d.changed)
		if d.insert != 0 && d.insert < 1<<63 {
			InsertID.Set(v, int64(d.insert))
		}
	}
}

// counted tells whether a command may change rows.
func counted(cmd byte) bool {
	return cmd == comQuery || cmd == comStmtExecute || cmd == comStmtBulkExecute
}

// progress is the error code by which MariaDB tells how far it is.
const progress = 0xffff

// fail reads an ERR packet: code, SQLSTATE behind a # since 4.1, and text.
func (p *parser) fail(b []byte, m *dissector.Message) verdict {
	r := newReader(b[1:])
	code := r.int(2)
	if r.Bad {
		return wrong
	}
	if code == progress {
		return goesOn
	}
	if p.phase == deciding || p.phase == greeted || p.phase == unseen && !p.down.asked {
		p.refused(m)
	}
	v := &m.Values
	state := []byte(nil)
	if len(r.B) >= 6 && r.B[0] == '#' {
		state = r.Take(6)[1:]
	}
	p.counts(m)
	ErrorCode.Set(v, int64(code))
	dissector.StatusCode.Set(v, int64(code))
	dissector.Failed.Set(v, true)
	p.scrap = fmt.Appendf(p.scrap[:0], "ERROR %d", code)
	if state != nil && utf8.Valid(state) {
		SQLState.Set(v, state)
		p.scrap = fmt.Appendf(p.scrap, " (%s)", state)
	}
	dissector.Status.Set(v, p.scrap)
	if peer := m.Peer(); peer != nil {
		r.B = secrets.Discreet(r.B, Query.Get(&peer.Values))
	}
	p.scrap = appendText(p.scrap[:0], r.B, maxText, false)
	ErrorMessage.Set(v, p.scrap)
	p.chose(false)
	return ends
}

// refused ends a login. Where the server refuses before it is asked, the answer
// itself says what it answers.
func (p *parser) refused(m *dissector.Message) {
	first := p.down.seq == 1 || !m.Joined // else it may answer a command that was not seen
	if p.phase = ready; !p.down.asked && m.Gap == 0 && first {
		Command.SetString(&m.Values, commands[comConnect])
		dissector.Operation.SetString(&m.Values, commands[comConnect])
	}
}
