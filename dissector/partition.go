package dissector

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"shark/dissector/stream"
	"shark/packet"
)

// partition owns the conversations of some pairs of addresses. One goroutine at
// a time works on it.
type partition struct {
	number int
	opts   *Options
	tap    Tap
	sink   Sink  // of the worker that is at work on it
	err    error // the sink's
	report Report

	*registry

	conns    table[conn] // by hash
	trails   trails
	lru      conn        // ring; lru.next is the least recently used
	lingerer []lingering // by when they are due
	flows    map[packet.Flow]*flowGroup
	maxFlows int // at how many they are trimmed
	mem      int
	limit    int

	// To use again.
	messages  []*Message
	exchanges []*exchange
	buffers   [][]byte
	ended     []*conn
	states    []*tcpState
	talks     []*talk
	sides     []*[2]side
	groups    []*flowGroup
	records   [][]byte

	noSides [2]side // of datagrams
	entry   Entry
	nums    []uint64
	group   group
}

// connKey is a conversation's addresses and ports in an order of their own.
type connKey struct {
	a, b         packet.Addr
	aPort, bPort uint16
	proto        packet.Proto
	plain        bool // taken from a TLS library, beside what is on the wire
}

func keyOf(p *packet.Packet) connKey {
	if ordered(p) {
		return connKey{p.Src, p.Dst, p.SrcPort, p.DstPort, p.Proto, p.Plaintext}
	}
	return connKey{p.Dst, p.Src, p.DstPort, p.SrcPort, p.Proto, p.Plaintext}
}

// hash returns a number that nobody can foresee.
func (k *connKey) hash() uint64 {
	be := binary.BigEndian
	mix := func(h, a, b uint64) uint64 {
		hi, lo := bits.Mul64(h^a^tableSeed[1], b^tableSeed[0])
		return hi ^ lo
	}
	h := mix(uint64(k.aPort)<<32|uint64(k.bPort)<<16|uint64(k.proto), be.Uint64(k.a[8:]), be.Uint64(k.b[8:]))
	if a, b := be.Uint64(k.a[:]), be.Uint64(k.b[:]); a|b != 0 { // not IPv4
		h = mix(h, a, b)
	}
	if k.plain {
		h = ^h
	}
	return h
}

// ordered tells whether a packet goes from the lesser address and port to the greater.
func ordered(p *packet.Packet) bool {
	for i := len(p.Src) - 8; i >= 0; i -= 8 { // IPv4 differs in the last half only
		if a, b := binary.BigEndian.Uint64(p.Src[i:]), binary.BigEndian.Uint64(p.Dst[i:]); a != b {
			return a < b
		}
	}
	return p.SrcPort <= p.DstPort
}

func newPartition(opts *Options, known *registry, number int) *partition {
	p := &partition{
		number: number, opts: opts, tap: opts.Tap, limit: int(opts.Memory / int64(cmp.Or(opts.Split, Partitions))),
		registry: known, flows: make(map[packet.Flow]*flowGroup),
	}
	p.lru.prev, p.lru.next = &p.lru, &p.lru
	p.maxFlows = p.limit / 2 / flowSize
	return p
}

// transportOf maps a protocol number.
func transportOf(p packet.Proto) Transport {
	switch p {
	case packet.TCP:
		return TCP
	case packet.UDP:
		return UDP
	case packet.SCTP:
		return SCTP
	case packet.ICMP:
		return ICMP
	}
	return ICMPv6
}

// packet takes the next packet of the partition, one with a transport. c is what was found
// under its hash some packets ago: if that has its key now, it is its connection.
func (p *partition) packet(pk *packet.Packet, key *connKey, hash uint64, c *conn) {
	if c == nil || c.key != *key {
		c = p.find(hash, key)
	}
	if c != nil && c.closed && pk.Time >= c.last+closedLinger { // whether or not others made the partition tidy up since
		p.remove(c, false)
		c = nil
	}
	if c != nil && (pk.Proto == packet.TCP && c.tcp.health.Reused(c.dirOf(pk), pk) || pk.Proto == packet.SCTP && c.sctp.Restarted(c.dirOf(pk), pk) || c.plainAgain(pk)) {
		p.remove(c, false)
		c = nil
	}
	if c == nil {
		c = p.open(hash, key, pk)
	} else if p.lru.prev != c {
		c.unlink()
		c.link(&p.lru)
	}
	c.packet(pk)
	mem := c.footprint()
	p.mem += mem - c.mem
	c.mem = mem
	p.tidy(pk.Time)
}

