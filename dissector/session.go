package dissector

import (
	"slices"

	"shark/dissector/stream"
)

// Sealed is what the parser of a datagram tells of the encrypted session that its packets are
// of, such as a connection of QUIC.
type Sealed struct {
	Session  uint64     // which of the conversation's; that of a later one is higher
	Protocol string     // that the sides agreed to speak in it; empty as long as that is not known
	Streams  []byte     // what the datagram says in it, as whole records that the protocol's parser reads; good until the next datagram
	Held     int        // bytes that the parser keeps, of what came out of order
	Proven   int64      // packets that could be opened so far
	Why      Unreadable // why it cannot be read, or not all of it; empty: it can
	Library  string     // that told the secrets, if somebody says
}

// session is what is said in an encrypted session of datagrams: a talk of its own, in streams.
type session struct {
	id   uint64
	talk *talk
	off  [2]int64 // bytes so far
	held int
}

// unseal takes what a datagram says in an encrypted session. Its place is that of the datagram.
func (t *talk) unseal(d int, x *Sealed, at stream.At) {
	secured := t.c.secure()
	secured.proven, secured.why, secured.library = x.Proven, x.Why, x.Library
	i := slices.IndexFunc(t.sessions, func(s *session) bool { return s.id == x.Session })
	if i >= 0 {
		t.sessions[i].held = x.Held
	}
	proto := t.c.p.byName[x.Protocol]
	if len(x.Streams) == 0 || proto == nil || proto.New == nil {
		return
	}
	if i < 0 {
		if x.Session <= t.ended { // what it said before is forgotten
			return
		}
		if len(t.sessions) >= MaxSessions {
			t.endSession(t.sessions[0], false)
			t.ended = max(t.ended, t.sessions[0].id)
			t.c.p.recycleTalk(t.sessions[0].talk)
			t.sessions = slices.Delete(t.sessions, 0, 1)
		}
		i = len(t.sessions)
		t.sessions = append(t.sessions, t.session(x, proto))
	}
	s := t.sessions[i]
	s.held = x.Held
	off := s.off[d]
	s.off[d] += int64(len(x.Streams))
	s.talk.take(d, off, x.Streams, at)
	if len(s.talk.side[d].buf) == 0 { // what the other side waits for may have come
		s.retry(d ^ 1)
	}
}

// retry reads what a side said that its parser asked for more of.
func (s *session) retry(d int) {
	s.talk.side[d].need = 0
	s.talk.rework(d)
}

// session begins the talk inside a session.
func (t *talk) session(x *Sealed, proto *Protocol) *session {
	inner := t.c.p.streamTalk(t.c)
	inner.role, inner.transport = t.role, QUIC
	inner.begins(proto)
	return &session{id: x.Session, talk: inner, held: x.Held}
}

// closeSessions ends what is said in the sessions of datagrams.
func (t *talk) closeSessions(evicted bool) {
	for _, s := range t.sessions {
		t.endSession(s, evicted)
	}
}

// endSession ends what is said in a session: what its parser waited for will not come.
func (t *talk) endSession(s *session, evicted bool) {
	s.talk.final = true
	client := max(0, int(s.talk.client()))
	s.retry(client)
	s.retry(client ^ 1)
	s.talk.close(evicted)
}

// recycleSessions lets go of the sessions, which were closed.
func (t *talk) recycleSessions(p *partition) {
	for _, s := range t.sessions {
		p.recycleTalk(s.talk)
	}
}

// sessionSize is roughly how many bytes a session holds on to, besides those that wait.
const sessionSize = 3000

// sessionsHold is how many bytes the sessions keep.
func (t *talk) sessionsHold() (n int) {
	for _, s := range t.sessions {
		n += sessionSize + s.held + s.talk.footprint()
	}
	return n
}
