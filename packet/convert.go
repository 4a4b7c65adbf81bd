package packet

import "encoding/binary"

// etherHeader is the length of an Ethernet header.
const etherHeader = 14

// Ethernet is the link type that AppendEthernet makes.
const Ethernet = linkEthernet

// AppendEthernet appends to dst, as an Ethernet frame, what the frame b of link type t
// carries. wire is how long b was on the wire; size is that of the new frame. What
// Ethernet cannot carry, or whose header is cut short, is not ok.
//
// Behind the header every byte stays what it is. The header says what the old one said:
// the EtherType, the sender's address where it has the form of Ethernet's, and that a
// frame went to all. Addresses that nobody stated are zero.
func AppendEthernet(dst []byte, t LinkType, b []byte, wire int) (frame []byte, size int, ok bool) {
	c, ok := carry(t, b, wire)
	if !ok {
		return dst, 0, false
	}
	if t == linkEthernet {
		return append(dst, b...), wire, true
	}
	dst = append(append(dst, c.to[:]...), c.from[:]...)
	dst = binary.BigEndian.AppendUint16(dst, c.kind)
	return append(dst, b[c.header:]...), wire - c.header + etherHeader, true
}

// carried is what a frame's header says, in the words of Ethernet.
type carried struct {
	header   int // length of the header that goes
	kind     uint16
	from, to [6]byte
}

// carry reads the header of a frame.
func carry(t LinkType, b []byte, wire int) (c carried, ok bool) {
	switch t {
	case linkEthernet:
		return c, true
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		return carryIP(b, 0)
	case linkNull, linkLoop:
		return carryNull(b)
	case linkSLL:
		if len(b) < 16 {
			return c, false
		}
		return carryCooked(b[:16], wire, be.Uint16(b), be.Uint16(b[2:]), be.Uint16(b[14:]), b[4:14])
	case linkSLL2:
		if len(b) < 20 {
			return c, false
		}
		return carryCooked(b[:20], wire, uint16(b[10]), be.Uint16(b[8:]), be.Uint16(b), []byte{0, b[11], b[12], b[13], b[14], b[15], b[16], b[17]})
	case linkPPP, linkPPPSerial:
		return carryPPP(b)
	case linkCHDLC:
		return carryCisco(b)
	}
	return c, false
}

// carryIP tells IP by its version, n bytes into b.
func carryIP(b []byte, n int) (c carried, ok bool) {
	if len(b) <= n {
		return c, false
	}
	c.header = n
	switch b[n] >> 4 {
	case 4:
		c.kind = uint16(etherIPv4)
	case 6:
		c.kind = uint16(etherIPv6)
	}
	return c, c.kind != 0
}

// carryNull reads BSD's loopback header: an address family, or an EtherType.
func carryNull(b []byte) (c carried, ok bool) {
	if len(b) < 4 {
		return c, false
	}
	family := be.Uint32(b)
	if family > 0xffff {
		family = binary.LittleEndian.Uint32(b)
	}
	switch family {
	case 2, 10, 23, 24, 28, 30: // IP: see Decoder.null
		return carryIP(b, 4)
	}
	return carried{header: 4, kind: uint16(family)}, family > uint32(maxLength802_3) && family <= 0xffff
}

// carryCooked reads a Linux cooked header: kind of packet, hardware, protocol, and the
// length of the sender's address in two bytes with the address behind.
func carryCooked(head []byte, wire int, kind, hardware, protocol uint16, addr []byte) (c carried, ok bool) {
	const (
		toAll          = 1
		arphrdNetlink  = 824
		arphrdRadiotap = 803
		protocol802_2  = 4
	)
	c.header, c.kind = len(head), protocol
	switch {
	case hardware == arphrdNetlink, hardware == arphrdRadiotap:
		return c, false
	case protocol == protocol802_2: // Ethernet has the length there
		length := wire - len(head)
		if length < 0 || length > int(maxLength802_3) {
			return c, false
		}
		c.kind = uint16(length)
	case protocol <= uint16(maxLength802_3):
		return c, false
	}
	if be.Uint16(addr) == 6 {
		copy(c.from[:], addr[2:])
	}
	if kind == toAll {
		c.to = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	return c, true
}

// carryPPP reads PPP with IP inside.
func carryPPP(b []byte) (c carried, ok bool) {
	if len(b) >= 2 && (b[0] == 0x0f || b[0] == 0x8f) && b[1] == 0 {
		return carryCisco(b)
	}
	n := 0
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		n = 2
	}
	switch {
	case len(b) > n && (b[n] == 0x21 || b[n] == 0x57):
		return carryIP(b, n+1)
	case len(b) > n+1 && b[n] == 0 && (b[n+1] == 0x21 || b[n+1] == 0x57):
		return carryIP(b, n+2)
	}
	return c, false
}

// carryCisco reads Cisco's HDLC.
func carryCisco(b []byte) (c carried, ok bool) {
	if len(b) < 4 || be.Uint16(b[2:]) <= uint16(maxLength802_3) {
		return c, false
	}
	return carried{header: 4, kind: be.Uint16(b[2:])}, true
}
