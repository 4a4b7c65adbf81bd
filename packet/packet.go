// Package packet holds what the program knows of one packet: the record a
// capture file gives, and the link, network and transport headers decoded from
// it.
//
// In: records, in batches that own their memory. Out: a Packet whose slices
// point into the record. Decoding allocates nothing per packet, except when it
// puts fragments together. The package imports nothing else of the program.
package packet

import (
	"fmt"
	"net/netip"
)

// LinkType is a link-layer header type, by the number that capture files use:
// https://www.tcpdump.org/linktypes.html.
type LinkType uint16

// Record is one packet as a capture file holds it.
type Record struct {
	Data      []byte // captured bytes; they belong to the Batch
	Options   []byte // raw pcapng options of the packet's block in the byte order of OptionsBigEndian; nil when there are none
	Time      int64  // nanoseconds since 1970-01-01 UTC; 0 where the file has none
	Number    uint64 // position in the whole input, in the order read, from 1
	OrigLen   uint32 // bytes on the wire; never below len(Data)
	Interface uint32 // index into Source.Interfaces
	Link      LinkType

	OptionsBigEndian bool
}

// Batch is a run of records and the memory they stand in. A Source fills it;
// whoever holds the batch may keep its records until the batch is filled again.
type Batch struct {
	Records []Record
	Buf     []byte    // backing memory of the records, reused by the next fill
	Shared  []*Shared // batches in whose memory records stand instead; their owner's alone
}

// Shared is a batch of a Source that its records are taken from into other
// batches. It is filled again only when Users, those and the Source, are none.
type Shared struct {
	Batch
	Users int
}

// Interface is one capture interface of an input.
type Interface struct {
	Link        LinkType
	SnapLen     uint32 // 0: no limit stated
	Node        string // that captured; empty when the input does not tell
	NodeIP      string // its address; the same
	Name        string
	Description string
	Filter      string
	OS          string
	// Options are the other options of its description in pcapng, raw, little-endian and
	// without an end mark.
	Options string
	// Received and Dropped are the capture's own statistics; nil when it states none.
	Received, Dropped *uint64
}

// PlaintextInterface is the name of the interfaces whose packets are what TLS libraries were
// given to send and received: TCP segments with the addresses and ports of the connection that
// carries it encrypted, in a numbering of their own that begins with 1 and without SYN.
const PlaintextInterface = "shark-plaintext"

// Source yields packets in input order.
type Source interface {
	// ReadBatch replaces the content of b with the next packets and returns
	// io.EOF, with an empty batch, after the last. Damage is not an error: it is
	// passed over where that is possible and reported by Damage. A read error of
	// the underlying file is returned after the packets before it.
	ReadBatch(b *Batch) error
	// Interfaces lists the interfaces met so far. It only grows. The slice is the
	// caller's to keep but not to change.
	Interfaces() []Interface
	// Damage lists what could not be read so far.
	Damage() []Damage
	Close() error
}

// Loss is packets that a capture lost, and when about: between these times.
type Loss struct {
	From    int64  `json:"from"` // as the Time of a Record
	To      int64  `json:"to"`
	Packets uint64 `json:"packets"`
}

// Damage is one place of an input that could not be read.
type Damage struct {
	File   string `json:"file"`   // name of the input
	Offset int64  `json:"offset"` // where it starts, in bytes of the unpacked input
	Packed bool   `json:"packed,omitempty"`
	Lost   int64  `json:"lost"`   // bytes passed over; -1 when the rest of the input is lost and its length unknown
	Reason string `json:"reason"` // a clause, such as "block length 12 is not a multiple of 4"
}

// Place says where the damage starts, for people. In a packed file nobody finds
// the byte without taking the packing off.
func (d Damage) Place() string {
	if d.Packed {
		return fmt.Sprintf("byte %d of the unpacked data", d.Offset)
	}
	return fmt.Sprintf("byte %d", d.Offset)
}

// Addr is an IPv4 (as ::ffff:a.b.c.d) or IPv6 address. The zero Addr is "none",
// so the unspecified address :: of IPv6 stands as one that nobody can have.
type Addr [16]byte

// unspecified6 stands for ::. It is ::fffe:0:0, of the block ::/8 that is kept back
// (RFC 4291, section 2.4), next to that of IPv4.
var unspecified6 = Addr{10: 0xff, 11: 0xfe}

// AddrFrom4 returns the Addr of the 4 bytes of b.
func AddrFrom4(b []byte) (a Addr) {
	a[10], a[11] = 0xff, 0xff
	copy(a[12:], b[:4])
	return a
}

// AddrFrom16 returns the Addr of the 16 bytes of b.
func AddrFrom16(b []byte) Addr {
	if a := Addr(b[:16]); a != (Addr{}) {
		return a
	}
	return unspecified6
}

// AddrFrom returns the Addr of ip without its zone; none if ip is the zero
// netip.Addr.
func AddrFrom(ip netip.Addr) Addr {
	if !ip.IsValid() {
		return Addr{}
	}
	b := ip.As16()
	return AddrFrom16(b[:])
}

// Is4 tells whether a is an IPv4 address.
func (a Addr) Is4() bool {
	return a[10] == 0xff && a[11] == 0xff && [10]byte(a[:10]) == [10]byte{}
}

// IP returns a in the standard library's form, IPv4 unmapped; the zero netip.Addr
// for none.
func (a Addr) IP() netip.Addr {
	switch a {
	case Addr{}:
		return netip.Addr{}
	case unspecified6:
		return netip.IPv6Unspecified()
	}
	return netip.AddrFrom16(a).Unmap()
}

