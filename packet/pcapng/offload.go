package pcapng

import (
	"encoding/binary"

	"shark/packet"
)

// Offload is what a host leaves to its network card, or to the kernel on the way up: a packet
// that was captured in between is not what is on the wire. Its bytes do not tell.
type Offload struct {
	// NoChecksum says that the transport's checksum is not filled in yet: it is no error.
	NoChecksum bool
	// Segments is what the packet stands for several packets of; each carries SegmentSize bytes
	// of the transport's payload, the last one perhaps less.
	Segments    Segments
	SegmentSize uint16
}

// Segments is a kind of packets on the wire that are one packet in a host, by its number in
// virtio's network header.
type Segments uint8

// The kinds that Linux tells.
const (
	NoSegments   Segments = 0
	TCP4Segments Segments = 1
	TCP6Segments Segments = 4
	UDPSegments  Segments = 5
)

// optOffload is the option with kind (one byte, and a zero) and size (two bytes) of segments.
// Codes from 0x8000 on are for local use (draft-ietf-opsawg-pcapng, section 3.5).
const optOffload = 0xf367

// Bits of the flags of a packet.
const (
	flagNoChecksum  = 1 << 9
	flagTCPSegments = 1 << 11
)

// AppendOptions appends options that say so, little-endian and without an end mark, as they
// stand in packet.Record; none of the zero Offload. Flags are those of every reader; the size
// of segments, for which pcapng has no place, is in an option of our own.
func (o Offload) AppendOptions(dst []byte) []byte {
	var flags uint32
	if o.NoChecksum {
		flags |= flagNoChecksum
	}
	if o.Segments == TCP4Segments || o.Segments == TCP6Segments {
		flags |= flagTCPSegments
	}
	if flags != 0 {
		dst = appendOption(dst, optFlags, binary.LittleEndian.AppendUint32(nil, flags))
	}
	if o.Segments != NoSegments {
		dst = appendOption(dst, optOffload, binary.LittleEndian.AppendUint16([]byte{byte(o.Segments), 0}, o.SegmentSize))
	}
	return dst
}

// OffloadOf reads what the options of a packet say of it.
func OffloadOf(rec *packet.Record) (o Offload) {
	for code, v := range options(rec.Options, rec.OptionsBigEndian) {
		switch {
		case code == optFlags && len(v) == 4:
			o.NoChecksum = load32(v, rec.OptionsBigEndian)&flagNoChecksum != 0
		case code == optOffload && len(v) == 4:
			o.Segments, o.SegmentSize = Segments(v[0]), load16(v[2:], rec.OptionsBigEndian)
		}
	}
	return o
}
