package traffic

import (
	"encoding/binary"
	"math/bits"

	"shark/packet"
)

// Sizes of headers, in bytes.
const (
	etherHeader = 14
	ip4Header   = 20
	ip6Header   = 40
	tcpHeader   = 20
	stampOption = 12 // NOP, NOP, timestamps
	synOptions  = 20
	udpHeader   = 8

	mtu       = 1500
	maxFrame  = etherHeader + mtu
	scaledWin = 502 // times 128: the window that Linux begins with
)

// ethernet is the link type of all frames.
const ethernet packet.LinkType = 1

// segment is one packet before it is built. Its payload belongs to its
// conversation, or to all, and stays as it is until the packet was written.
type segment struct {
	at        int64
	payload   []byte
	seq, ack  uint32
	val, ecr  uint32 // of the timestamps option
	flags     uint8
	again     bool // the same packet seen once more: it keeps the IP id
	elsewhere bool // seen at the other end's node
}

// template builds the frames of one direction of a conversation.
type template struct {
	header [etherHeader + ip6Header + tcpHeader + synOptions]byte
	v6     bool
	tcp    bool
	pseudo uint64 // sum of the pseudo-header without the length
	id     uint16 // of the IPv4 header
}

// fill fills in what all frames of the direction have in common.
func (t *template) fill(src, dst *endpoint, tcp bool, id uint16) {
	*t = template{v6: !src.host.addr.Is4(), tcp: tcp, id: id}
	h := t.header[:]
	copy(h, dst.host.mac[:])
	copy(h[6:], src.host.mac[:])
	proto := byte(packet.UDP)
	if tcp {
		proto = byte(packet.TCP)
	}
	ip := h[etherHeader:]
	var addrs []byte
	if t.v6 {
		binary.BigEndian.PutUint16(h[12:], 0x86dd)
		ip[0], ip[6], ip[7] = 0x60, proto, 64
		copy(ip[8:], src.host.addr[:])
		copy(ip[24:], dst.host.addr[:])
		addrs, ip = ip[8:40], ip[ip6Header:]
	} else {
		binary.BigEndian.PutUint16(h[12:], 0x0800)
		ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, 64, proto
		copy(ip[12:], src.host.addr[12:])
		copy(ip[16:], dst.host.addr[12:])
		addrs, ip = ip[12:20], ip[ip4Header:]
	}
	t.pseudo = sum(addrs, 0) + uint64(proto)<<8 // as a little-endian word
	binary.BigEndian.PutUint16(ip, src.port)
	binary.BigEndian.PutUint16(ip[2:], dst.port)
}

// frame builds the packet of s in buf, which holds maxFrame bytes.
func (t *template) frame(buf []byte, s *segment) []byte {
	at := etherHeader + ip4Header
	if t.v6 {
		at = etherHeader + ip6Header
	}
	head := udpHeader
	if t.tcp {
		head = tcpHeader + stampOption
		if s.flags&uint8(packet.SYN) != 0 {
			head = tcpHeader + synOptions
		}
		if s.flags&uint8(packet.RST) != 0 {
			head = tcpHeader
		}
	}
	copy(buf, t.header[:at+4])
	n := head + copy(buf[at+head:], s.payload)
	t.ip(buf, n, s)
	if t.tcp {
		putTCP(buf[at:at+head], s)
	} else {
		binary.BigEndian.PutUint16(buf[at+4:], uint16(n))
		buf[at+6], buf[at+7] = 0, 0
	}
	check := at + 6
	if t.tcp {
		check = at + 16
	}
	c := ^fold(sum(buf[at:at+n], t.pseudo+uint64(bits.ReverseBytes16(uint16(n)))))
	if c == 0 && !t.tcp {
		c = 0xffff // RFC 768: 0 means no checksum
	}
	binary.LittleEndian.PutUint16(buf[check:], c)
	return buf[:at+n]
}

// ip completes the IP header of a packet with n bytes behind it.
func (t *template) ip(buf []byte, n int, s *segment) {
	ip := buf[etherHeader:]
	if t.v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(n))
		return
	}
	if !s.again {
		t.id++
	}
	binary.BigEndian.PutUint16(ip[2:], uint16(ip4Header+n))
	binary.BigEndian.PutUint16(ip[4:], t.id)
	ip[10], ip[11] = 0, 0
	binary.LittleEndian.PutUint16(ip[10:], ^fold(sum(ip[:ip4Header], 0)))
}

// putTCP writes a header behind the ports, checksum 0.
func putTCP(h []byte, s *segment) {
	binary.BigEndian.PutUint32(h[4:], s.seq)
	binary.BigEndian.PutUint32(h[8:], s.ack)
	h[12], h[13] = byte(len(h)/4)<<4, s.flags
	window := uint16(scaledWin)
	o := h[tcpHeader:]
	switch {
	case s.flags&uint8(packet.SYN) != 0:
		window = 64240
		// MSS 1460, SACK permitted, timestamps, NOP, window scale 7
		copy(o, "\x02\x04\x05\xb4\x04\x02\x08\x0a")
		binary.BigEndian.PutUint32(o[8:], s.val)
		binary.BigEndian.PutUint32(o[12:], s.ecr)
		copy(o[16:], "\x01\x03\x03\x07")
	case s.flags&uint8(packet.RST) != 0:
		window = 0
	default:
		copy(o, "\x01\x01\x08\x0a")
		binary.BigEndian.PutUint32(o[4:], s.val)
		binary.BigEndian.PutUint32(o[8:], s.ecr)
	}
	binary.BigEndian.PutUint16(h[14:], window)
	h[16], h[17], h[18], h[19] = 0, 0, 0, 0
}

// sum adds the bytes of b as little-endian 16-bit words to a ones' complement
// sum. RFC 1071, section 2 (B): the sum does not depend on the byte order.
func sum(b []byte, s uint64) uint64 {
	var carry uint64
	for len(b) >= 32 {
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b), 0)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[8:]), carry)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[16:]), carry)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[24:]), carry)
		s += carry // cannot overflow: after a carry s is below the last addend
		b = b[32:]
	}
	for len(b) >= 4 {
		s, carry = bits.Add64(s, uint64(binary.LittleEndian.Uint32(b)), 0)
		s += carry
		b = b[4:]
	}
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	s, carry = bits.Add64(s, tail, 0)
	return s + carry
}

// fold reduces a sum to 16 bits.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}
