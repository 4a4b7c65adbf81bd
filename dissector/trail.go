package dissector

import (
	"net/netip"
	"slices"

	"shark/packet"
)

// Trail is what a conversation of datagrams is known by where its client goes on from
// another port, such as behind a NAT that forgot the first one: a name that the client's
// datagrams carry.
type Trail struct {
	Name []byte // MinTrail to MaxTrail bytes, copied; others leave no trail
	// Follow returns the parser of the conversation that begins where a datagram with the
	// name comes from another port, and that datagram is what it gets first. before is where
	// the client was. The parser may leave trails in its turn.
	Follow func(before netip.AddrPort) Parse
}

// trailKey is a name between a client, of any port, and a server. The client's address is
// part of it, as it is of what decides the partition: who leaves a trail and who follows it
// are in the same one, however many there are.
type trailKey struct {
	client, server packet.Addr
	port           uint16
	size           uint8
	name           [MaxTrail]byte
}

// trail is where a name was seen last.
type trail struct {
	c      *conn
	client int // direction of c in which the client sends
	proto  *Protocol
	follow func(before netip.AddrPort) Parse
}

// trailSize is roughly how many bytes a trail holds on to.
const trailSize = 250

// trails are those of a partition. A trail is there as long as the conversation that left it.
type trails struct {
	by    map[trailKey]trail
	sizes uint32 // bit n: a name of n bytes was given
}

// newTrailKey returns the key of a name that a client's datagram of that flow has.
func newTrailKey(f packet.Flow, name []byte) trailKey {
	k := trailKey{client: f.Src, server: f.Dst, port: f.DstPort, size: uint8(len(name))}
	copy(k.name[:], name)
	return k
}

// leave notes a trail of a conversation. One of the same name that another conversation left
// is this one's now: the client is here.
func (t *talk) leave(x *Trail) {
	c, p := t.c, t.c.p
	if len(x.Name) < MinTrail || len(x.Name) > MaxTrail {
		return
	}
	client := int(t.client())
	k := newTrailKey(c.direction(client), x.Name)
	if p.trails.by == nil {
		p.trails.by = make(map[trailKey]trail)
	}
	p.trails.by[k] = trail{c, client, t.proto, x.Follow}
	p.trails.sizes |= 1 << len(x.Name)
	if slices.Contains(c.trails, k) {
		return
	}
	if len(c.trails) >= MaxTrails {
		p.trails.forget(c, c.trails[0])
		c.trails = slices.Delete(c.trails, 0, 1)
	}
	c.trails = append(c.trails, k)
}

// forget forgets a trail if it is still the conversation's.
func (l *trails) forget(c *conn, k trailKey) {
	if l.by[k].c == c {
		delete(l.by, k)
	}
}

// forgetAll forgets the trails of a conversation that is let go of.
func (l *trails) forgetAll(c *conn) {
	for _, k := range c.trails {
		l.forget(c, k)
	}
}

// follow makes a conversation of which nothing is known the continuation of the one whose
// trail a datagram of it is on, if there is one.
func (t *talk) follow(d int, datagram []byte) bool {
	l := &t.c.p.trails
	if len(l.by) == 0 {
		return false
	}
	for _, p := range t.c.p.trailing[t.c.transport] {
		name := p.Trail(datagram)
		for n := min(len(name), MaxTrail); n >= MinTrail; n-- {
			if l.sizes&(1<<n) == 0 {
				continue
			}
			x, ok := l.by[newTrailKey(t.c.direction(d), name[:n])]
			if !ok || x.proto != p || x.c == t.c {
				continue
			}
			was := x.c.direction(x.client)
			t.proto, t.parse, t.riders = p, x.follow(netip.AddrPortFrom(was.Src.IP(), was.SrcPort)), t.c.p.riders[p]
			t.c.speaks(p)
			t.role[d], t.role[d^1] = Client, Server
			return true
		}
	}
	return false
}
