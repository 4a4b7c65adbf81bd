package block

import (
	"bytes"
	"slices"

	"shark/packet"
)

// gathering is what the packets of a block being filled have.
type gathering struct {
	addrs map[uint32]struct{} // by their place among all addresses met so far
	ports map[uint16]struct{}
	any   bool     // of addresses, there are more than are named
	every bool     // of ports, they are not all known
	known [16]ends // of packets of which all is gathered, some by their ports
}

// ends are the addresses and ports of a packet.
type ends struct {
	src, dst         packet.Addr
	srcPort, dstPort uint16
}

// has tells whether a packet has these ends, either way round.
func (e *ends) has(p *packet.Packet) bool {
	return p.SrcPort == e.srcPort && p.DstPort == e.dstPort && p.Src == e.src && p.Dst == e.dst ||
		p.SrcPort == e.dstPort && p.DstPort == e.srcPort && p.Src == e.dst && p.Dst == e.src
}

func (g *gathering) reset() {
	clear(g.addrs)
	clear(g.ports)
	*g = gathering{addrs: g.addrs, ports: g.ports}
}

// directory gives numbers to addresses as they are met.
type directory struct {
	numbers map[packet.Addr]uint32
	list    []packet.Addr
}

func (d *directory) number(a packet.Addr) uint32 {
	n, ok := d.numbers[a]
	if !ok {
		n = uint32(len(d.list))
		d.numbers[a] = n
		d.list = append(d.list, a)
	}
	return n
}

// add gathers a packet. Most are of a flow that has had packets shortly before.
func (g *gathering) add(p *packet.Packet, d *directory) {
	if p.Tunnel.Kind == packet.NoTunnel {
		known := &g.known[int(p.SrcPort^p.DstPort)%len(g.known)]
		if known.has(p) {
			return
		}
		*known = ends{p.Src, p.Dst, p.SrcPort, p.DstPort}
	}
	if g.addrs == nil {
		g.addrs, g.ports = make(map[uint32]struct{}), make(map[uint16]struct{})
	}
	for _, a := range [...]packet.Addr{p.Src, p.Dst, p.Tunnel.Src, p.Tunnel.Dst} {
		if a == (packet.Addr{}) || g.any {
			continue
		}
		if len(g.addrs) >= maxSet || len(d.list) >= maxMet {
			g.any = true
			clear(g.addrs)
			continue
		}
		g.addrs[d.number(a)] = struct{}{}
	}
	g.port(p.SrcPort)
	g.port(p.DstPort)
	g.every = g.every || p.Tunnel.Kind != packet.NoTunnel // whose own ports are not told
	if p.Tunnel.Nested {
		g.all()
	}
}

// all says that there may be any address, and any port.
func (g *gathering) all() {
	g.any, g.every = true, true
	clear(g.addrs)
}

func (g *gathering) port(n uint16) {
	if n > 0 {
		g.ports[n] = struct{}{}
	}
}

// describe says in the block's line of the index what was gathered. Addresses have their
// numbers of the directory, which finish replaces.
func (g *gathering) describe(b *Block) {
	b.anyAddr = g.any
	for n := range g.addrs {
		b.addrs = append(b.addrs, n)
	}
	slices.Sort(b.addrs)
	switch {
	case g.every:
		b.filter = bytes.Repeat([]byte{0xff}, filterSize)
		return
	case len(g.ports) > maxPorts:
		b.filter = make([]byte, filterSize)
		for n := range g.ports {
			at := filterBit(n)
			b.filter[at/8] |= 1 << (at % 8)
		}
		return
	}
	for n := range g.ports {
		b.ports = append(b.ports, n)
	}
	slices.Sort(b.ports)
}

// filterBit is the bit that stands for a port, and for others, in a filter.
func filterBit(port uint16) int { return int(uint32(port) * 40503 >> 4 % (filterSize * 8)) }
