package dissector

import (
	"shark/dissector/stream"
)

// talk is the application side of one connection: it finds the protocol, cuts
// each side's bytes into messages and hands them to the pairing.
type talk struct {
	c         *conn
	proto     *Protocol // nil until it is known
	parse     Parse
	riders    []*Protocol // of proto
	role      [2]Side     // of each direction
	side      *[2]side
	probes    [2]int // of each direction's bytes without success
	fresh     bool   // what is spoken was agreed on, and nothing of it was read yet
	dead      bool   // nothing more can be read
	joined    bool   // the connection was joined in its middle
	said      bool   // something of it became an entry, or is about to
	final     bool   // what its sides said is all there
	pairs     pairing
	transport Transport  // of the connection, or QUIC
	sessions  []*session // that datagrams are encrypted in
	ended     uint64     // the last of those that were let go of

	before  protocolBefore // what was spoken before the sides agreed to encrypt
	tunnel  *tunnel        // what both sides say now; nil: they are read as they are
	carrier *tunnel        // that hands in the bytes; nil: they are those of the connection
}

// side is one direction's bytes on their way to become messages. Datagrams are messages
// as they are: talks of them all have one empty pair of sides.
type side struct {
	inbox        // bytes that the parser or the probes still want to see
	need   int   // length of buf from which on parsing is worth a try
	piece  piece // what is being passed over
	cur    *Message
	gap    int64 // bytes missing right before buf
	lost   bool  // where messages begin is unknown
	base   int64 // offset of buf in the side's stream
	ended  bool
	hold   *exchange // an upgrade was asked for: nothing is parsed until it is answered
	holed  bool      // bytes were lost right before buf, before the protocol was known
	unread stream.At // where the last bytes came that made no sense before the protocol was known; packet 0: all did
}

// Data takes the next bytes of a side in order.
func (t *talk) Data(d int, off int64, b []byte, at stream.At) {
	t.c.unique += int64(len(b))
	tap, clear := t.c.p.tap, t.c.p.opts.TapClear
	if tap != nil && !clear {
		tap.Data(t.c.id, d, off, b, at)
	}
	t.take(d, off, b, at)
	if tap != nil && clear && (t.proto == nil || t.proto.Open == nil) {
		tap.Data(t.c.id, d, off, b, at)
	}
}

// take takes the next bytes of a side, off being the offset of the first one.
func (t *talk) take(d int, off int64, b []byte, at stream.At) {
	if t.dead {
		return
	}
	if t.tunnel != nil {
		t.tunnel.side[d].end = off + int64(len(b))
		t.tunnel.data(d, b, at)
		t.tunnel.leave()
		return
	}
	s := &t.side[d]
	if s.piece.active {
		n := t.pass(d, b, at)
		b, off = b[n:], off+int64(n)
	}
	if len(b) == 0 || t.dead {
		return
	}
	if len(s.buf) == 0 {
		s.base = off
	}
	data := s.add(b, at)
	t.keep(d, data, t.work(d, data, 0))
	t.pairs.lastData = at.Time
}

// keep holds back what work left of data.
func (t *talk) keep(d int, data []byte, used int) {
	s := &t.side[d]
	if t.dead || used >= len(data) {
		s.drop(t.c.p)
		return
	}
	s.base += int64(used)
	s.inbox.keep(t.c.p, data, used)
}

// work reads what it can from data, which begins at s.buf's first byte and of
// which the first used bytes are done with, and returns how much is done with then.
func (t *talk) work(d int, data []byte, used int) int {
	s := &t.side[d]
	for used < len(data) && !t.dead {
		if t.tunnel != nil {
			t.tunnel.feed(d, &s.inbox, data, used)
			return len(data)
		}
		if t.proto == nil {
			return t.detect(d, data, used)
		}
		if s.holed {
			t.foundHole(d, used)
		}
		if s.lost {
			n, found := t.resync(d, data, used)
			used += n
			if !found {
				return used
			}
		}
		if len(data)-used < s.need || s.hold != nil {
			return t.waitOrDrop(d, data, used)
		}
		n, more := t.step(d, data, used)
		used += n
		if more {
			return t.waitOrDrop(d, data, used)
		}
	}
	return used
}

