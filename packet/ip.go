package packet

// IP protocol numbers that are not transports with conversations.
const (
	protoHopByHop    Proto = 0
	protoIPv4        Proto = 4
	protoIPv6        Proto = 41
	protoRouting     Proto = 43
	protoFragment    Proto = 44
	protoGRE         Proto = 47
	protoAH          Proto = 51
	protoNone        Proto = 59
	protoDestination Proto = 60
	protoMobility    Proto = 135
	protoShim6       Proto = 140
)

// Of the fragment field of an IPv4 header.
const moreFragments, offsetMask = 0x2000, 0x1fff

// usual decodes what nearly all packets are: IPv4 without options, and no fragment, in
// Ethernet. Of any other it knows nothing and leaves p alone. It does what ethernet, ip
// and ipv4 do, at half the instructions of all decoding; p is still empty.
func (d *Decoder) usual(p *Packet, b []byte) bool {
	const headers = 14 + 20
	if len(b) < headers || etherType(be.Uint16(b[12:])) != etherIPv4 || b[14] != 0x45 || be.Uint16(b[20:])&(moreFragments|offsetMask) != 0 {
		return false
	}
	total := int(be.Uint16(b[16:]))
	if total < 20 {
		return false
	}
	p.TTL, p.Proto, p.ID = b[22], Proto(b[23]), uint32(be.Uint16(b[18:]))
	p.Src[10], p.Src[11], p.Dst[10], p.Dst[11] = 0xff, 0xff, 0xff, 0xff
	copy(p.Src[12:], b[26:30])
	copy(p.Dst[12:], b[30:34])
	d.layers -= 2
	rest := b[headers:min(len(b), 14+total)]
	if p.Proto == TCP {
		d.tcp(p, rest, total-20)
	} else {
		d.upper(p, p.Proto, rest, total-20)
	}
	return true
}

// ip decodes IPv4 or IPv6, whichever the first four bits say. b was wire bytes
// long on the wire, or more than the packet's own length where a link layer pads.
func (d *Decoder) ip(p *Packet, b []byte, wire int) {
	if !d.next(p) {
		return
	}
	if len(b) == 0 {
		d.malformed(p, IPCut)
		return
	}
	switch b[0] >> 4 {
	case 4:
		d.ipv4(p, b, wire)
	case 6:
		d.ipv6(p, b, wire)
	default:
		d.malformed(p, IPVersion)
	}
}

// ipv4 decodes an IPv4 packet (RFC 791).
func (d *Decoder) ipv4(p *Packet, b []byte, wire int) {
	if len(b) < 20 {
		d.malformed(p, IPCut)
		return
	}
	header := int(b[0]&0x0f) * 4
	total := int(be.Uint16(b[2:]))
	if total == 0 {
		total = offloaded(b, wire)
	}
	p.Src, p.Dst = AddrFrom4(b[12:16]), AddrFrom4(b[16:20])
	p.TTL, p.Proto, p.ID = b[8], Proto(b[9]), uint32(be.Uint16(b[4:]))
	if header < 20 || total < header {
		d.malformed(p, IPLength)
		return
	}
	if len(b) < header {
		d.malformed(p, IPCut)
		return
	}
	if len(b) > total {
		b = b[:total] // link-layer padding or checksum
	}
	if f := be.Uint16(b[6:]); f&(moreFragments|offsetMask) != 0 {
		d.fragment(p, fragment{
			id:     uint32(be.Uint16(b[4:])),
			space:  p.Proto,
			proto:  p.Proto,
			offset: int(f&offsetMask) * 8,
			more:   f&moreFragments != 0,
		}, b[header:], total-header)
		return
	}
	d.upper(p, p.Proto, b[header:], total-header)
}

// ipv6 decodes an IPv6 packet (RFC 8200). The length of a jumbogram (RFC 2675)
// is taken from the record, like that of an offloaded packet.
func (d *Decoder) ipv6(p *Packet, b []byte, wire int) {
	if len(b) < 40 {
		d.malformed(p, IPCut)
		return
	}
	n := int(be.Uint16(b[4:]))
	p.Src, p.Dst = AddrFrom16(b[8:24]), AddrFrom16(b[24:40])
	p.Proto, p.TTL, p.ID = Proto(b[6]), b[7], be.Uint32(b)&0xfffff
	b, wire = b[40:], wire-40
	if n == 0 && p.Proto != protoNone {
		n = offloaded(b, wire)
	}
	if len(b) > n {
		b = b[:n]
	}
	d.upper(p, p.Proto, b, n)
}

// offloaded returns the length of a packet whose IP header does not state it.
func offloaded(b []byte, wire int) int {
	if wire > maxOffload {
		return len(b)
	}
	return wire
}

// upper decodes what follows an IP header: extension headers, a transport, or a
// tunnel. wire is what the IP header says b's length is, never below len(b).
func (d *Decoder) upper(p *Packet, proto Proto, b []byte, wire int) {
	for {
		p.Proto = proto
		switch proto {
		case TCP:
			d.tcp(p, b, wire)
			return
		case UDP:
			d.udp(p, b, wire)
			return
		case SCTP:
			d.sctp(p, b, wire)
			return
		case ICMP, ICMPv6:
			d.icmp(p, b, wire)
			return
		}
		n := 0
		switch proto {
		case protoHopByHop, protoRouting, protoDestination, protoShim6:
			if len(b) >= 8 {
				n = 8 + int(b[1])*8
			}
		case protoAH: // RFC 4302 section 2.2: in units of 4 bytes, less 2
			if len(b) >= 8 {
				n = 8 + int(b[1])*4
			}
		case protoFragment:
			d.ipv6Fragment(p, b, wire)
			return
		default:
			d.ipOnly(p, proto, b, wire)
			return
		}
		if n == 0 || n > len(b) {
			d.malformed(p, ExtensionCut)
			return
		}
		if !d.next(p) {
			return
		}
		proto, b, wire = Proto(b[0]), b[n:], wire-n
	}
}

// ipv6Fragment decodes an IPv6 fragment header (RFC 8200 section 4.5).
func (d *Decoder) ipv6Fragment(p *Packet, b []byte, wire int) {
	if len(b) < 8 {
		d.malformed(p, ExtensionCut)
		return
	}
	f := fragment{
		id:     be.Uint32(b[4:]),
		space:  protoFragment, // an IPv6 identification does not depend on the protocol
		proto:  Proto(b[0]),
		offset: int(be.Uint16(b[2:]) &^ 7),
		more:   b[3]&1 != 0,
	}
	if !d.next(p) {
		return
	}
	if f.offset == 0 && !f.more { // atomic fragment: complete by itself (RFC 6946)
		d.upper(p, f.proto, b[8:], wire-8)
		return
	}
	p.Proto = f.proto
	d.fragment(p, f, b[8:], wire-8)
}

// ipOnly ends a packet whose transport has no ports, or finds a tunnel in it.
func (d *Decoder) ipOnly(p *Packet, proto Proto, b []byte, wire int) {
	p.Kind, p.Payload, p.PayloadLen = IPOnly, b, uint32(wire)
	switch proto {
	case protoIPv4, protoIPv6:
		d.tunnel(p, IPinIP, 0, etherIPv4, b, wire)
	case protoGRE:
		d.gre(p, b, wire)
	}
}
