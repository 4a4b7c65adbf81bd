package keylog

import (
	"bytes"
	"slices"
	"sync"
)

// Limits of a Table.
const (
	// MaxSessions is of how many sessions a table keeps the secrets, some 500 bytes each.
	MaxSessions = 256 << 10
	// maxAsked is how many randoms a table remembers that it was asked for.
	maxAsked = 64 << 10
)

// labels are the lines that a Table keeps: those that records are encrypted with.
var labels = [...]string{ClientRandom, ClientEarlyTraffic, ClientHandshake, ServerHandshake, ClientTraffic, ServerTraffic}

// Session is the secrets of one session.
type Session struct {
	Library string // that told them, if somebody says
	secrets [len(labels)][]byte
}

// Secret returns the secret of a label; nil when there is none.
func (s *Session) Secret(label string) []byte {
	for i, l := range labels {
		if l == label {
			return s.secrets[i]
		}
	}
	return nil
}

// Table finds the secrets of a session by the random of its client. It is filled while it is
// asked, by several goroutines: what comes after it was asked for makes it late.
type Table struct {
	of       *Table // that has the secrets; nil: this one
	mu       sync.Mutex
	sessions map[[RandomSize]byte]*known
	asked    map[[RandomSize]byte]struct{}
	stats    Stats
}

// known is a session of a table.
type known struct {
	Session
	used bool
}

// Stats say what a Table was given, and what became of it.
type Stats struct {
	Sessions int64 // whose secrets are kept
	Used     int64 // those that were asked for
	Dropped  int64 // secrets left out: there were too many sessions
	Bad      int64 // lines that are no secrets
	// Late says that secrets came after they were asked for: who asks again from the
	// beginning gets more.
	Late bool
}

// Add takes the lines of a key log.
func (t *Table) Add(data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Bad += int64(Parse(data, t.put))
}

// put takes a secret. The first of a label stands.
func (t *Table) put(s Secret) {
	for i, l := range labels {
		if l != s.Label {
			continue
		}
		x := t.sessions[s.Random]
		if x == nil {
			if len(t.sessions) >= MaxSessions {
				t.stats.Dropped++
				return
			}
			if t.sessions == nil {
				t.sessions = make(map[[RandomSize]byte]*known)
			}
			x = new(known)
			t.sessions[s.Random] = x
		}
		if x.secrets[i] != nil {
			return
		}
		_, asked := t.asked[s.Random]
		t.stats.Late = t.stats.Late || asked || len(t.asked) >= maxAsked
		x.secrets[i] = s.Secret
		if x.Library == "" {
			x.Library = s.Library
		}
	}
}

// Find returns the secrets of the session whose client's random is given; nil when there
// are none so far.
func (t *Table) Find(random [RandomSize]byte) *Session {
	if t.of != nil {
		return t.look(random)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(random)
	x := t.sessions[random]
	if x == nil {
		return nil
	}
	x.used = true
	s := x.Session // what comes later does not change what was found
	return &s
}

// note remembers what was asked for.
func (t *Table) note(random [RandomSize]byte) {
	if t.asked == nil {
		t.asked = make(map[[RandomSize]byte]struct{})
	}
	if len(t.asked) < maxAsked {
		t.asked[random] = struct{}{}
	}
}

// View returns a table of the same secrets, for some of those who ask: its Used and Asked tell
// of them alone, t's of all. Nothing is added to it. The view of nil is nil.
func (t *Table) View() *Table {
	if t == nil {
		return nil
	}
	return &Table{of: t, sessions: make(map[[RandomSize]byte]*known)}
}

// look is Find of a view.
func (t *Table) look(random [RandomSize]byte) *Session {
	s := t.of.Find(random)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(random)
	if s != nil {
		t.sessions[random] = &known{*s, true}
	}
	return s
}

// Asked tells whether anybody asked for secrets, there or not. Nobody asks nil.
func (t *Table) Asked() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.asked) > 0
}

// Stats returns what there is to say so far.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Sessions = int64(len(t.sessions))
	for _, x := range t.sessions {
		if x.used {
			s.Used++
		}
	}
	return s
}

// Used returns the randoms of the sessions that were asked for, in order.
func (t *Table) Used() [][RandomSize]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out [][RandomSize]byte
	for random, x := range t.sessions {
		if x.used {
			out = append(out, random)
		}
	}
	slices.SortFunc(out, func(a, b [RandomSize]byte) int { return bytes.Compare(a[:], b[:]) })
	return out
}

// Again forgets what was asked for, for who begins once more with all secrets at hand.
func (t *Table) Again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked, t.stats.Late = nil, false
	for _, x := range t.sessions {
		x.used = false
	}
}
