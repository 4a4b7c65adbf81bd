package packet

import "encoding/binary"

// Link-layer header types that are decoded; a packet of another is of kind Other.
const (
	linkNull      LinkType = 0
	linkEthernet  LinkType = 1
	linkSLIP      LinkType = 8
	linkPPP       LinkType = 9
	linkRawBSD    LinkType = 12
	linkRawOpen   LinkType = 14
	linkPPPSerial LinkType = 50
	linkLLC       LinkType = 100 // RFC 1483 multiprotocol encapsulation
	linkRaw       LinkType = 101
	linkCHDLC     LinkType = 104
	link80211     LinkType = 105
	linkFrameRel  LinkType = 107
	linkLoop      LinkType = 108
	linkSLL       LinkType = 113
	linkPFLog     LinkType = 117
	linkPrism     LinkType = 119
	linkRadiotap  LinkType = 127
	linkAVS       LinkType = 163
	linkPPI       LinkType = 192
	linkIPv4      LinkType = 228
	linkIPv6      LinkType = 229
	linkNFLog     LinkType = 239
	linkPktap     LinkType = 258
	linkSLL2      LinkType = 276
	linkBrcmTag   LinkType = 281
	linkBrcmFront LinkType = 282
	linkDSA       LinkType = 284
	linkEDSA      LinkType = 285
)

// link decodes a frame of the given link-layer header type.
func (d *Decoder) link(p *Packet, t LinkType, b []byte, wire int) {
	if !d.next(p) {
		return
	}
	switch t {
	case linkEthernet:
		d.ethernet(p, b, wire)
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		d.ip(p, b, wire)
	case linkSLL:
		d.sll(p, b, wire)
	case linkSLL2:
		d.sll2(p, b, wire)
	case linkNull, linkLoop:
		d.null(p, b, wire)
	case linkPPP, linkPPPSerial:
		d.pppSerial(p, b, wire)
	case linkCHDLC:
		d.chdlc(p, b, wire)
	case linkLLC:
		d.llc(p, b, wire)
	case linkFrameRel:
		d.frameRelay(p, b, wire)
	case link80211:
		d.wlan(p, b, wire, false)
	case linkRadiotap:
		d.radiotap(p, b, wire)
	case linkPrism, linkAVS:
		d.prism(p, b, wire)
	case linkPPI:
		d.ppi(p, b, wire)
	case linkNFLog:
		d.nflog(p, b, wire)
	case linkPFLog:
		d.pflog(p, b, wire)
	case linkPktap:
		d.pktap(p, b, wire)
	case linkSLIP: // a pseudo-header of 16 bytes: direction and compressed header
		if b, wire, ok := d.skip(p, 16, b, wire); ok {
			d.ip(p, b, wire)
		}
	case linkBrcmFront:
		if b, wire, ok := d.skip(p, 4, b, wire); ok {
			d.ethernet(p, b, wire)
		}
	case linkBrcmTag, linkDSA:
		d.switchTag(p, 4, b, wire)
	case linkEDSA:
		d.switchTag(p, 8, b, wire)
	}
}

// sll decodes a Linux cooked header: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html.
func (d *Decoder) sll(p *Packet, b []byte, wire int) {
	if len(b) < 16 {
		d.malformed(p, LinkCut)
		return
	}
	d.cooked(p, be.Uint16(b[2:]), be.Uint16(b[14:]), b[16:], wire-16)
}

// sll2 decodes a Linux cooked header of version 2: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html.
func (d *Decoder) sll2(p *Packet, b []byte, wire int) {
	if len(b) < 20 {
		d.malformed(p, LinkCut)
		return
	}
	d.cooked(p, be.Uint16(b[8:]), be.Uint16(b), b[20:], wire-20)
}

// cooked decodes what a Linux cooked header announces by its ARPHRD type and its
// protocol.
func (d *Decoder) cooked(p *Packet, hardware, protocol uint16, b []byte, wire int) {
	const (
		arphrdNetlink  = 824
		arphrdRadiotap = 803
		protocol802_2  = 4
	)
	switch {
	case hardware == arphrdNetlink:
	case hardware == arphrdRadiotap:
		d.radiotap(p, b, wire)
	case protocol == protocol802_2:
		d.llc(p, b, wire)
	case etherType(protocol) > maxLength802_3:
		d.etherType(p, etherType(protocol), b, wire)
	}
}

// null decodes the header of BSD loopback: an address family of the system that
// captured, in its byte order or, for LINKTYPE_LOOP, in network byte order. Some
// systems put an EtherType there.
func (d *Decoder) null(p *Packet, b []byte, wire int) {
	if len(b) < 4 {
		d.malformed(p, LinkCut)
		return
	}
	family := be.Uint32(b)
	if family > 0xffff {
		family = binary.LittleEndian.Uint32(b)
	}
	switch family {
	case 2, // AF_INET everywhere
		10, 23, 24, 28, 30: // AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin
		d.ip(p, b[4:], wire-4)
	default:
		if family > uint32(maxLength802_3) && family <= 0xffff {
			d.etherType(p, etherType(family), b[4:], wire-4)
		}
	}
}

