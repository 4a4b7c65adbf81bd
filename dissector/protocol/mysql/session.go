package mysql

import (
	"slices"

	"shark/dissector"
)

// session is what commands change for those behind them.
type session struct {
	user, database []byte
	chosen         []byte // the database that a command not yet answered chooses
	choosing       bool
	blind          bool // bytes were lost that may have changed it

	statements []statement // in the order in which they were prepared
	kept       int         // bytes of their texts
	last       []byte      // text of the one asked for last
	line       []byte
}

// statement is a prepared statement.
type statement struct {
	id   uint32
	text []byte
}

// begin starts the session of a user.
func (s *session) begin(user, database []byte) {
	s.user = append(s.user[:0], clip(user, maxName)...)
	s.database = append(s.database[:0], clip(database, maxName)...)
	s.choosing, s.blind = false, false
	s.forget()
}

// lose forgets all that lost commands may have changed.
func (s *session) lose() {
	s.user, s.database, s.choosing, s.blind = s.user[:0], s.database[:0], false, true
	s.forget()
}

// loseAnswer forgets what a lost answer may have granted.
func (s *session) loseAnswer() {
	if s.choosing {
		s.database, s.choosing, s.blind = s.database[:0], false, true
	}
}

// setSession sets the fields that a command has from its session.
func (s *session) setSession(m *dissector.Message) {
	if len(s.user) > 0 {
		User.Set(&m.Values, s.user)
	}
	if len(s.database) > 0 {
		Database.Set(&m.Values, s.database)
	}
	m.Resumed = m.Resumed || s.blind
}

// choose notes the database that the server is asked to use.
func (s *session) choose(name []byte) {
	s.chosen, s.choosing = append(s.chosen[:0], clip(name, maxName)...), true
}

// chose is told whether it does.
func (s *session) chose(ok bool) {
	if s.choosing && ok {
		s.database = append(s.database[:0], s.chosen...)
	}
	s.choosing = false
}

// prepared keeps the text of a statement, and drops the oldest ones for it.
func (s *session) prepared(id uint32, text []byte) {
	s.close(uint64(id))
	s.statements = append(s.statements, statement{id, slices.Clone(text)})
	s.kept += len(text)
	drop := 0
	for ; s.kept > maxPrepared || len(s.statements)-drop > maxStatements; drop++ {
		s.kept -= len(s.statements[drop].text)
	}
	s.statements = slices.Delete(s.statements, 0, drop)
}

func (s *session) find(id uint64) int {
	return slices.IndexFunc(s.statements, func(x statement) bool { return uint64(x.id) == id })
}

// text returns the text of a prepared statement.
func (s *session) text(id uint64) ([]byte, bool) {
	if id == directly {
		return s.last, len(s.last) > 0
	}
	if i := s.find(id); i >= 0 {
		return s.statements[i].text, true
	}
	return nil, false
}

// close forgets a statement.
func (s *session) close(id uint64) {
	if i := s.find(id); i >= 0 {
		s.kept -= len(s.statements[i].text)
		s.statements = slices.Delete(s.statements, i, i+1)
	}
}

// forget drops all statements.
func (s *session) forget() {
	clear(s.statements)
	s.statements, s.kept, s.last = s.statements[:0], 0, s.last[:0]
}
