package sighting

import (
	"encoding/binary"
	"hash/maphash"

	"shark/packet"
)

// proof is how sure it is that two packets that look the same are one.
type proof uint8

const (
	// none: such packets are not compared.
	none proof = iota
	// byTime: nothing tells one transmission from the next but when it was.
	byTime
	// likely: something does, but it may be the same again within moments: identification alone,
	// or timestamps alone, which count milliseconds.
	likely
	// sure: the sender numbered the transmission, beside what it says.
	sure
)

// look is what a packet looks like on all of its way.
type look struct {
	key      uint64 // of what nobody changes on the way; byTime also of the connection, as far as NAT is known
	conn     uint64 // of addresses, ports and transport; the lowest bit is the direction
	src, dst uint32 // of the addresses
	proof    proof
	unique   bool // the key names a connection whatever its addresses are: it holds sequence numbers
}

const reverse = 1 // in look.conn

// Kinds of TCP options, https://www.iana.org/assignments/tcp-parameters.
const (
	optionEnd        = 0
	optionNop        = 1
	optionTimestamps = 8
)

// look returns what p looks like.
func (t *Tracker) look(p *packet.Packet) look {
	var l look
	numbered := p.ID != 0 && p.Src.Is4()
	b := append(t.buf[:0], byte(p.Kind), byte(p.Proto))
	b = binary.BigEndian.AppendUint32(b, p.ID)
	b = binary.BigEndian.AppendUint32(b, p.PayloadLen)
	payload := p.Payload
	switch {
	case p.Kind == packet.Transport && p.Proto == packet.TCP:
		b = binary.BigEndian.AppendUint32(b, p.Seq)
		b = binary.BigEndian.AppendUint32(b, p.Ack)
		b = binary.BigEndian.AppendUint16(b, p.Flags)
		b = binary.BigEndian.AppendUint16(b, p.Window)
		stamps, own := options(p)
		b = append(b, own...)
		l.unique = true
		switch {
		case numbered && stamps:
			l.proof = sure
		case numbered || stamps:
			l.proof = likely
		default:
			l.proof = byTime
		}
		if len(payload) < int(p.PayloadLen) {
			payload = nil // captures cut packets at different places; the header tells enough
		}
	case p.Kind == packet.Transport && len(payload) >= 12 && p.Proto == packet.SCTP:
		b = append(b, payload[4:8]...) // the verification tag is between ports and checksum
		payload = payload[12:]
		l.proof, l.unique = proofOf(numbered), true
	case p.Kind == packet.Transport && len(payload) >= 4 && (p.Proto == packet.ICMP || p.Proto == packet.ICMPv6):
		b = append(b, payload[:2]...) // the checksum counts addresses
		payload = payload[4:]
		l.proof = proofOf(numbered)
	case p.Kind == packet.Transport, p.Kind == packet.IPOnly:
		l.proof = proofOf(numbered)
	case p.Kind == packet.Held:
		b = binary.BigEndian.AppendUint32(b, p.Seq)
		l.proof = proofOf(p.ID != 0)
	default:
		return l
	}
	l.key = maphash.Bytes(t.seed, b)
	if len(payload) > 0 {
		l.key ^= maphash.Bytes(t.seed, payload) * 0x9e3779b97f4a7c15
	}
	t.buf = b
	t.ends(p, &l)
	switch {
	case t.byFlow:
		l.key += l.conn
	case l.proof == byTime:
		l.key += t.nats.of(l.conn)
	}
	return l
}

func proofOf(numbered bool) proof {
	if numbered {
		return sure
	}
	return byTime
}

// options returns of a segment's options what the way leaves alone, and tells whether there
// are timestamps. Of the options that begin a connection only those are such: a router may lower
// the maximum segment size.
func options(p *packet.Packet) (stamps bool, own []byte) {
	b := p.Options
	if len(b) == 12 && b[0] == optionNop && b[1] == optionNop && b[2] == optionTimestamps {
		return true, b // what nearly all segments have
	}
	for o := b; len(o) > 0 && o[0] != optionEnd; {
		if o[0] == optionNop {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			break
		}
		n := int(o[1])
		if o[0] == optionTimestamps && n == 10 {
			stamps, own = true, o[:n]
			break
		}
		o = o[n:]
	}
	if p.Flags&packet.SYN != 0 {
		return stamps, own
	}
	return stamps, b
}

// ends adds the connection and the addresses.
func (t *Tracker) ends(p *packet.Packet, l *look) {
	src, dst := p.Src.Hash(), p.Dst.Hash()
	l.src, l.dst = uint32(src), uint32(dst)
	a, b := src^uint64(p.SrcPort)*0xbf58476d1ce4e5b9, dst^uint64(p.DstPort)*0xbf58476d1ce4e5b9
	dir := uint64(0)
	if a > b {
		a, b, dir = b, a, reverse
	}
	var key [17]byte
	binary.LittleEndian.PutUint64(key[:], a)
	binary.LittleEndian.PutUint64(key[8:], b)
	key[16] = byte(p.Proto)
	l.conn = maphash.Bytes(t.seed, key[:])&^reverse | dir
}
