package packet

import "encoding/binary"

// Limits of decoding. They bound time and memory whatever the bytes say.
const (
	// maxLayers is the number of headers looked at in one packet, guesses that
	// came to nothing included.
	maxLayers = 64
	// maxOffload is the largest packet whose IP header may leave its length at
	// zero, as segmentation offload does; beyond it the captured length counts.
	maxOffload = 1 << 20
	// maxDatagram is the largest payload that fragments may add up to.
	maxDatagram = 65535
	// maxPieces is the number of fragments kept of one datagram.
	maxPieces = 1024
	// maxDatagrams is the number of incomplete datagrams kept.
	maxDatagrams = 4096
	// maxHeldBytes is the memory of all kept fragments, pieceOverhead included.
	maxHeldBytes = 16 << 20
	// pieceOverhead is what a kept fragment costs beside its bytes, in bytes.
	pieceOverhead = 128
	// maxAge is how far apart, in nanoseconds of capture time, the fragments of
	// one datagram may be (RFC 791 section 3.2 suggests 15 s, Linux waits 30 s).
	maxAge = 30e9
)

var be = binary.BigEndian

// Decoder decodes packets one after the other. It keeps fragments between calls,
// so all packets of a pair of addresses must go to the same Decoder, in order of
// time. It is not safe for concurrent use.
type Decoder struct {
	layers int   // headers the current packet may still have
	fault  Fault // why the current packet is Malformed, if it ends up so
	single bool  // fragments are not put together
	held   reassembly
	stats  Stats
}

// Stats counts what a Decoder met.
type Stats struct {
	// Held is the number of fragments kept because their datagram was incomplete.
	Held uint64
	// Completed is the number of datagrams put together.
	Completed uint64
	// Evicted is the number of kept fragments given up before their datagram was
	// complete: too old, beyond a limit, or left when the input ended.
	Evicted uint64
	// CutFragments is the number of fragments not kept because the capture cut them.
	CutFragments uint64
	// Malformed counts the packets of kind Malformed by their fault.
	Malformed [FaultCount]uint64
}

// Fault says why a packet is Malformed.
type Fault uint8

// The faults, in the order of the layers.
const (
	LinkCut        Fault = iota // link header cut short
	TooDeep                     // more headers than are followed
	IPVersion                   // neither IPv4 nor IPv6 where IP is announced
	IPCut                       // IP header cut short
	IPLength                    // IP header contradicts itself about lengths
	ExtensionCut                // IPv6 extension or authentication header cut short
	FragmentLength              // empty fragment, or one that ends beyond 65535 bytes
	TransportCut                // transport header cut short
	TCPOffset                   // TCP data offset below 20 bytes or beyond the segment
	UDPLength                   // UDP length below 8 bytes
	FaultCount                  // number of faults
)

func (f Fault) String() string {
	if f >= FaultCount {
		return ""
	}
	return [...]string{
		LinkCut:        "link header cut short",
		TooDeep:        "too many headers",
		IPVersion:      "IP version is neither 4 nor 6",
		IPCut:          "IP header cut short",
		IPLength:       "IP header and length contradict each other",
		ExtensionCut:   "IP extension header cut short",
		FragmentLength: "fragment is empty or ends beyond 65535 bytes",
		TransportCut:   "transport header cut short",
		TCPOffset:      "TCP data offset points outside the segment",
		UDPLength:      "UDP length is below 8",
	}[f]
}

// NewDecoder returns a Decoder that holds no fragments.
func NewDecoder() *Decoder {
	return &Decoder{held: reassembly{datagrams: map[datagramKey]*datagram{}}}
}

// NewSingleDecoder returns a Decoder that takes each packet by itself: it keeps nothing, and
// packets may come from anywhere in any order.
func NewSingleDecoder() *Decoder { return &Decoder{single: true} }

// Stats returns the counts so far.
func (d *Decoder) Stats() Stats { return d.stats }

// Decode fills p from r, whatever p held before. It cannot fail: p.Kind tells how
// far it came. It allocates only for fragments.
//
// In a tunnel the inner flow is the flow. Where the inside of a tunnel is not IP,
// or is malformed, the outer flow is the flow and p.Tunnel is empty. Teredo
// (RFC 4380) is of kind IPinIP.
//
// A fragment that the capture cut cannot be put together with others: the first
// of a datagram is decoded alone, its PayloadLen by the UDP length; another is of
// kind IPOnly.
func (d *Decoder) Decode(r *Record, p *Packet) {
	*p = Packet{}
	p.Time, p.Number, p.Interface = r.Time, r.Number, r.Interface
	p.CapLen, p.OrigLen = uint32(len(r.Data)), r.OrigLen
	d.layers = maxLayers
	if r.Link != linkEthernet || !d.usual(p, r.Data) {
		d.link(p, r.Link, r.Data, max(int(r.OrigLen), len(r.Data)))
	}
	if p.Kind == Malformed {
		d.stats.Malformed[d.fault]++
	}
}

// malformed ends decoding of a layer.
func (d *Decoder) malformed(p *Packet, f Fault) {
	p.Kind, d.fault = Malformed, f
}

// next tells whether the packet may have another header.
func (d *Decoder) next(p *Packet) bool {
	if d.layers == 0 {
		d.malformed(p, TooDeep)
		return false
	}
	d.layers--
	return true
}

// skip returns b without its first n bytes and wire, the length b had on the
// wire, without them too. It reports false, and p is malformed, when b is shorter.
func (d *Decoder) skip(p *Packet, n int, b []byte, wire int) ([]byte, int, bool) {
	if len(b) < n {
		d.malformed(p, LinkCut)
		return nil, 0, false
	}
	return b[n:], wire - n, true
}
