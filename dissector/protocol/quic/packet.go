package quic

import (
	"encoding/binary"

	"shark/dissector/wire"
)

// Kinds of packets with a long header, numbered as v1 does (RFC 9000 section 17.2).
const (
	kindInitial   = 0
	kindZeroRTT   = 1
	kindHandshake = 2
	kindRetry     = 3
	kindVersions  = 4 // Version Negotiation, which is no type but version 0
)

// connectionID is a connection ID (RFC 9000 section 5.1).
type connectionID struct {
	n uint8
	b [20]byte
}

func (c *connectionID) bytes() []byte { return c.b[:c.n] }

// packet is a packet with a long header. Its slices alias the datagram.
type packet struct {
	kind     int
	version  uint32
	dst, src connectionID
	token    []byte // of Initial and Retry
	number   int    // where the packet number begins; where the rest does for Retry and Version Negotiation
	b        []byte // all of it
}

const (
	longHeader  = 0x80
	fixedBit    = 0x40
	tagLen      = 16 // of AES-GCM
	sampleLen   = 16
	maxNumber   = 4                     // bytes of a packet number
	minIDLen    = 8                     // bytes of the connection ID that a client makes up, RFC 9000 section 7.2
	maxIDLen    = 20                    // bytes of a connection ID
	minLongHead = 4 + 3                 // bytes of a long header at least
	minProtect  = maxNumber + sampleLen // bytes of a protected packet behind its header at least
)

// parsePacket reads the header of the first packet of b (RFC 9000 section 17.2, RFC 8999).
// It is false for one that is cut or no long header.
func parsePacket(b []byte) (p packet, ok bool) {
	if len(b) < minLongHead || b[0]&longHeader == 0 {
		return p, false
	}
	p.version = binary.BigEndian.Uint32(b[1:])
	r := newReader(b[5:])
	p.dst, p.src = r.connectionID(), r.connectionID()
	if r.Bad {
		return p, false
	}
	p.kind, p.b = kindOf(b[0], p.version), b
	switch p.kind {
	case kindVersions:
		p.number = len(b) - len(r.B)
		return p, true
	case kindRetry:
		if len(r.B) < tagLen {
			return p, false
		}
		p.token = r.B[:len(r.B)-tagLen]
		p.number = len(b)
		return p, true
	case kindInitial:
		p.token = r.TakeLong(r.varint())
	}
	size := r.varint()
	if r.Bad || size > uint64(len(r.B)) || size < minProtect {
		return p, false
	}
	p.number = len(b) - len(r.B)
	p.b = b[:p.number+int(size)]
	return p, true
}

// kindOf returns the kind of a packet by its first byte.
func kindOf(first byte, number uint32) int {
	if number == 0 {
		return kindVersions
	}
	kind := int(first >> 4 & 3)
	if v := readable[number]; v != nil && v.second {
		return (kind + 3) & 3
	}
	return kind
}

// reader takes numbers and bytes from the front of a packet.
type reader struct{ wire.Reader }

func newReader(b []byte) reader { return reader{wire.Reader{B: b}} }

// varint takes a number whose first two bits say how long it is (RFC 9000 section 16).
func (r *reader) varint() uint64 {
	if len(r.B) == 0 {
		r.Fail()
		return 0
	}
	n := uint64(r.B[0] & 0x3f)
	b := r.Take(1 << (r.B[0] >> 6))
	if r.Bad {
		return 0
	}
	for _, c := range b[1:] {
		n = n<<8 | uint64(c)
	}
	return n
}

// connectionID takes a connection ID behind its length.
func (r *reader) connectionID() (id connectionID) {
	n := r.Take(1)
	if r.Bad || n[0] > maxIDLen {
		r.Fail()
		return id
	}
	id.n = n[0]
	copy(id.b[:], r.Take(int(id.n)))
	return id
}
