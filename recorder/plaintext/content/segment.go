package content

import (
	"encoding/binary"
	"net/netip"
)

const (
	flagFIN = 1
	flagPSH = 8
	flagACK = 16

	header4   = 20
	header6   = 40
	headerTCP = 20
	tcp       = 6
)

// segment is a TCP segment.
type segment struct {
	from, to netip.AddrPort // both of IPv4 or both of IPv6
	seq, ack uint32
	flags    byte
	payload  []byte
}

// appendTo appends the segment in its IP packet to b. Its payload has to fit one: pieces of
// 16 KiB do.
func (s *segment) appendTo(b []byte) []byte {
	be := binary.BigEndian
	start := len(b)
	length := headerTCP + len(s.payload)
	src, dst := s.from.Addr(), s.to.Addr()
	pseudo := uint32(tcp) + uint32(length)
	if src.Is4() {
		b = append(b, 0x45, 0)
		b = be.AppendUint16(b, uint16(header4+length))
		b = append(b, 0, 0, 0x40, 0, 64, tcp, 0, 0) // may not be put in fragments
		a4, d4 := src.As4(), dst.As4()
		b = append(append(b, a4[:]...), d4[:]...)
		be.PutUint16(b[start+10:], fold(sum(b[start:], 0)))
		pseudo = sum(b[start+12:], pseudo)
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = be.AppendUint16(b, uint16(length))
		b = append(b, tcp, 64)
		a16, d16 := src.As16(), dst.As16()
		b = append(append(b, a16[:]...), d16[:]...)
		pseudo = sum(b[start+8:], pseudo)
	}
	start = len(b)
	b = be.AppendUint16(b, s.from.Port())
	b = be.AppendUint16(b, s.to.Port())
	b = be.AppendUint32(b, s.seq)
	b = be.AppendUint32(b, s.ack)
	b = append(b, headerTCP/4<<4, s.flags, 0xff, 0xff, 0, 0, 0, 0)
	b = append(b, s.payload...)
	be.PutUint16(b[start+16:], fold(sum(b[start:], pseudo)))
	return b
}

// sum adds the 16 bit words of b to s, which has room for 64 KiB of them.
func sum(b []byte, s uint32) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// fold makes the Internet checksum of a sum.
func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