// pppSerial decodes PPP that may stand in Cisco's HDLC framing.
func (d *Decoder) pppSerial(p *Packet, b []byte, wire int) {
	if len(b) >= 2 && (b[0] == 0x0f || b[0] == 0x8f) && b[1] == 0 {
		d.chdlc(p, b, wire)
		return
	}
	d.ppp(p, b, wire)
}

// chdlc decodes Cisco HDLC: address, control, EtherType.
func (d *Decoder) chdlc(p *Packet, b []byte, wire int) {
	if len(b) < 4 {
		d.malformed(p, LinkCut)
		return
	}
	if t := etherType(be.Uint16(b[2:])); t > maxLength802_3 {
		d.etherType(p, t, b[4:], wire-4)
	}
}

// frameRelay decodes Q.922 addresses of two to four bytes with the multiprotocol
// encapsulation of RFC 2427, or with Cisco's, which is an EtherType.
func (d *Decoder) frameRelay(p *Packet, b []byte, wire int) {
	const (
		unnumbered = 0x03
		nlpidSNAP  = 0x80
		nlpidIPv6  = 0x8e
		nlpidIPv4  = 0xcc
		lastByte   = 1
	)
	n := 1
	for n < len(b) && n < 4 && b[n]&lastByte == 0 {
		n++
	}
	b, wire, ok := d.skip(p, n+1, b, wire)
	if !ok {
		return
	}
	if len(b) < 3 {
		d.malformed(p, LinkCut)
		return
	}
	if b[0] != unnumbered {
		if t := etherType(be.Uint16(b)); t > maxLength802_3 {
			d.etherType(p, t, b[2:], wire-2)
		}
		return
	}
	b, wire = b[1:], wire-1
	if b[0] == 0 { // padding to an even length
		b, wire = b[1:], wire-1
	}
	switch b[0] {
	case nlpidIPv4, nlpidIPv6:
		d.ip(p, b[1:], wire-1)
	case nlpidSNAP: // organisation 0 and an EtherType
		if len(b) >= 6 && b[1] == 0 && b[2] == 0 && b[3] == 0 {
			d.etherType(p, etherType(be.Uint16(b[4:])), b[6:], wire-6)
		}
	}
}

// nflog decodes a Linux netfilter log record, whose attributes are in the byte
// order of the host: https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html.
func (d *Decoder) nflog(p *Packet, b []byte, wire int) {
	const typePayload, headerLen = 9, 4
	b, wire, ok := d.skip(p, 4, b, wire)
	if !ok || len(b) < headerLen {
		return
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if n := int(order.Uint16(b)); n < headerLen || n > len(b) && int(be.Uint16(b)) <= len(b) {
		order = be
	}
	for len(b) >= headerLen {
		n, t := int(order.Uint16(b)), order.Uint16(b[2:])&0x7fff
		if n < headerLen {
			break
		}
		if t == typePayload {
			n = min(n, wire)
			d.ip(p, b[headerLen:min(n, len(b))], n-headerLen)
			return
		}
		n = (n + 3) &^ 3
		if n > len(b) {
			break
		}
		b, wire = b[n:], wire-n
	}
}

// pflog decodes OpenBSD's packet filter log: the first byte is the header's
// length before padding to 4 bytes.
func (d *Decoder) pflog(p *Packet, b []byte, wire int) {
	if len(b) == 0 {
		d.malformed(p, LinkCut)
		return
	}
	if b, wire, ok := d.skip(p, (int(b[0])+3)&^3, b, wire); ok {
		d.ip(p, b, wire)
	}
}

// pktap decodes Apple's header: its length, the kind of record, the link type of
// the frame behind it, in little-endian order.
func (d *Decoder) pktap(p *Packet, b []byte, wire int) {
	if len(b) < 12 {
		d.malformed(p, LinkCut)
		return
	}
	n, t := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
	d.inner(p, n, t, b, wire)
}

// inner decodes the frame of link type t that stands n bytes into b.
func (d *Decoder) inner(p *Packet, n, t uint32, b []byte, wire int) {
	if n > uint32(len(b)) {
		d.malformed(p, LinkCut)
		return
	}
	if t <= 0xffff {
		d.link(p, LinkType(t), b[n:], wire-int(n))
	}
}

// switchTag decodes Ethernet with a switch's tag of n bytes behind the addresses.
func (d *Decoder) switchTag(p *Packet, n int, b []byte, wire int) {
	b, wire, ok := d.skip(p, 12+n, b, wire)
	if !ok {
		return
	}
	if len(b) < 2 {
		d.malformed(p, LinkCut)
		return
	}
	d.etherType(p, etherType(be.Uint16(b)), b[2:], wire-2)
}
