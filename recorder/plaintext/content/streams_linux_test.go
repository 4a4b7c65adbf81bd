package content

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"shark/bpf/plaintext"
)

// scene is what programs do, and the segments that come of it.
type scene struct {
	*streams
	got []string
	now int64
}

func newScene(most int) *scene {
	s := &scene{}
	s.streams = newStreams(most, func(g *segment, time int64) {
		flags := ""
		for i, f := range []string{"FIN", "", "", "PSH", "ACK"} {
			if g.flags>>i&1 != 0 {
				flags += f + " "
			}
		}
		s.got = append(s.got, fmt.Sprintf("%d>%d %d/%d %s%q @%d", g.from.Port(), g.to.Port(), g.seq, g.ack, flags, g.payload, time))
	})
	return s
}

// sock is a socket of 127.0.0.1 in a network namespace.
func sock(cookie uint64, local, remote uint16, netns uint32) plaintext.Socket {
	a := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	return plaintext.Socket{Cookie: cookie, Local: netip.AddrPortFrom(a, local), Remote: netip.AddrPortFrom(a, remote), NetNS: netns}
}

// do is one event: of object, with an id, at a position. No socket: unjoined.
func (s *scene) do(kind plaintext.Kind, object, id, position uint64, socket plaintext.Socket, text string) {
	s.now++
	e := event{kind: kind, last: true, object: place{1, object}, id: id, position: position, time: s.now, socket: socket, payload: []byte(text)}
	if socket.Cookie != 0 {
		e.joined = plaintext.ByCall
	}
	s.add(&e)
}

func (s *scene) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(s.got, "\n"), strings.Join(want, "\n"))
	}
}

const (
	read, written, closed = plaintext.Read, plaintext.Written, plaintext.Closed
)

var none plaintext.Socket

func TestConversation(t *testing.T) {
	s, a := newScene(10), sock(7, 40000, 443, 1)
	s.do(written, 1, 5, 0, a, "GET /")
	s.do(read, 1, 5, 0, a, "200")
	s.do(read, 1, 5, 13, a, "end") // ten bytes are lost
	s.do(closed, 1, 5, 5, a, "")
	s.want(t,
		`40000>443 1/1 PSH ACK "GET /" @1`,
		`443>40000 1/6 PSH ACK "200" @2`,
		`443>40000 14/6 PSH ACK "end" @3`,
		`40000>443 6/17 FIN ACK "" @4`,
		`443>40000 17/6 FIN ACK "" @4`)
	if len(s.objects) != 0 {
		t.Errorf("%d objects are left", len(s.objects))
	}
}

// A call may end after its program has closed the connection: what it gave stands in its place.
func TestAfterClose(t *testing.T) {
	s, a := newScene(10), sock(7, 443, 40000, 1)
	s.do(read, 1, 5, 0, a, "GET /")
	s.do(closed, 1, 5, 0, a, "")
	s.do(written, 1, 5, 0, a, "200")
	s.do(read, 1, 5, 5, a, "more")
	s.want(t,
		`40000>443 1/1 PSH ACK "GET /" @1`,
		`443>40000 1/6 FIN ACK "" @2`,
		`40000>443 6/1 FIN ACK "" @2`,
		`443>40000 1/6 PSH ACK "200" @3`,
		`40000>443 6/4 PSH ACK "more" @4`)
}

func TestSocketKnownLater(t *testing.T) {
	s, a := newScene(10), sock(7, 443, 40000, 1)
	s.do(read, 1, 5, 0, none, "GET /") // served from what the handshake had read
	s.do(written, 1, 5, 0, a, "200")
	s.want(t, `40000>443 1/1 PSH ACK "GET /" @1`, `443>40000 1/6 PSH ACK "200" @2`)
	if s.status.Later != 1 || s.waits != 0 {
		t.Errorf("%+v; %d bytes wait", s.status, s.waits)
	}
}

func TestSocketNeverKnown(t *testing.T) {
	s := newScene(10)
	big := strings.Repeat("x", 16<<10)
	for i := range uint64(20) {
		s.do(read, 1, 5, i*16<<10, none, big)
	}
	if s.waits > maxPendingEach || s.lost.Calls != 4 {
		t.Errorf("%d bytes wait, %d calls are lost", s.waits, s.lost.Calls)
	}
	for i := range uint64(5000) {
		s.do(read, 100+i, 5, 0, none, big)
	}
	if s.waits > maxPending {
		t.Errorf("%d bytes wait", s.waits)
	}
	s.do(closed, 1, 5, 0, none, "")
	s.want(t)
	if s.status.Unjoined == 0 || s.lost.Bytes == 0 {
		t.Errorf("%+v, lost %+v", s.status, s.lost)
	}
}

