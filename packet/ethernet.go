package packet

// etherType says what a link layer or tunnel carries:
// https://www.iana.org/assignments/ieee-802-numbers.
type etherType uint16

const (
	maxLength802_3 etherType = 1500 // at or below: a length, not a type

	etherIPv4     etherType = 0x0800
	etherERSPAN3  etherType = 0x22eb
	etherBridged  etherType = 0x6558 // Ethernet without its checksum
	etherVLAN     etherType = 0x8100
	etherIPv6     etherType = 0x86dd
	etherPPP      etherType = 0x880b
	etherMPLS     etherType = 0x8847
	etherMPLSUp   etherType = 0x8848 // upstream-assigned or multicast labels
	etherPPPoE    etherType = 0x8864
	etherQinQ     etherType = 0x88a8
	etherCisco    etherType = 0x8909 // Cisco MetaData: security group tags
	etherNSH      etherType = 0x894f
	etherERSPAN2  etherType = 0x88be
	etherQinQOld  etherType = 0x9100
	etherQinQOld2 etherType = 0x9200

	etherWLAN etherType = 0x05ff // IEEE 802.11; ours, from among those that are neither type nor length
)

// ethernet decodes an Ethernet frame.
func (d *Decoder) ethernet(p *Packet, b []byte, wire int) {
	if len(b) < 14 {
		d.malformed(p, LinkCut)
		return
	}
	d.etherType(p, etherType(be.Uint16(b[12:])), b[14:], wire-14)
}

// etherType decodes b as what t says it is. What has no IP inside is of kind Other.
func (d *Decoder) etherType(p *Packet, t etherType, b []byte, wire int) {
	for {
		switch t {
		case etherIPv4, etherIPv6:
			d.ip(p, b, wire)
			return
		case etherVLAN, etherQinQ, etherQinQOld, etherQinQOld2:
			if len(b) < 4 {
				d.malformed(p, LinkCut)
				return
			}
			if p.VLAN == 0 {
				p.VLAN = be.Uint16(b)&0x0fff + 1
			}
			t, b, wire = etherType(be.Uint16(b[2:])), b[4:], wire-4
		default:
			d.encapsulated(p, t, b, wire)
			return
		}
		if !d.next(p) {
			return
		}
	}
}

// encapsulated decodes the rarer contents of a frame.
func (d *Decoder) encapsulated(p *Packet, t etherType, b []byte, wire int) {
	if !d.next(p) {
		return
	}
	switch t {
	case etherMPLS, etherMPLSUp:
		d.mpls(p, b, wire)
	case etherPPPoE:
		d.pppoe(p, b, wire)
	case etherPPP:
		d.ppp(p, b, wire)
	case etherBridged:
		d.ethernet(p, b, wire)
	case etherWLAN:
		d.wlan(p, b, wire, false)
	case etherERSPAN2: // 8 bytes of header (draft-foschiano-erspan-03 section 4.2)
		if b, wire, ok := d.skip(p, 8, b, wire); ok {
			d.ethernet(p, b, wire)
		}
	case etherERSPAN3:
		d.erspan3(p, b, wire)
	case etherCisco: // version, length, option of 4 bytes, EtherType
		if rest, wire, ok := d.skip(p, 8, b, wire); ok {
			d.etherType(p, etherType(be.Uint16(b[6:])), rest, wire)
		}
	case etherNSH:
		d.nsh(p, b, wire)
	default:
		if t > maxLength802_3 {
			return
		}
		n := int(t)
		if n == 0 || n > wire {
			n = wire
		}
		d.llc(p, b[:min(n, len(b))], n)
	}
}

// nsh decodes a network service header (RFC 8300 section 2.2): the length in units
// of 4 bytes, then what follows.
func (d *Decoder) nsh(p *Packet, b []byte, wire int) {
	if len(b) < 8 {
		d.malformed(p, LinkCut)
		return
	}
	if rest, wire, ok := d.skip(p, max(8, int(b[1]&0x3f)*4), b, wire); ok {
		if t := nextProtocol(b[3]); t != 0 {
			d.etherType(p, t, rest, wire)
		}
	}
}

// nextProtocol maps the next protocol of NSH, which VXLAN-GPE shares, to an
// EtherType. It is 0 where there is none.
func nextProtocol(n byte) etherType {
	switch n {
	case 1:
		return etherIPv4
	case 2:
		return etherIPv6
	case 3:
		return etherBridged
	case 4:
		return etherNSH
	case 5:
		return etherMPLS
	}
	return 0
}

