package packet

// tcp decodes a TCP segment (RFC 9293 section 3.1). Options that the capture cut
// leave a usable header: p.Options is what there is of them.
func (d *Decoder) tcp(p *Packet, b []byte, wire int) {
	if len(b) < 20 {
		d.ports(p, b)
		d.malformed(p, TransportCut)
		return
	}
	_ = b[19]
	p.SrcPort, p.DstPort = be.Uint16(b), be.Uint16(b[2:])
	p.Seq, p.Ack = be.Uint32(b[4:]), be.Uint32(b[8:])
	p.Flags = be.Uint16(b[12:]) & 0x0fff
	p.Window = be.Uint16(b[14:])
	header := int(b[12]>>4) * 4
	if header < 20 || header > wire {
		d.malformed(p, TCPOffset)
		return
	}
	captured := min(header, len(b))
	p.Kind = Transport
	p.Options = b[20:captured]
	p.Payload = b[captured:]
	p.PayloadLen = uint32(wire - header)
}

// udp decodes a UDP datagram (RFC 768) and the tunnels that ride on known ports.
func (d *Decoder) udp(p *Packet, b []byte, wire int) {
	if len(b) < 8 {
		d.ports(p, b)
		d.malformed(p, TransportCut)
		return
	}
	p.SrcPort, p.DstPort, p.Checksum = be.Uint16(b), be.Uint16(b[2:]), be.Uint16(b[6:])
	n := int(be.Uint16(b[4:]))
	switch {
	case n > wire: // a lie
		n = wire
	case n == 0 && (!p.Src.Is4() || wire > 0xffff): // a jumbogram (RFC 2675) or an offloaded datagram
		n = wire
	case n < 8:
		d.malformed(p, UDPLength)
		return
	}
	if len(b) > n {
		b = b[:n]
	}
	p.Kind, p.Payload, p.PayloadLen = Transport, b[8:], uint32(n-8)
	d.udpTunnel(p, b[8:], n-8)
}

// sctp takes an SCTP packet whole: the common header (RFC 9260 section 3.1) and the
// chunks.
func (d *Decoder) sctp(p *Packet, b []byte, wire int) {
	d.ports(p, b)
	if len(b) < 12 {
		d.malformed(p, TransportCut)
		return
	}
	p.Kind, p.Payload, p.PayloadLen = Transport, b, uint32(wire)
}

// icmp takes an ICMP (RFC 792) or ICMPv6 (RFC 4443) message whole.
func (d *Decoder) icmp(p *Packet, b []byte, wire int) {
	if len(b) < 4 {
		d.malformed(p, TransportCut)
		return
	}
	p.Kind, p.Payload, p.PayloadLen = Transport, b, uint32(wire)
}

// ports reads the ports, which TCP, UDP and SCTP begin with, as far as captured.
func (d *Decoder) ports(p *Packet, b []byte) {
	if len(b) >= 4 {
		p.SrcPort, p.DstPort = be.Uint16(b), be.Uint16(b[2:])
	}
}
