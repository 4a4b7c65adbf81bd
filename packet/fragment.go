package packet

import "bytes"

// fragment is what an IP header says of a piece of a datagram.
type fragment struct {
	id     uint32
	space  Proto // protocol within which id is unique
	proto  Proto // protocol of the datagram; only the first fragment's counts
	offset int   // of the piece in the datagram, in bytes
	more   bool
}

// datagramKey names a datagram (RFC 791 section 3.2, RFC 8200 section 4.5). The
// same addresses in another VLAN or virtual network are other hosts.
type datagramKey struct {
	src, dst Addr
	id       uint32
	space    Proto
	vlan     uint16
	tunnel   TunnelKind
	network  uint32
}

// datagram is an incomplete datagram.
type datagram struct {
	key          datagramKey
	older, newer *datagram

	first   Packet // the packet of the fragment at offset 0, without its payload
	proto   Proto  // what that fragment says the datagram carries
	time    int64  // of the fragment that came first
	total   int    // bytes, once the last fragment is there; else -1
	have    int    // bytes of all pieces, overlaps counted twice
	pieces  []piece
	records []Fragment // in order of arrival, those of the tunnels around the fragments too
	held    uint64     // fragments
	cost    int        // what it takes of maxHeldBytes
}

// piece is the bytes of one fragment.
type piece struct {
	offset int
	data   []byte
}

func (p piece) end() int { return p.offset + len(p.data) }

// reassembly keeps incomplete datagrams, in order of their arrival.
type reassembly struct {
	datagrams      map[datagramKey]*datagram
	oldest, newest *datagram
	bytes          int
}

func (r *reassembly) add(g *datagram) {
	r.datagrams[g.key] = g
	if g.older = r.newest; g.older != nil {
		g.older.newer = g
	} else {
		r.oldest = g
	}
	r.newest = g
}

func (r *reassembly) remove(g *datagram) {
	delete(r.datagrams, g.key)
	r.bytes -= g.cost
	if g.older != nil {
		g.older.newer = g.newer
	} else {
		r.oldest = g.newer
	}
	if g.newer != nil {
		g.newer.older = g.older
	} else {
		r.newest = g.older
	}
}

// fragment keeps b, the piece of a datagram that packet p holds, or completes the
// datagram with it and decodes that. wire is b's length on the wire.
func (d *Decoder) fragment(p *Packet, f fragment, b []byte, wire int) {
	if f.offset+wire > maxDatagram || f.more && wire == 0 {
		d.malformed(p, FragmentLength)
		return
	}
	if d.single {
		p.Kind, p.ID, p.Seq, p.Payload, p.PayloadLen = Held, f.id, uint32(f.offset), b, uint32(wire)
		return
	}
	if len(b) < wire {
		d.cutFragment(p, f, b, wire)
		return
	}
	g := d.datagram(p, f)
	p.Kind = Held
	g.insert(p, f, b)
	if !g.complete() {
		d.keep(g, len(b))
		return
	}
	d.held.remove(g)
	d.stats.Completed++
	p.Fragments = append(p.Fragments[:0], g.records[:len(g.records)-1]...)
	p.Kind = Other
	data := g.assemble()
	d.upper(p, g.proto, data, len(data))
}

// cutFragment decodes a fragment that the capture cut.
func (d *Decoder) cutFragment(p *Packet, f fragment, b []byte, wire int) {
	d.stats.CutFragments++
	if f.offset == 0 {
		d.firstFragment(p, f.proto, b, wire)
		return
	}
	p.Kind, p.Proto, p.Payload, p.PayloadLen = IPOnly, f.proto, b, uint32(wire)
}

// firstFragment decodes the beginning of a datagram whose rest is missing. What
// the whole was long, UDP says itself.
func (d *Decoder) firstFragment(p *Packet, proto Proto, b []byte, wire int) {
	if proto == UDP && len(b) >= 8 {
		wire = max(wire, int(be.Uint16(b[4:])))
	}
	d.upper(p, proto, b, wire)
}

