package packet

// UDP ports on which a tunnel is looked for.
const (
	portGTPU     = 2152
	portTeredo   = 3544
	portVXLAN    = 4789
	portVXLANGPE = 4790
	portVXLANOld = 8472 // before IANA gave one; still what the Linux kernel chooses
	portCAPWAP   = 5247
	portGeneve   = 6081
)

// tunnel decodes b, of the given EtherType, as the inside of a tunnel that p's
// flow carries. When there is no flow inside, p stays as it is and tunnel
// reports false.
func (d *Decoder) tunnel(p *Packet, kind TunnelKind, id uint32, inside etherType, b []byte, wire int) bool {
	outer := *p
	if p.Tunnel.Kind == NoTunnel {
		p.Tunnel = Tunnel{Kind: kind, ID: id, Src: p.Src, Dst: p.Dst}
	} else {
		p.Tunnel.Nested = true
	}
	p.Kind, p.SrcPort, p.DstPort = Other, 0, 0
	p.Payload, p.PayloadLen = nil, 0
	d.etherType(p, inside, b, wire)
	if p.Kind == Other || p.Kind == Malformed {
		*p = outer
		return false
	}
	return true
}

// udpTunnel looks for a tunnel by the ports of the datagram that p holds. Some
// endpoints answer from the tunnel's port.
func (d *Decoder) udpTunnel(p *Packet, b []byte, wire int) {
	if !d.tunnelOn(p.DstPort, p, b, wire) {
		d.tunnelOn(p.SrcPort, p, b, wire)
	}
}

func (d *Decoder) tunnelOn(port uint16, p *Packet, b []byte, wire int) bool {
	switch port {
	case portVXLAN, portVXLANOld:
		return d.vxlan(p, b, wire)
	case portVXLANGPE:
		return d.vxlanGPE(p, b, wire)
	case portGeneve:
		return d.geneve(p, b, wire)
	case portGTPU:
		return d.gtpu(p, b, wire)
	case portTeredo:
		return d.teredo(p, b, wire)
	case portCAPWAP:
		return d.capwap(p, b, wire)
	}
	return false
}

// vxlan looks into VXLAN (RFC 7348 section 5), with or without a group policy.
func (d *Decoder) vxlan(p *Packet, b []byte, wire int) bool {
	const vniValid = 0x08
	if len(b) < 8 || b[0]&vniValid == 0 {
		return false
	}
	return d.tunnel(p, VXLAN, be.Uint32(b[4:])>>8, etherBridged, b[8:], wire-8)
}

// vxlanGPE looks into VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe-13 section 3), which
// names what it carries.
func (d *Decoder) vxlanGPE(p *Packet, b []byte, wire int) bool {
	const vniValid, nextProtocolValid = 0x08, 0x04
	if len(b) < 8 || b[0]&vniValid == 0 {
		return false
	}
	inside := etherBridged
	if b[0]&nextProtocolValid != 0 {
		inside = nextProtocol(b[3])
	}
	return d.tunnel(p, VXLAN, be.Uint32(b[4:])>>8, inside, b[8:], wire-8)
}

// geneve looks into Geneve version 0 (RFC 8926 section 3.4).
func (d *Decoder) geneve(p *Packet, b []byte, wire int) bool {
	if len(b) < 8 || b[0]>>6 != 0 {
		return false
	}
	n := 8 + int(b[0]&0x3f)*4
	if n > len(b) {
		return false
	}
	return d.tunnel(p, Geneve, be.Uint32(b[4:])>>8, etherType(be.Uint16(b[2:])), b[n:], wire-n)
}

