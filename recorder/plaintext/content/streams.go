//go:build linux

package content

import (
	"net/netip"
	"slices"

	"shark/bpf/plaintext"
)

// place is where a TLS object is.
type place struct {
	tgid    uint32
	address uint64
}

// ends are a connection's addresses, the lesser first. Loopback is another in every network
// namespace.
type ends struct {
	a, b  netip.AddrPort
	netns uint32
}

func endsOf(s *plaintext.Socket) ends {
	e := ends{a: s.Local, b: s.Remote}
	if e.b.Compare(e.a) < 0 {
		e.a, e.b = e.b, e.a
	}
	if e.a.Addr().IsLoopback() || e.b.Addr().IsLoopback() {
		e.netns = s.NetNS
	}
	return e
}

// connection is what is known of a TLS object while it has one id.
type connection struct {
	object place
	id     uint64
	socket plaintext.Socket
	began  int64 // the time of the first event
	used   int64 // and of the latest
	closed int64 // when it ended, 0 before

	joined bool
	other  bool      // its other end tells it
	base   uint64    // what its positions are counted from, in both directions
	next   [2]uint64 // behind the last byte seen, by direction: read, written

	pending []event // until its socket is known
	waits   int     // bytes of these
}

// event is what streams need of a plaintext.Event, with a time of the clock and a payload of
// its own.
type event struct {
	kind     plaintext.Kind
	joined   plaintext.Joined
	last     bool // piece of its call
	object   place
	id       uint64
	position uint64
	time     int64
	socket   plaintext.Socket
	payload  []byte
}

// streams makes segments of events, which come in order of time.
type streams struct {
	put   func(s *segment, time int64)
	most  int // connections
	sweep int // owners, before those that ended are looked through

	objects map[place]*connection
	owners  map[ends]*connection // who tells what is said between two ends
	waits   int                  // bytes of pending events

	status Status
	lost   Loss // bytes of connections without a socket
}

func newStreams(most int, put func(*segment, int64)) *streams {
	return &streams{put: put, most: most, sweep: manyEnded, objects: make(map[place]*connection), owners: make(map[ends]*connection)}
}

// add takes the next event.
func (s *streams) add(e *event) {
	c := s.objects[e.object]
	if c != nil && c.id != e.id { // the kernel began anew: what it is now, the socket tells
		s.forget(c)
		c = nil
	}
	if c == nil {
		if e.kind == plaintext.Closed {
			return
		}
		c = s.begin(e)
	}
	c.used = e.time
	if e.joined != plaintext.Unjoined && e.socket.Remote.IsValid() {
		s.join(c, e)
	}
	switch e.kind {
	case plaintext.Closed:
		s.close(c, e.time)
		return
	case plaintext.Found:
		return
	}
	if !c.joined {
		s.wait(c, e)
		return
	}
	s.tell(c, e)
}

func (s *streams) begin(e *event) *connection {
	if len(s.objects) >= s.most {
		s.makeRoom()
	}
	c := &connection{object: e.object, id: e.id, began: e.time}
	s.objects[e.object] = c
	return c
}

// join gives a connection its socket, and its place beside others with the same ends.
func (s *streams) join(c *connection, e *event) {
	if c.joined {
		return
	}
	c.joined, c.socket = true, e.socket
	s.status.Joined++
	key := endsOf(&c.socket)
	before := s.owners[key]
	switch {
	case before == nil || before.socket.Local != c.socket.Local && before.endedBefore(c.began):
		s.own(key, c, e.time)
	case before.socket.Local != c.socket.Local:
		c.other = true
		s.status.OtherEnds++
	case before.id == c.id && before.object == c.object:
		c.base, c.next = before.base, before.next // a call that ended after its program closed the connection
		s.own(key, c, e.time)
	case before.socket.Cookie == c.socket.Cookie:
		// The socket goes on with another TLS object, or one that was forgotten: nobody
		// knows how much was said between.
		c.base = before.base + max(before.next[0], before.next[1]) + 1
		s.own(key, c, e.time)
	default:
		if before.closed == 0 {
			s.finish(before, e.time)
		}
		s.own(key, c, e.time)
	}
	if len(c.pending) > 0 {
		s.status.Later++
	}
	for i := range c.pending {
		s.tell(c, &c.pending[i])
	}
	s.waits -= c.waits
	c.pending, c.waits = nil, 0
}