// waitOrDrop leaves the rest of data for later, unless it has grown too large.
func (t *talk) waitOrDrop(d int, data []byte, used int) int {
	if len(data)-used <= MaxUnparsed {
		return used
	}
	t.side[d].hold = nil
	t.lose(d, int64(len(data)-used))
	return len(data)
}

// step parses one piece at data[used:] and returns how many bytes of it are done
// with; more says that the parser waits for more bytes.
func (t *talk) step(d int, data []byte, used int) (n int, more bool) {
	s := &t.side[d]
	buf := data[used:]
	begin := s.place(used)
	m := s.cur
	if m == nil {
		m = t.newMessage(d, begin)
		m.offset = s.base + int64(used)
	} else {
		m.Role, m.Open, m.Skip, m.Cancel, m.Remark, m.Again, m.Need, m.bodyFrom, m.bodyLen = BySide, false, false, false, false, false, 0, 0, 0
	}
	m.Gap = s.gap
	span, err := t.parse(t.role[d], buf, m)
	if err == ErrShort && len(buf) < MaxUnparsed && m.Need <= MaxUnparsed {
		s.need = max(m.Need, len(buf)+1)
		if s.cur == nil {
			t.c.p.free(m)
		}
		return 0, true
	}
	if err != nil || span <= 0 {
		if s.cur == nil {
			t.c.p.free(m)
		}
		if t.fresh && s.cur == nil && s.gap == 0 && t.other(d, buf) {
			t.change(Unknown)
			return 0, false
		}
		t.c.p.report.ParseErrors++
		return t.stumble(d, data, used), false
	}
	s.need, s.gap, t.fresh = 0, 0, false
	m.settle()
	again := m.Again && span <= int64(len(buf))
	t.begin(d, m, span, begin)
	at := s.latest(used, used+int(min(span, int64(len(buf)))))
	if span <= int64(len(buf)) { // the usual case: the piece is whole
		s.piece.pass(buf[:span], at)
		t.endPiece(d)
		if again {
			return 0, false
		}
		return int(span), false
	}
	s.piece.pass(buf, at)
	return len(buf), false
}

// other tells whether bytes that are not of the protocol agreed on are surely of another
// one, such as those of a session that goes on in TLS and was decrypted.
func (t *talk) other(d int, b []byte) bool {
	p, _, _ := t.c.p.detect(t.c, d, b, t.hint())
	return p != nil && p != t.proto
}

// stumble handles bytes that do not parse: the search for the next message
// begins one byte further on.
func (t *talk) stumble(d int, data []byte, used int) int {
	t.lose(d, 0)
	if t.tunnel != nil {
		return 1
	}
	s := &t.side[d]
	s.gap++
	n, found := t.scan(d, data[used+1:])
	if !found {
		n = len(data) - used - 1
	}
	s.gap += int64(n)
	s.lost = !found
	return n + 1
}

// detect looks for the protocol where a side, or what follows another protocol,
// begins: at the front of data or, failing that, where a later segment in it does,
// such as behind the byte of a keep-alive.
func (t *talk) detect(d int, data []byte, used int) int {
	s := &t.side[d]
	for used < len(data) {
		p, role, more := t.c.p.detect(t.c, d, data[used:], t.hint())
		switch {
		case p != nil && !t.astray(d, role, p):
			t.speak(p, d, role)
			return t.startAll(d, data, used)
		case more && len(data)-used < MaxProbe:
			return used
		}
		t.c.middle(data[used:])
		next := s.segmentAfter(used, len(data))
		t.ignore(d, used, next)
		used = next
	}
	if t.probes[d]++; t.probes[d] >= MaxProbes && (t.probes[d^1] >= MaxProbes || !t.c.tcp.order.Started(d^1)) {
		t.dead = true
	}
	return used
}