func (a Addr) String() string {
	if a == (Addr{}) {
		return ""
	}
	return a.IP().String()
}

// Proto is an IP protocol number: https://www.iana.org/assignments/protocol-numbers.
type Proto uint8

// The transports that have conversations.
const (
	ICMP   Proto = 1
	TCP    Proto = 6
	UDP    Proto = 17
	ICMPv6 Proto = 58
	SCTP   Proto = 132
)

func (p Proto) String() string {
	switch p {
	case ICMP:
		return "icmp"
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case ICMPv6:
		return "icmpv6"
	case SCTP:
		return "sctp"
	}
	return ""
}

// TCP flags as they stand in the header's 13th and 14th byte.
const (
	FIN uint16 = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Tunnel is the outermost encapsulation a packet's flow was found in.
type Tunnel struct {
	Kind     TunnelKind
	ID       uint32 // VNI, GRE key, TEID, radio; 0 when it has none
	Src, Dst Addr   // outer addresses
	Nested   bool   // there is another tunnel inside, of which nothing is told
}

// TunnelKind names an encapsulation of IP or Ethernet in IP.
type TunnelKind uint8

// The encapsulations that are looked into.
const (
	NoTunnel TunnelKind = iota
	GRE
	IPinIP
	VXLAN
	Geneve
	GTPU
	CAPWAP
)

// Packet is one packet decoded down to its innermost transport: in a tunnel the
// inner flow is the flow. Slices alias the record's Data (or, for a datagram put
// together from fragments, memory of its own) and live as long as its batch.
type Packet struct {
	Time      int64
	Number    uint64
	Interface uint32
	CapLen    uint32 // captured bytes of the record
	OrigLen   uint32 // bytes on the wire

	// Kind says how far decoding came. Fields below are set as far as it goes.
	Kind  Kind
	Proto Proto // transport, of the innermost IP header

	Src, Dst         Addr
	SrcPort, DstPort uint16 // ICMP: 0
	VLAN             uint16 // outermost VLAN id + 1; 0 when untagged
	Checksum         uint16 // UDP only
	TTL              uint8

	// Payload is what was captured of the transport's payload (ICMP: the whole
	// ICMP message; SCTP: the whole packet, common header and chunks; IPOnly: all
	// that is in the IP packet). PayloadLen is its length on the wire by the IP
	// header, which is more when the capture cut it (snap length) and never less.
	Payload    []byte
	PayloadLen uint32

	// TCP only.
	Seq, Ack uint32
	Flags    uint16
	Window   uint16
	Options  []byte // TCP options as captured

	Tunnel Tunnel

	// ID is the identification of IPv4, of which senders may leave it 0 where nothing is to be
	// fragmented, or the flow label of IPv6; of an IPv6 fragment its identification.
	ID uint32

	// Plaintext says that it was taken from a TLS library: who knows the interfaces sets it.
	Plaintext bool

	// Fragments are the earlier records of a datagram that this packet
	// completed. Their bytes on the wire are not part of OrigLen.
	Fragments []Fragment
}

// Fragment is an earlier record of a datagram sent in pieces.
type Fragment struct {
	Number  uint64
	Time    int64
	OrigLen uint32
}

// Kind says what decoding found.
type Kind uint8

const (
	// Other is a packet without an IP header inside, such as ARP.
	Other Kind = iota
	// IPOnly is a packet with addresses but a transport that has no ports here.
	IPOnly
	// Transport is TCP, UDP, SCTP, ICMP or ICMPv6 with all its header fields.
	Transport
	// Held is a fragment kept until the rest of its datagram is there. The
	// packet that completes the datagram lists it in Fragments. A Decoder of single
	// packets keeps none: Payload is the fragment, Seq its offset in the datagram.
	Held
	// Malformed is a packet cut short by the capture or contradicting itself
	// before its transport header ended.
	Malformed
)

// Partition returns a number that is the same for both directions of the
// innermost pair of addresses, spread evenly over 32 bits. Ports do not count:
// fragments have none.
func (p *Packet) Partition() uint32 {
	h := p.Src.Hash() + p.Dst.Hash() // a sum is symmetric
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return uint32(h >> 32)
}

// Hash returns a number that is spread evenly over 64 bits. It is the same everywhere and
// always: the files of snapshots depend on it.
func (a *Addr) Hash() uint64 {
	lo := uint64(a[0]) | uint64(a[1])<<8 | uint64(a[2])<<16 | uint64(a[3])<<24 | uint64(a[4])<<32 | uint64(a[5])<<40 | uint64(a[6])<<48 | uint64(a[7])<<56
	hi := uint64(a[8]) | uint64(a[9])<<8 | uint64(a[10])<<16 | uint64(a[11])<<24 | uint64(a[12])<<32 | uint64(a[13])<<40 | uint64(a[14])<<48 | uint64(a[15])<<56
	h := (lo ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	h ^= (hi + h>>29) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Flow is the addresses, ports and transport of one direction of a packet.
type Flow struct {
	Src, Dst         Addr
	SrcPort, DstPort uint16
	Proto            Proto
}

// Flow returns the packet's own direction.
func (p *Packet) Flow() Flow {
	return Flow{Src: p.Src, Dst: p.Dst, SrcPort: p.SrcPort, DstPort: p.DstPort, Proto: p.Proto}
}

// Reverse returns the other direction of f.
func (f Flow) Reverse() Flow {
	return Flow{Src: f.Dst, Dst: f.Src, SrcPort: f.DstPort, DstPort: f.SrcPort, Proto: f.Proto}
}
