package sightingtest

import (
	"encoding/binary"
	"net/netip"

	"shark/packet"
)

var be = binary.BigEndian

// frame is a packet as it is on the wire: behind the NAT or before it, on the nodes' own
// interface or on a pod's.
func (t *talk) frame(from int, p *transport, behind, underlay bool, o Overlay, ttl byte) []byte {
	ends := t.seen
	if behind {
		ends = t.ends
	}
	src, dst := ends[from], ends[1-from]
	switch {
	case !underlay || o == Routed:
		return ethernet(src.Addr(), p.ip(src, dst, ttl))
	case o == VXLAN:
		return outer(from, 4789, []byte{8, 0, 0, 0, 0, 0, 42, 0}, ethernet(src.Addr(), p.ip(src, dst, ttl)))
	}
	return outer(from, 6081, []byte{0, 0, 0x65, 0x58, 0, 0, 42, 0}, ethernet(src.Addr(), p.ip(src, dst, ttl)))
}

// outer puts a frame into a tunnel between the nodes.
func outer(from int, port uint16, head, inner []byte) []byte {
	ends := [2]netip.AddrPort{
		netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 0, byte(1 + from)}), 55555),
		netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 0, byte(2 - from)}), port),
	}
	p := transport{proto: packet.UDP, payload: append(head, inner...)}
	return ethernet(ends[0].Addr(), p.ip(ends[0], ends[1], 64))
}

func ethernet(addr netip.Addr, ip []byte) []byte {
	b := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, 8, 0)
	if addr.Is6() {
		b[12], b[13] = 0x86, 0xdd
	}
	return append(b, ip...)
}

// ip is the packet from its IP header on.
func (p *transport) ip(src, dst netip.AddrPort, ttl byte) []byte {
	body := p.bytes(src, dst)
	if src.Addr().Is6() {
		b := be.AppendUint32(nil, 6<<28|p.flow)
		b = append(be.AppendUint16(b, uint16(len(body))), byte(p.proto), ttl)
		b = append(append(b, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
		return append(b, body...)
	}
	b := be.AppendUint16([]byte{0x45, 0}, uint16(20+len(body)))
	b = append(be.AppendUint16(b, p.id), 0x40, 0, ttl, byte(p.proto), 0, 0)
	b = append(append(b, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	be.PutUint16(b[10:], ^sum(0, b))
	return append(b, body...)
}

// bytes is the packet from its transport header on, with its checksum.
func (p *transport) bytes(src, dst netip.AddrPort) []byte {
	if p.proto == packet.ICMP {
		b := append([]byte(nil), p.payload...)
		be.PutUint16(b[2:], ^sum(0, b))
		return b
	}
	b := be.AppendUint16(be.AppendUint16(nil, src.Port()), dst.Port())
	place := 6
	if p.proto == packet.UDP {
		b = append(be.AppendUint16(b, uint16(8+len(p.payload))), 0, 0)
	} else {
		place = 16
		words := uint16(5)
		if p.stamped {
			words = 8
		}
		b = be.AppendUint32(be.AppendUint32(b, p.seq), p.ack)
		b = be.AppendUint16(be.AppendUint16(b, words<<12|p.flags), p.window)
		b = append(b, 0, 0, 0, 0)
		if p.stamped {
			b = be.AppendUint32(be.AppendUint32(append(b, 1, 1, 8, 10), p.stamps[0]), p.stamps[1])
		}
	}
	b = append(b, p.payload...)
	pseudo := uint32(p.proto) + uint32(len(b))
	pseudo += uint32(sum(0, src.Addr().AsSlice())) + uint32(sum(0, dst.Addr().AsSlice()))
	be.PutUint16(b[place:], ^sum(pseudo, b))
	return b
}

// sum is the Internet checksum, not complemented.
func sum(n uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		n += uint32(be.Uint16(b))
	}
	if len(b) == 1 {
		n += uint32(b[0]) << 8
	}
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return uint16(n)
}