func (p *partition) open(hash uint64, key *connKey, pk *packet.Packet) *conn {
	c := p.conn()
	c.p, c.id, c.hash, c.key, c.flow, c.transport = p, pk.Number, hash, *key, pk.Flow(), transportOf(pk.Proto)
	c.tunnel, c.vlan, c.iface, c.first, c.last = pk.Tunnel, pk.VLAN, pk.Interface, pk.Time, pk.Time
	switch c.transport {
	case TCP:
		c.tcp = p.tcpState()
	case SCTP:
		c.sctp = new(stream.Association)
	}
	c.stray.proto = p.strays[c.transport]
	for _, f := range pk.Fragments {
		c.id = min(c.id, f.Number)
	}
	c.twin = p.conns.get(hash)
	p.conns.put(hash, c)
	c.link(&p.lru)
	p.report.Connections++
	return c
}

// find returns the connection of a key, or nil.
func (p *partition) find(hash uint64, key *connKey) *conn {
	c := p.conns.get(hash)
	for c != nil && c.key != *key {
		c = c.twin
	}
	return c
}

// drop takes a connection out of the table.
func (p *partition) drop(c *conn) {
	first := p.conns.get(c.hash)
	switch {
	case first != c:
		for first.twin != c {
			first = first.twin
		}
		first.twin = c.twin
	case c.twin != nil:
		p.conns.put(c.hash, c.twin)
	default:
		p.conns.remove(c.hash)
	}
}

// link puts c at the recently used end of the ring.
func (c *conn) link(ring *conn) {
	c.prev, c.next = ring.prev, ring
	ring.prev.next, ring.prev = c, c
}

func (c *conn) unlink() {
	c.prev.next, c.next.prev = c.next, c.prev
	c.prev, c.next = nil, nil
}

// remove closes a connection and forgets it.
func (p *partition) remove(c *conn, evicted bool) {
	c.unlink()
	p.mem -= c.mem
	p.drop(c)
	p.trails.forgetAll(c)
	c.close(evicted)
	p.recycleConn(c)
}

// lingering is a connection that ended and waits for late packets until it is due.
type lingering struct {
	c   *conn
	id  uint64 // of c, unless something else took its place
	due int64
}

// closing notes that a connection ended; it lingers for late packets.
func (p *partition) closing(c *conn) {
	p.lingerer = append(p.lingerer, lingering{c, c.id, c.last + closedLinger})
}

// tidy lets go of what has ended long ago and, over the memory limit, of what has
// not been used for longest.
func (p *partition) tidy(now int64) {
	if n := len(p.lingerer); n >= MaxClosed+closedBatch || n > 0 && now >= p.lingerer[0].due {
		p.letGo(now)
	}
	if len(p.flows) > p.maxFlows {
		p.trimFlows()
	}
	for p.mem > p.limit && p.lru.next != p.lru.prev {
		c := p.lru.next
		if !c.closed {
			p.report.Evicted++
		}
		p.remove(c, !c.closed)
	}
}

// letGo lets go of the connections that are due, and of those that are too many: several
// in a row, as their code then stays in the processor's first cache. Between the packets of
// others each took a third of all that a short connection misses there.
func (p *partition) letGo(now int64) {
	for i := range p.lingerer[:min(closedBatch, len(p.lingerer))] {
		p.group.seen ^= p.lingerer[i].c.all()
	}
	for len(p.lingerer) > 0 {
		x := p.lingerer[0]
		if len(p.lingerer) <= MaxClosed && now < x.due {
			break
		}
		p.lingerer[0].c = nil
		p.lingerer = p.lingerer[1:]
		switch late := x.c.last + closedLinger; {
		case x.c.p == nil || x.c.id != x.id:
		case late > now && len(p.lingerer) < MaxClosed:
			p.lingerer = append(p.lingerer, lingering{x.c, x.id, late})
		default:
			p.remove(x.c, false)
		}
	}
}

