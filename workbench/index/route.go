package index

import (
	"shark/packet"
	"shark/snapshot/identity"
)

// routeSize is the length of what a row says of the way its entry went, without its
// connection: source and destination, then the link.
const routeSize = 2*len(packet.Addr{}) + linkSize

// maxRoutes bounds how many links are remembered to be found again. Past it a link
// may stand in the table twice.
const maxRoutes = 1 << 16

// routes hands out the ids of the rows of the table links. The entries of a
// connection mostly have the same link, so that the last of those at hand are looked
// through first, and then the first of each connection.
type routes struct {
	rows   *tables
	ends   *endpoints
	recent [recentRoutes]route // by hash of the connection
	first  map[uint64]int32    // by connection: position in known
	known  []path
	others map[otherPath]int64
	next   int64
}

// recentRoutes is how many connections' last routes are at hand.
const (
	recentRoutes = 1 << recentBits
	recentBits   = 11
)

// route is what the last entry of a connection had; its id is 0 if there is none.
type route struct {
	conn     uint64
	id       int64
	route    [routeSize]byte
	src, dst *endpoint
}

// path is a link between two endpoints, without its connection.
type path struct {
	link     [linkSize]byte
	src, dst int64
	id       int64
}

// otherPath is a link of a connection that has another one already.
type otherPath struct {
	conn uint64
	path // without the id
}

func newRoutes(rows *tables, ends *endpoints) *routes {
	return &routes{rows: rows, ends: ends, first: make(map[uint64]int32), others: make(map[otherPath]int64)}
}

// id returns the row of the link of an entry.
func (x *routes) id(b *[routeSize]byte, conn uint64, time int64) (int64, error) {
	const hash = 0x9e3779b97f4a7c15 // 2^64 by the golden ratio
	r := &x.recent[conn*hash>>(64-recentBits)]
	var src, dst identity.End
	readEnds(b, &src, &dst)
	if r.conn == conn && r.id != 0 && r.route == *b && x.ends.still(r.src, &src, time) && x.ends.still(r.dst, &dst, time) {
		return r.id, nil
	}
	from, err := x.ends.of(&src, time)
	if err != nil {
		return 0, err
	}
	to, err := x.ends.of(&dst, time)
	if err != nil {
		return 0, err
	}
	id, err := x.find(conn, path{link: [linkSize]byte(b[routeSize-linkSize:]), src: from.id, dst: to.id})
	if err != nil {
		return 0, err
	}
	*r = route{conn: conn, id: id, route: *b, src: from, dst: to}
	return id, nil
}

// readEnds reads the two ends of an entry's way.
func readEnds(b *[routeSize]byte, src, dst *identity.End) {
	l := readLink(b[routeSize-linkSize:], 0)
	copy(src.Local[:], b[:])
	copy(dst.Local[:], b[len(src.Local):])
	src.Protocol, src.Port, src.Peer, src.PeerPort = l.transport, l.srcPort, dst.Local, l.dstPort
	dst.Protocol, dst.Port, dst.Peer, dst.PeerPort = l.transport, l.dstPort, src.Local, l.srcPort
}

// find looks for a link among all that are known.
func (x *routes) find(conn uint64, w path) (int64, error) {
	at, another := x.first[conn]
	if another {
		w.id = x.known[at].id
		if x.known[at] == w {
			return w.id, nil
		}
		w.id = 0
		if id, known := x.others[otherPath{conn, w}]; known {
			return id, nil
		}
	}
	if len(x.known)+len(x.others) == maxRoutes {
		clear(x.recent[:])
		clear(x.first)
		clear(x.others)
		x.known, another = x.known[:0], false
	}
	x.next++
	if another {
		x.others[otherPath{conn, w}] = x.next
	} else {
		x.first[conn] = int32(len(x.known))
		w.id = x.next
		x.known = append(x.known, w)
	}
	return x.next, x.insert(conn, &w)
}

// insert lays out the row of the link that has come last.
func (x *routes) insert(conn uint64, w *path) error {
	k, l := readLink(w.link[:], conn), &x.rows.layout
	l.begin()
	for _, n := range [...]int64{
		w.src, w.dst, int64(k.srcPort), int64(k.dstPort), int64(k.transport), int64(k.conn), int64(k.group),
		int64(k.vlan), int64(k.tunnel.Kind), int64(k.tunnel.ID), int64(k.iface),
	} {
		l.int(n)
	}
	return x.rows.insertLaid(x.rows.trees[tableLinks], x.next)
}