// llc decodes an IEEE 802.2 header, with SNAP (RFC 1042) where it is there.
func (d *Decoder) llc(p *Packet, b []byte, wire int) {
	const (
		sapIP        = 0x06
		sapSNAP      = 0xaa
		unnumbered   = 0x03
		ouiEtherType = 0x000000
		ouiBridge    = 0x0000f8 // EtherTypes through 802.1H bridges
	)
	if len(b) < 3 {
		d.malformed(p, LinkCut)
		return
	}
	if b[2] != unnumbered {
		return
	}
	switch {
	case b[0] == sapIP && b[1] == sapIP:
		d.ip(p, b[3:], wire-3)
	case b[0] == sapSNAP && b[1] == sapSNAP:
		if len(b) < 8 {
			d.malformed(p, LinkCut)
			return
		}
		oui, t := be.Uint32(b[2:])&0xffffff, etherType(be.Uint16(b[6:]))
		if (oui == ouiEtherType || oui == ouiBridge) && t > maxLength802_3 && d.next(p) {
			d.etherType(p, t, b[8:], wire-8)
		}
	}
}

// mpls decodes a label stack (RFC 3032) and what is under it. Nothing names that:
// its first four bits decide, and where IP does not come out, Ethernet is tried,
// behind a control word (RFC 4448 section 4.6) if there may be one.
func (d *Decoder) mpls(p *Packet, b []byte, wire int) {
	for bottom := false; !bottom; b, wire = b[4:], wire-4 {
		if len(b) < 4 {
			d.malformed(p, LinkCut)
			return
		}
		bottom = b[2]&1 != 0
	}
	if len(b) == 0 {
		d.malformed(p, LinkCut)
		return
	}
	const associatedChannel = 1 // RFC 5586: not the pseudowire's data
	switch b[0] >> 4 {
	case associatedChannel:
		return
	case 4: // also how a MAC address may begin, but then no checksum fits
		if ipv4Checksum(b) || !d.try(p, etherBridged, b, wire) {
			d.ip(p, b, wire)
		}
		return
	case 6:
		if d.try(p, etherIPv6, b, wire) {
			return
		}
	case 0:
		if len(b) > 4 && d.try(p, etherBridged, b[4:], wire-4) {
			return
		}
	}
	d.try(p, etherBridged, b, wire)
}

// ipv4Checksum tells whether b begins with an IPv4 header whose checksum is right.
func ipv4Checksum(b []byte) bool {
	n := int(b[0]&0x0f) * 4
	if n < 20 || len(b) < n {
		return false
	}
	sum := uint32(0)
	for i := 0; i < n; i += 2 {
		sum += uint32(be.Uint16(b[i:]))
	}
	return sum>>16+sum&0xffff == 0xffff // at most 30 words: one carry is enough
}

// try decodes b as a guess. A guess that finds no IP leaves p as it was.
func (d *Decoder) try(p *Packet, t etherType, b []byte, wire int) bool {
	before := *p
	d.etherType(p, t, b, wire)
	if p.Kind == Other || p.Kind == Malformed {
		*p = before
		return false
	}
	return true
}

// pppoe decodes a PPPoE session frame (RFC 2516 section 4).
func (d *Decoder) pppoe(p *Packet, b []byte, wire int) {
	if len(b) < 6 {
		d.malformed(p, LinkCut)
		return
	}
	if b[0] != 0x11 || b[1] != 0 { // version 1, type 1, session data
		return
	}
	n := int(be.Uint16(b[4:]))
	b, wire = b[6:], wire-6
	if n <= wire {
		b, wire = b[:min(n, len(b))], n
	}
	d.ppp(p, b, wire)
}

// ppp decodes PPP (RFC 1661), with or without HDLC framing (RFC 1662) and with a
// protocol field of one or two bytes.
func (d *Decoder) ppp(p *Packet, b []byte, wire int) {
	const (
		pppIPv4   = 0x0021
		pppIPv6   = 0x0057
		pppMPLS   = 0x0281
		pppMPLSUp = 0x0283
	)
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b, wire = b[2:], wire-2
	}
	if len(b) < 2 {
		d.malformed(p, LinkCut)
		return
	}
	protocol, n := int(be.Uint16(b)), 2
	if b[0]&1 != 0 { // the last byte of the field is odd
		protocol, n = int(b[0]), 1
	}
	b, wire = b[n:], wire-n
	switch protocol {
	case pppIPv4, pppIPv6:
		d.ip(p, b, wire)
	case pppMPLS, pppMPLSUp:
		if d.next(p) {
			d.mpls(p, b, wire)
		}
	}
}

// erspan3 decodes ERSPAN type III (draft-foschiano-erspan-03 section 4.3).
func (d *Decoder) erspan3(p *Packet, b []byte, wire int) {
	const (
		headerLen = 12
		extraLen  = 8 // platform specific sub-header
		extraFlag = 1
	)
	n := headerLen
	if len(b) >= headerLen && b[headerLen-1]&extraFlag != 0 {
		n += extraLen
	}
	if b, wire, ok := d.skip(p, n, b, wire); ok {
		d.ethernet(p, b, wire)
	}
}