// finish closes all connections, oldest first, and hands out the flows.
func (p *partition) finish() {
	var left []*conn
	for c := p.lru.next; c != &p.lru; c = c.next {
		left = append(left, c)
	}
	slices.SortFunc(left, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	for _, c := range left {
		p.remove(c, false)
	}
	p.emitFlows(func(*flowGroup) bool { return true }, 0)
}

// detect asks the probes, those first that the sides named or a port speaks for. more says
// that some wants to see more bytes and none was sure.
func (p *partition) detect(c *conn, d int, head []byte, named []*Protocol) (proto *Protocol, sender Side, more bool) {
	ask := func(list []*Protocol, ours bool) bool {
		for _, x := range list {
			guess := x.Probe(head)
			if ours {
				guess = guess.sure()
			}
			switch guess {
			case Request:
				proto, sender = x, Client
				return true
			case Response:
				proto, sender = x, Server
				return true
			case Either:
				if side, ok := c.sideOf(d, x); ok {
					proto, sender = x, side
					return true
				}
				more = true
			case More, MaybeRequest, MaybeResponse, MaybeEither:
				more = true
			}
		}
		return false
	}
	_ = ask(named, true) || ask(p.byPort[portKey{c.transport, c.flow.DstPort}], true) ||
		ask(p.byPort[portKey{c.transport, c.flow.SrcPort}], true) ||
		ask(p.probed[c.transport], false)
	return proto, sender, more
}

// hides tells whether an exchange is no entry, for it was not answered.
func (t *talk) hides(ex *exchange) bool {
	if ex.req == nil || ex.resp != nil {
		return false
	}
	return ex.req.Unanswered == Hidden || ex.req.Unanswered == Alone && t.said
}

// emit hands an exchange to the sink as an entry.
func (t *talk) emit(ex *exchange, oneWay, evicted bool) {
	if t.hides(ex) {
		t.recycle(ex)
		return
	}
	t.said = true
	c, p := t.c, t.c.p
	e := &p.entry
	first := ex.first()
	*e = Entry{
		Protocol: first.proto, Carriers: e.Carriers[:0], Time: first.Start, Conn: c.id, Index: c.index,
		Tunnel: c.tunnel, VLAN: c.vlan, Iface: c.iface, Request: ex.req, Response: ex.resp, OneWay: oneWay, Interim: ex.interim,
		First: first.First,
	}
	c.index++
	e.Flow = first.Flow
	if first.From == Server && !oneWay {
		e.Flow = e.Flow.Reverse()
	}
	asks := e.Flow
	if first.turned || first.proto != nil && first.proto.Peers { // who asked for the connection, not who asks in it
		asks = c.direction(c.clientDir())
	}
	e.Group = c.groupOf(asks)
	for _, m := range [...]*Message{ex.req, ex.resp} {
		if m != nil {
			e.add(m)
		}
	}
	if ex.void {
		e.Marks |= MarkUnpaired
	}
	if evicted {
		e.Marks |= MarkEvicted
	}
	e.TLS, e.Plaintext = t.carrier != nil || t.transport == QUIC || c.key.plain, c.key.plain
	if !c.hidden() {
		p.put(e)
	}
	t.recycle(ex)
}

// recycle frees what of an exchange nothing refers to any more. What ended early may
// be a piece that is still being passed over.
func (t *talk) recycle(ex *exchange) {
	whole := t.side[0].hold != ex && t.side[1].hold != ex
	for _, m := range [...]*Message{ex.req, ex.resp} {
		switch {
		case m == nil:
		case m.done && !m.Truncated:
			t.c.p.free(m)
		default:
			whole = false
		}
	}
	if whole {
		t.c.p.recycleExchange(ex)
	}
}

// add joins a message into the entry.
func (e *Entry) add(m *Message) {
	e.End, e.Last = max(e.End, m.End), max(e.Last, m.Last)
	e.First = min(e.First, m.First)
	if m.Lost > 0 {
		e.Marks |= MarkLost
	}
	if m.Truncated {
		e.Marks |= MarkTruncated
	}
	if m.Resumed {
		e.Marks |= MarkResumed
	}
	if m.Unpaired {
		e.Marks |= MarkUnpaired
	}
	if p := m.proto; p != nil && p != e.Protocol && !slices.Contains(e.Carriers, p) { // it was upgraded between its halves
		if e.Carriers = append(e.Carriers, p); len(e.Carriers) == 1 {
			e.Protocol, e.Carriers[0] = p, e.Protocol
		}
	}
	for _, r := range m.carried {
		if r != e.Protocol && !slices.Contains(e.Carriers, r) {
			e.Carriers = append(e.Carriers, e.Protocol)
			e.Protocol = r
		}
	}
}

// put hands an entry to the sink, unless that has failed before.
func (p *partition) put(e *Entry) {
	if p.err != nil {
		return
	}
	p.report.Entries++
	e.Partition = p.number
	p.err = p.sink.Entry(e)
}

func sortByFirst(list []*exchange) { slices.SortFunc(list, byFirst) }

// byFirst compares exchanges by where they begin: several may in one packet.
func byFirst(a, b *exchange) int {
	x, y := a.first(), b.first()
	return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(x.From, y.From), cmp.Compare(x.offset, y.offset))
}

// Tap listens to every connection's bytes as they are put in order. Datagrams
// come with offset -1.
type Tap interface {
	Data(conn uint64, side int, off int64, b []byte, at stream.At)
	Gap(conn uint64, side int, n int64)
	End(conn uint64, side int, at stream.At)
}
