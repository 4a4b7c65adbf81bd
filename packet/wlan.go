package packet

import "encoding/binary"

// wlan decodes an IEEE 802.11 frame (IEEE 802.11-2020 section 9.3). Only data
// frames in clear have IP inside; of an A-MSDU the first frame is decoded. padded
// tells that the header was padded to a multiple of 4 bytes.
func (d *Decoder) wlan(p *Packet, b []byte, wire int, padded bool) {
	const (
		version     = 0x03 // 0 in all frames there are
		typeMask    = 0x0c
		typeData    = 0x08
		noData      = 0x40 // subtype bit: null function
		qosBit      = 0x80 // subtype bit
		bothDS      = 0x03 // to and from the distribution system: a fourth address
		protected   = 0x40
		order       = 0x80 // in QoS data: an HT control field
		amsdu       = 0x80
		amsduHeader = 14
	)
	if len(b) < 2 {
		d.malformed(p, LinkCut)
		return
	}
	kind, flags := b[0], b[1]
	if kind&version != 0 && flags&version == 0 { // Cisco's CAPWAP has them the other way round
		kind, flags = flags, kind
	}
	if kind&typeMask != typeData || kind&noData != 0 || flags&protected != 0 {
		return
	}
	n, aggregated := 24, false
	if flags&bothDS == bothDS {
		n += 6
	}
	if kind&qosBit != 0 {
		aggregated = n < len(b) && b[n]&amsdu != 0
		n += 2
		if flags&order != 0 {
			n += 4
		}
	}
	if padded {
		n = (n + 3) &^ 3
	}
	if aggregated {
		n += amsduHeader
	}
	if b, wire, ok := d.skip(p, n, b, wire); ok {
		d.llc(p, b, wire)
	}
}

// radiotap skips a radiotap header (https://www.radiotap.org), of which only the
// flags matter here.
func (d *Decoder) radiotap(p *Packet, b []byte, wire int) {
	const (
		extended  = 1 << 31 // another word of presence bits follows
		hasTSFT   = 1 << 0
		hasFlags  = 1 << 1
		flagsPad  = 0x20
		headerLen = 8
	)
	if len(b) < headerLen {
		d.malformed(p, LinkCut)
		return
	}
	length, at := int(binary.LittleEndian.Uint16(b[2:])), headerLen
	present := binary.LittleEndian.Uint32(b[4:])
	for word := present; word&extended != 0 && at+4 <= len(b); at += 4 {
		word = binary.LittleEndian.Uint32(b[at:])
	}
	if present&hasTSFT != 0 {
		at = (at+7)&^7 + 8
	}
	padded := present&hasFlags != 0 && at < min(length, len(b)) && b[at]&flagsPad != 0
	if b, wire, ok := d.skip(p, max(length, headerLen), b, wire); ok {
		d.wlan(p, b, wire, padded)
	}
}

// prism skips a Prism or AVS header in front of an IEEE 802.11 frame. Both have
// their length at offset 4: AVS in network byte order, Prism in the host's.
func (d *Decoder) prism(p *Packet, b []byte, wire int) {
	if len(b) < 8 {
		d.malformed(p, LinkCut)
		return
	}
	n := be.Uint32(b[4:])
	if n > 0xffff {
		n = binary.LittleEndian.Uint32(b[4:])
	}
	d.inner(p, n, uint32(link80211), b, wire)
}

// ppi skips a per-packet information header: version, flags, length, link type.
func (d *Decoder) ppi(p *Packet, b []byte, wire int) {
	if len(b) < 8 {
		d.malformed(p, LinkCut)
		return
	}
	n, t := binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])
	d.inner(p, uint32(n), t, b, wire)
}
