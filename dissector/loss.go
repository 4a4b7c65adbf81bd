package dissector

import "slices"

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
	t.pairs.loss(t, t.role[d])
	if t.tunnel != nil { // the end of what was cut opened it
		t.tunnel.gap(d, max(n, 1))
	}
}

// resync looks for the next message of a side that lost its place, at the front
// of data first: where a segment begins, a message often does. It returns how
// much to drop and whether a message may begin there.
func (t *talk) resync(d int, data []byte) (drop int, found bool) {
	s := &t.side[d]
	guess := t.proto.Probe(data).sure()
	if guess == More && len(data) < MaxProbe {
		return 0, false
	}
	if !t.may(d, guess) {
		if drop, found = t.scan(d, data[1:]); found {
			drop++
		} else {
			drop = len(data)
		}
		t.c.skipped[d] += int64(drop)
		s.gap += int64(drop)
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