// gtpu looks into a T-PDU of GTP-U version 1 (3GPP TS 29.281 section 5).
func (d *Decoder) gtpu(p *Packet, b []byte, wire int) bool {
	const (
		version1   = 0x30 // version 1, protocol type GTP
		optional   = 0x07 // extension header, sequence number or N-PDU number present
		extended   = 0x04
		typeTPDU   = 0xff
		lengthBase = 8 // the length field does not count the first 8 bytes
	)
	if len(b) < 8 || b[0]&0xf0 != version1 || b[1] != typeTPDU {
		return false
	}
	if total := lengthBase + int(be.Uint16(b[2:])); total <= wire {
		b, wire = b[:min(total, len(b))], total
	}
	id, n := be.Uint32(b[4:]), 8
	if b[0]&optional != 0 {
		if len(b) < 12 {
			return false
		}
		n = 12
		for next := b[11]; b[0]&extended != 0 && next != 0; {
			if n >= len(b) || b[n] == 0 || n+int(b[n])*4 > len(b) {
				return false
			}
			n += int(b[n]) * 4 // an extension header ends with the type of the next
			next = b[n-1]
		}
	}
	return d.tunnel(p, GTPU, id, etherIPv4, b[n:], wire-n)
}

// capwap looks into CAPWAP's data channel in clear: whole frames of Ethernet or IEEE
// 802.11 (RFC 5415 section 4.3).
func (d *Decoder) capwap(p *Packet, b []byte, wire int) bool {
	const (
		native   = 0x01 // in byte 2: frames of the radio, not of Ethernet
		fragment = 0x80 // in byte 3
		alive    = 0x08 // no frame follows
		ieee     = 1    // binding of IEEE 802.11
	)
	if len(b) < 8 || b[0] != 0 || b[3]&(fragment|alive) != 0 {
		return false
	}
	n, radio, binding := int(b[1]>>3)*4, uint32(b[1]&7)<<2|uint32(b[2]>>6), b[2]>>1&0x1f
	if n < 8 || n > len(b) {
		return false
	}
	switch {
	case b[2]&native == 0:
		return d.tunnel(p, CAPWAP, radio, etherBridged, b[n:], wire-n)
	case binding == ieee:
		return d.tunnel(p, CAPWAP, radio, etherWLAN, b[n:], wire-n)
	}
	return false
}

// teredo looks into Teredo: IPv6 behind an optional authentication header and an
// optional origin indication (RFC 4380 section 5.1.1).
func (d *Decoder) teredo(p *Packet, b []byte, wire int) bool {
	if len(b) >= 4 && b[0] == 0 && b[1] == 1 {
		n := 13 + int(b[2]) + int(b[3]) // lengths of client id and authentication value
		if n > len(b) {
			return false
		}
		b, wire = b[n:], wire-n
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 {
		b, wire = b[8:], wire-8
	}
	return len(b) > 0 && b[0]>>4 == 6 && d.tunnel(p, IPinIP, 0, etherIPv6, b, wire)
}

// gre looks into GRE version 0 (RFC 2784, 2890, and the routing field of 1701) and
// version 1, which carries PPP (RFC 2637 section 4.1).
func (d *Decoder) gre(p *Packet, b []byte, wire int) {
	const (
		checksum = 0x8000
		routing  = 0x4000
		key      = 0x2000
		sequence = 0x1000
		ack      = 0x0080
		version  = 0x0007
	)
	if len(b) < 4 {
		return
	}
	flags, inside := be.Uint16(b), etherType(be.Uint16(b[2:]))
	n, id := 4, uint32(0)
	if flags&version == 0 && flags&(checksum|routing) != 0 {
		n += 4
	}
	if flags&key != 0 {
		if len(b) < n+4 {
			return
		}
		id = be.Uint32(b[n:])
		n += 4
	}
	if flags&sequence != 0 {
		n += 4
	}
	switch flags & version {
	case 0:
		if flags&routing != 0 {
			n = skipRoutes(b, n)
		}
	case 1:
		id &= 0xffff // the other half is the payload's length
		if flags&ack != 0 {
			n += 4
		}
	default:
		return
	}
	if inside == etherERSPAN2 && flags&sequence == 0 {
		inside = etherBridged // ERSPAN type I has no header of its own
	}
	if n < len(b) {
		d.tunnel(p, GRE, id, inside, b[n:], wire-n)
	}
}

// skipRoutes returns the offset behind the source routes that begin at offset n
// of a GRE header: they end with one of length 0 (RFC 1701).
func skipRoutes(b []byte, n int) int {
	for n+4 <= len(b) {
		length := int(b[n+3])
		n += 4 + length
		if length == 0 {
			return n
		}
	}
	return len(b)
}