func TestBothEnds(t *testing.T) {
	s := newScene(10)
	client, server := sock(7, 40000, 443, 1), sock(8, 443, 40000, 1)
	s.do(written, 1, 5, 0, client, "ask")
	s.do(read, 2, 6, 0, server, "ask")
	s.do(written, 2, 6, 0, server, "answer")
	s.do(read, 1, 5, 0, client, "answer")
	s.do(closed, 1, 5, 0, client, "")
	s.do(closed, 2, 6, 0, server, "")
	s.want(t,
		`40000>443 1/1 PSH ACK "ask" @1`, `443>40000 1/4 PSH ACK "answer" @4`,
		`40000>443 4/7 FIN ACK "" @5`, `443>40000 7/4 FIN ACK "" @5`)
	if s.status.OtherEnds != 1 {
		t.Errorf("%+v", s.status)
	}
}

// The socket of an end is known only when the other one has told all and closed: it is the same
// connection, and the next one between these ends is not.
func TestOtherEndKnownLater(t *testing.T) {
	s := newScene(10)
	client, server := sock(7, 40000, 443, 1), sock(8, 443, 40000, 1)
	s.do(written, 1, 5, 0, client, "ask")
	s.do(read, 2, 6, 0, none, "ask")
	s.do(closed, 1, 5, 0, client, "")
	s.do(closed, 2, 6, 0, server, "")
	s.do(read, 3, 9, 0, sock(9, 443, 40000, 1), "again")
	s.want(t,
		`40000>443 1/1 PSH ACK "ask" @1`, `40000>443 4/1 FIN ACK "" @3`, `443>40000 1/4 FIN ACK "" @3`,
		`40000>443 1/1 PSH ACK "again" @5`)
	if s.status.OtherEnds != 1 || s.status.Unjoined != 0 {
		t.Errorf("%+v", s.status)
	}
}

// What the socket is may be found when nothing is read or written.
func TestSocketFound(t *testing.T) {
	s, a := newScene(10), sock(7, 443, 40000, 1)
	s.do(read, 1, 5, 0, none, "GET /")
	s.do(plaintext.Found, 1, 5, 0, a, "")
	s.do(written, 1, 5, 0, a, "200")
	s.want(t, `40000>443 1/1 PSH ACK "GET /" @1`, `443>40000 1/6 PSH ACK "200" @3`)
}

// Connections that ended are remembered for their other ends, and not for ever.
func TestManyEnded(t *testing.T) {
	const most = 64
	s := newScene(most)
	for i := range uint64(100000) {
		a := sock(i+1, uint16(i), uint16(i>>16), 1)
		s.do(written, i, i+1, 0, a, "x")
		s.do(closed, i, i+1, 1, a, "")
		if len(s.owners) > 2*most+manyEnded+1 {
			t.Fatalf("%d are remembered", len(s.owners))
		}
		s.got = s.got[:0]
	}
}

// Two pods talk to themselves with the same addresses, which are not the same connection.
func TestLoopbackOfTwoNamespaces(t *testing.T) {
	s := newScene(10)
	s.do(written, 1, 5, 0, sock(7, 40000, 443, 1), "one")
	s.do(read, 2, 6, 0, sock(8, 443, 40000, 2), "other")
	s.want(t, `40000>443 1/1 PSH ACK "one" @1`, `40000>443 1/1 PSH ACK "other" @2`)
}

func TestObjectAndAddressesUsedAgain(t *testing.T) {
	s := newScene(10)
	s.do(written, 1, 5, 0, sock(7, 40000, 443, 1), "first")
	// The object has another connection without having been closed.
	s.do(written, 1, 6, 0, sock(9, 40001, 443, 1), "second")
	// The first one's addresses are another socket's.
	s.do(written, 2, 7, 0, sock(10, 40000, 443, 1), "third")
	// Another object goes on with that socket: what was between nobody knows.
	s.do(written, 3, 8, 0, sock(10, 40000, 443, 1), "fourth")
	s.want(t,
		`40000>443 1/1 PSH ACK "first" @1`,
		`40001>443 1/1 PSH ACK "second" @2`,
		`40000>443 6/1 FIN ACK "" @3`, `443>40000 1/6 FIN ACK "" @3`,
		`40000>443 1/1 PSH ACK "third" @3`,
		`40000>443 7/7 PSH ACK "fourth" @4`)
}

func TestManyConnections(t *testing.T) {
	const most = 64
	s := newScene(most)
	for i := range uint64(1000) {
		s.do(written, i, i+1, 0, sock(i+1, uint16(40000+i), 443, 1), "x")
		s.do(read, 0, 1, i, sock(1, 40000, 443, 1), "y") // is always in use
	}
	if len(s.objects) > most || len(s.owners) > 2*most {
		t.Errorf("%d objects, %d owners", len(s.objects), len(s.owners))
	}
	if last := s.got[len(s.got)-1]; last != `443>40000 1000/2 PSH ACK "y" @2000` {
		t.Errorf("the connection in use was forgotten: %s", last)
	}
	if s.status.Forgotten == 0 {
		t.Error("nothing was forgotten")
	}
}