// astray tells whether bytes are taken for what the other side of the handshake says: then they
// are something else.
func (t *talk) astray(d int, role Side, p *Protocol) bool {
	if t.c.tcp == nil || p.Peers {
		return false
	}
	client, ok := t.c.tcp.health.Client()
	return ok && (client == d) != (role == Client)
}

// speak settles what is spoken, and by whom.
func (t *talk) speak(p *Protocol, d int, role Side) {
	t.begins(p)
	t.role[d], t.role[d^1] = role, role.Other()
	t.recall()
	for i := range t.side {
		s := &t.side[i]
		s.need = 0
		s.lost = s.gap > 0 || len(s.buf) > 0 && p.Probe(s.buf) == No
	}
	t.side[d].lost = false
}

// begins makes p what both sides speak.
func (t *talk) begins(p *Protocol) {
	t.proto, t.parse, t.riders = p, p.New(t.transport), t.c.p.riders[p]
	t.c.speaks(p)
}

// startAll parses what both sides have said so far, the client first. data is
// side d's; it returns how much of it is done with.
func (t *talk) startAll(d int, data []byte, used int) int {
	if t.role[d] == Client {
		used = t.work(d, data, used)
		t.rework(d ^ 1)
		return used
	}
	t.rework(d ^ 1)
	return t.work(d, data, used)
}

// rework parses what a side has in store.
func (t *talk) rework(d int) {
	s := &t.side[d]
	if len(s.buf) == 0 || s.piece.active || t.dead {
		return
	}
	data := s.buf
	t.keep(d, data, t.work(d, data, 0))
}

// client is the direction of the client, -1 when it is not known.
func (t *talk) client() int8 {
	switch {
	case t == nil || t.proto == nil:
		return -1
	case t.role[0] == Client:
		return 0
	}
	return 1
}

// change hands both sides to another protocol from here on.
func (t *talk) change(next string) {
	for i := range t.side {
		s := &t.side[i]
		s.hold, s.need, s.cur = nil, 0, nil
	}
	t.probes, t.fresh = [2]int{}, false
	switch p := t.c.p.byName[next]; {
	case next == Unknown:
		t.proto, t.parse, t.riders = nil, nil, nil
	case p != nil && p.New != nil:
		t.before = protocolBefore{}
		if p.Open != nil {
			t.before = protocolBefore{t.proto, t.parse}
		}
		t.begins(p)
		t.fresh = true
	default:
		t.dead = true
	}
}

// End says that a side said its last word.
func (t *talk) End(d int, at stream.At) {
	if t.c.p.tap != nil {
		t.c.p.tap.End(t.c.id, d, at)
	}
	t.end(d)
}

// end is End of what may be a stream in another.
func (t *talk) end(d int) {
	s := &t.side[d]
	s.ended = true
	t.unhold(d)
	if !t.dead {
		t.cut(d, s.piece.active && s.piece.span == UntilClose)
	}
	if t.tunnel != nil {
		t.tunnel.end(d)
	}
}

// unhold parses what waited for the answer to an upgrade that will not come.
func (t *talk) unhold(d int) {
	if t.side[d].hold != nil {
		t.side[d].hold = nil
		t.rework(d)
	}
}

// cut ends a side's open messages; whole says that ending was their way to be
// complete.
func (t *talk) cut(d int, whole bool) {
	s := &t.side[d]
	m := s.cur
	if m == nil && s.piece.active {
		m = s.piece.m
	}
	s.piece, s.cur, s.need = piece{}, nil, 0
	if m != nil && !m.Skip {
		m.Truncated = m.Truncated || !whole
		t.finish(d, m)
	}
}

// close ends the talk: whatever is incomplete becomes an entry as it is.
func (t *talk) close(evicted bool) {
	for d := range t.side {
		if !t.side[d].ended {
			t.unhold(d)
			t.cut(d, t.side[d].piece.active && t.side[d].piece.span == UntilClose)
		}
	}
	if t.tunnel != nil {
		t.tunnel.close(evicted)
	}
	t.closeSessions(evicted)
	t.pairs.drain(t, evicted)
}
