package dissector

import (
	"math"
	"slices"

	"shark/dissector/stream"
)

// anywhere is the place of a hole of which only its side is known.
var anywhere = stream.At{Number: math.MaxUint64}

// Gap says that the next n bytes of a side were never captured. Inside a span of
// known length they do no harm; elsewhere the side has to find its place again.
func (t *talk) Gap(d int, n int64) {
	s := &t.side[d]
	t.c.missing[d] += n
	if t.c.p.tap != nil {
		t.c.p.tap.Gap(t.c.id, d, n)
	}
	if t.dead {
		return
	}
	if t.tunnel != nil {
		t.tunnel.gap(d, n)
		return
	}
	if s.piece.active {
		p := &s.piece
		k := min(n, p.span-p.pos)
		p.m.Lost += k
		p.m.Size += k
		if body := min(p.bodyTo, p.pos+k) - max(p.bodyFrom, p.pos); body > 0 {
			p.m.BodySize += body
		}
		if p.watch != nil {
			p.watch.Miss(k)
		}
		p.pos += k
		n -= k
		if p.pos == p.span {
			t.endPiece(d)
		}
		if n == 0 || t.dead {
			return
		}
	}
	t.miss(d, n)
}

// miss says that bytes of a side are missing, about n but at least one, and that nobody knows
// how many of what it is saying.
func (t *talk) miss(d int, n int64) {
	s := &t.side[d]
	switch {
	case t.dead:
		return
	case t.tunnel != nil:
		t.tunnel.gap(d, n)
	case t.proto == nil:
		s.gap += n + int64(len(s.buf))
		s.holed = true
	default:
		t.lose(d, n+int64(len(s.buf)))
	}
	s.drop(t.c.p)
}

// lose ends what a side was saying: n bytes of it are missing or make no sense.
func (t *talk) lose(d int, n int64) {
	s := &t.side[d]
	if s.cur != nil {
		s.cur.Lost += n
	}
	t.cut(d, false)
	s.gap += n
	s.lost = true
	t.side[0].hold, t.side[1].hold = nil, nil
	t.c.skipped[d] += n
	t.pairs.loss(t, t.role[d], anywhere)
	if t.tunnel != nil { // the end of what was cut opened it
		t.tunnel.gap(d, max(n, 1))
	}
}

// ignore passes over bytes of a side, [from, to) of the data in work, that no protocol is
// known by.
func (t *talk) ignore(d, from, to int) {
	s := &t.side[d]
	s.gap += int64(to - from)
	s.unread, s.holed = s.place(to-1), false
}

// recall tells the pairing, once it is known who says what, of bytes that made no sense
// before.
func (t *talk) recall() {
	for d := range t.side {
		s := &t.side[d]
		if s.holed && len(s.marks) > 0 { // else it is known when its next bytes come
			s.holed, s.unread = false, s.place(0)
		}
		switch {
		case s.unread.Number == 0 && (!s.holed || t.role[d] == Server):
		case t.role[d] == Server:
			t.pairs.unread, t.pairs.distrust, t.pairs.turn = s.unread, true, true
		default:
			t.pairs.joined = true
		}
		s.unread = stream.At{}
	}
}

// foundHole tells the pairing where a hole of the server's ended that was there before the
// protocol was known, now that the bytes behind it have come.
func (t *talk) foundHole(d, used int) {
	s := &t.side[d]
	s.holed = false
	if t.role[d] == Server {
		t.pairs.loss(t, Server, s.place(used))
	}
}

// resync looks for the next message of a side that lost its place, at the front
// of data[used:] first: where a segment begins, a message often does. It returns how
// much to drop and whether a message may begin there.
func (t *talk) resync(d int, data []byte, used int) (drop int, found bool) {
	s, rest := &t.side[d], data[used:]
	guess := t.proto.Probe(rest).sure()
	if guess == More && len(rest) < MaxProbe {
		return 0, false
	}
	if !t.may(d, guess) {
		if drop, found = t.scan(d, rest[1:]); found {
			drop++
		} else {
			drop = len(rest)
		}
		t.c.skipped[d] += int64(drop)
		s.gap += int64(drop)
		t.pairs.loss(t, t.role[d], s.place(used+drop-1))
	} else {
		found = true
	}
	s.lost = !found
	return drop, found
}

// scan looks for a place inside data where a message begins.
func (t *talk) scan(d int, data []byte) (off int, found bool) {
	var begins [256]bool // strings are searched as UTF-8, which these bytes are not
	for i := range len(t.proto.Sync) {
		begins[t.proto.Sync[i]] = true
	}
	for range MaxSyncTries {
		i := slices.IndexFunc(data[off:], func(c byte) bool { return begins[c] })
		if i < 0 {
			return 0, false
		}
		off += i
		if t.may(d, t.proto.Probe(data[off:]).sure()) {
			return off, true
		}
		off++
	}
	return 0, false
}

// may tells whether a side may say what a probe took for the beginning of a message.
func (t *talk) may(d int, g Guess) bool {
	switch g {
	case Either:
		return true
	case Request:
		return t.role[d] == Client || t.proto.Peers
	case Response:
		return t.role[d] == Server || t.proto.Peers
	}
	return false
}
