package tds

import (
	"shark/dissector"
)

// session is what is known of the session.
type session struct {
	user, database []byte
	known          bool // the version is
	old            bool // it is before 7.2: shorter counts
	older          bool // it is 7.0: no collations
	unsure         bool // bytes were lost that may have changed the database
	nobody         bool // such that may have said who the user is
	statements     statements
}

// doubt notes that a message was lost.
func (s *session) doubt() {
	s.unsure, s.database = true, s.database[:0]
	s.nobody = s.nobody || len(s.user) == 0
}

// setSession sets the fields that a request has from its session.
func (s *session) setSession(m *dissector.Message) {
	if len(s.user) > 0 {
		User.Set(&m.Values, s.user)
	}
	if len(s.database) > 0 {
		Database.Set(&m.Values, s.database)
	}
	m.Resumed = m.Resumed || s.unsure || s.nobody
}

// setVersion takes the version, as LOGIN7 has it.
func (s *session) setVersion(version uint32) {
	s.known, s.old, s.older = true, version>>24 < 0x72, version>>24 < 0x71
}

// versions names the versions by their first byte.
var versions = map[byte]string{0x70: "7.0", 0x71: "7.1", 0x72: "7.2", 0x73: "7.3", 0x74: "7.4"}

// statements are the prepared statements whose text is known, by number.
type statements struct {
	texts map[int64][]byte
	order []int64 // oldest first
	held  int     // bytes of the texts
}

// add keeps the text of a statement, and drops the oldest ones for it.
func (s *statements) add(handle int64, text []byte) {
	if old, ok := s.texts[handle]; ok {
		s.held -= len(old)
	} else {
		s.order = append(s.order, handle)
	}
	s.held += len(text)
	s.texts[handle] = append([]byte(nil), text...)
	drop := 0
	for ; s.held > maxHeld || len(s.order)-drop > maxStatements; drop++ {
		s.held -= len(s.texts[s.order[drop]])
		delete(s.texts, s.order[drop])
	}
	s.order = s.order[:copy(s.order, s.order[drop:])]
}