// endedBefore tells whether a connection had ended at a time.
func (c *connection) endedBefore(time int64) bool { return c.closed != 0 && c.closed < time }

// own has a connection tell what is said between two ends, also when it has ended: the other end
// may be known later. Of those that ended the old ones go when they are many.
func (s *streams) own(key ends, c *connection, now int64) {
	s.owners[key] = c
	if len(s.owners) <= s.sweep {
		return
	}
	for _, since := range []int64{now - int64(remember), now} {
		for key, c := range s.owners {
			if s.objects[c.object] != c && c.used < since {
				delete(s.owners, key)
			}
		}
		if len(s.owners) <= s.most {
			break
		}
	}
	s.sweep = 2*len(s.owners) + manyEnded
}

// wait keeps an event until its connection's socket is known, within limits.
func (s *streams) wait(c *connection, e *event) {
	n := len(e.payload)
	if c.waits+n > maxPendingEach || s.waits+n > maxPending {
		s.lost.Calls++
		s.lost.Bytes += uint64(n)
		return
	}
	keep := *e
	keep.payload = slices.Clone(e.payload)
	c.pending = append(c.pending, keep)
	c.waits += n
	s.waits += n
}

// tell makes the segment of an event.
func (s *streams) tell(c *connection, e *event) {
	if c.other || len(e.payload) == 0 {
		return
	}
	g := segment{flags: flagACK, payload: e.payload}
	if e.last {
		g.flags |= flagPSH
	}
	s.segment(c, e.kind, e.position, &g, e.time)
	c.next[e.kind] = max(c.next[e.kind], e.position+uint64(len(e.payload)))
}

// segment gives a segment of one direction its addresses and numbers.
func (s *streams) segment(c *connection, kind plaintext.Kind, position uint64, g *segment, time int64) {
	g.from, g.to = c.socket.Local, c.socket.Remote
	if kind == plaintext.Read {
		g.from, g.to = g.to, g.from
	}
	g.seq = uint32(c.base + position + 1)
	g.ack = uint32(c.base + c.next[kind^1] + 1)
	s.status.Segments++
	s.status.SegmentBytes += uint64(len(g.payload))
	s.put(g, time)
}

// close ends a connection that its program closed.
func (s *streams) close(c *connection, time int64) {
	if c.joined && s.owners[endsOf(&c.socket)] == c {
		s.finish(c, time)
		c.closed = time
	}
	s.forget(c)
}

// finish tells both directions' end.
func (s *streams) finish(c *connection, time int64) {
	s.segment(c, plaintext.Written, c.next[plaintext.Written], &segment{flags: flagFIN | flagACK}, time)
	s.segment(c, plaintext.Read, c.next[plaintext.Read], &segment{flags: flagFIN | flagACK}, time)
}

// forget takes an object from the table. Who told of two ends goes on to count as such, until
// it makes room, so that what comes next between them is known.
func (s *streams) forget(c *connection) {
	if !c.joined {
		s.status.Unjoined++
	}
	s.lost.Calls += uint64(len(c.pending))
	s.lost.Bytes += uint64(c.waits)
	s.waits -= c.waits
	c.pending, c.waits = nil, 0
	delete(s.objects, c.object)
}

// makeRoom forgets an eighth of the connections, those that were silent longest.
func (s *streams) makeRoom() {
	byUse := func(a, b *connection) int {
		switch {
		case a.used < b.used:
			return -1
		case a.used > b.used:
			return 1
		}
		return 0
	}
	old := make([]*connection, 0, len(s.objects))
	for _, c := range s.objects {
		old = append(old, c)
	}
	slices.SortFunc(old, byUse)
	for _, c := range old[:max(1, s.most/8)] {
		s.forget(c)
		s.status.Forgotten++
	}
	for key, c := range s.owners {
		if s.objects[c.object] != c {
			delete(s.owners, key)
		}
	}
}