// datagram returns the incomplete datagram that fragment f of packet p belongs
// to, a new one if need be.
func (d *Decoder) datagram(p *Packet, f fragment) *datagram {
	key := datagramKey{
		src: p.Src, dst: p.Dst, id: f.id, space: f.space,
		vlan: p.VLAN, tunnel: p.Tunnel.Kind, network: p.Tunnel.ID,
	}
	g := d.held.datagrams[key]
	if g != nil && (p.Time-g.time > maxAge || g.time-p.Time > maxAge || len(g.pieces) >= maxPieces) {
		d.evict(g)
		g = nil
	}
	if g == nil {
		g = &datagram{key: key, time: p.Time, total: -1}
		d.held.add(g)
	}
	return g
}

// keep accounts for a piece of n bytes that g holds now, and gives up the oldest
// datagrams where a limit is passed.
func (d *Decoder) keep(g *datagram, n int) {
	d.stats.Held++
	g.cost += n + pieceOverhead
	d.held.bytes += n + pieceOverhead
	for d.held.bytes > maxHeldBytes || len(d.held.datagrams) > maxDatagrams {
		d.evict(d.held.oldest)
	}
}

func (d *Decoder) evict(g *datagram) {
	d.stats.Evicted += g.held
	d.held.remove(g)
}

// insert adds the piece b to g, in order of offset and then of arrival.
func (g *datagram) insert(p *Packet, f fragment, b []byte) {
	g.held++
	g.records = append(g.records, p.Fragments...) // of the tunnel around this one
	g.records = append(g.records, Fragment{Number: p.Number, Time: p.Time, OrigLen: p.OrigLen})
	if !f.more && g.total < 0 {
		g.total = f.offset + len(b)
	}
	at := len(g.pieces)
	for at > 0 && g.pieces[at-1].offset > f.offset {
		at--
	}
	if f.offset == 0 && at == 0 {
		g.first, g.proto = *p, f.proto
	}
	g.have += len(b)
	g.pieces = append(g.pieces, piece{})
	copy(g.pieces[at+1:], g.pieces[at:])
	g.pieces[at] = piece{offset: f.offset, data: bytes.Clone(b)}
}

// complete tells whether the pieces leave no hole up to the end.
func (g *datagram) complete() bool {
	if g.total < 0 || g.have < g.total {
		return false
	}
	end := 0
	for _, p := range g.pieces {
		if p.offset > end {
			return false
		}
		end = max(end, p.end())
	}
	return end >= g.total
}

// assemble returns the bytes of a complete datagram. Where pieces overlap, the one
// that begins further left wins, and of two that begin at the same place the one
// that came first, as in Wireshark.
func (g *datagram) assemble() []byte {
	data := make([]byte, 0, g.total)
	for _, p := range g.pieces {
		if n := len(data) - p.offset; n < len(p.data) {
			data = append(data, p.data[n:]...)
		}
	}
	return data[:g.total]
}

// Flush gives up all kept fragments, as at the end of an input. Of every datagram
// whose beginning was there, emit gets the packet it would have been, with the
// later fragments missing from its payload and the records of all others among
// its Fragments. The packet is valid during the call.
func (d *Decoder) Flush(emit func(*Packet)) {
	for g := d.held.oldest; g != nil; g = d.held.oldest {
		d.evict(g)
		if g.pieces[0].offset != 0 {
			continue
		}
		p := g.first
		p.Kind, p.Fragments = Other, nil
		for _, r := range g.records {
			if r.Number != p.Number {
				p.Fragments = append(p.Fragments, r)
			}
		}
		d.layers = maxLayers
		b := g.pieces[0].data
		d.firstFragment(&p, g.proto, b, len(b))
		if p.Kind == Transport {
			emit(&p)
		}
	}
}
