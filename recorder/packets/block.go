package packets

import (
	"encoding/binary"

	"shark/packet"
	"shark/packet/pcapng"
)

// Layout of a block of a TPACKET_V3 ring, and of a packet in it (linux/if_packet.h).
const (
	blockStatus = 8  // uint32
	blockCount  = 12 // uint32: packets
	blockFirst  = 16 // uint32: offset of the first one

	frameNext    = 0  // uint32: to the next one
	frameSeconds = 4  // uint32
	frameNanos   = 8  // uint32
	frameCaught  = 12 // uint32: bytes captured
	frameLength  = 16 // uint32: bytes there were
	frameStatus  = 20 // uint32
	frameStart   = 24 // uint16: offset of the captured bytes
	frameTCI     = 32 // uint32: VLAN tag
	frameTPID    = 36 // uint16: its EtherType
	frameSize    = 48

	statusUser      = 1 << 0 // of a block: it is full
	statusLosing    = 1 << 2 // of a block: packets were dropped since somebody asked
	statusVLAN      = 1 << 4
	statusVLANProto = 1 << 6

	vnetSize        = 10 // struct virtio_net_hdr, before the captured bytes
	vnetNoChecksum  = 1  // bit of its flags
	vnetMoreSegment = 0x80
)

// frames are the packets of a block, one after the other.
type frames struct {
	block    []byte
	at, left uint32
	iface    uint32
	link     packet.LinkType
	known    offloads
}

// begin begins to read a block. What contradicts itself in it ends it: the kernel makes
// blocks, but nothing is read beyond one.
func (s *frames) begin(block []byte) {
	s.block, s.at, s.left = block, native.Uint32(block[blockFirst:]), native.Uint32(block[blockCount:])
}

var native = binary.NativeEndian

// next makes a record of the next packet, in place. What it does not set a record of ours never
// has.
func (s *frames) next(r *packet.Record) bool {
	if s.left == 0 || uint64(s.at)+frameSize > uint64(len(s.block)) {
		return false
	}
	f := s.block[s.at:]
	start, size := int(native.Uint16(f[frameStart:])), int(native.Uint32(f[frameCaught:]))
	if start < frameSize+vnetSize || size < 0 || start+size > len(f) {
		return false
	}
	s.left--
	if step := native.Uint32(f[frameNext:]); step >= frameSize && uint64(s.at)+uint64(step) <= uint64(len(s.block)) {
		s.at += step
	} else { // that was the last one
		s.at = uint32(len(s.block))
	}
	r.Data, r.Options = f[start:start+size:start+size], s.known.options(f[start-vnetSize:start])
	r.Time = int64(native.Uint32(f[frameSeconds:]))*1e9 + int64(native.Uint32(f[frameNanos:]))
	r.OrigLen = max(native.Uint32(f[frameLength:]), uint32(size))
	r.Interface, r.Link = s.iface, s.link
	if status := native.Uint32(f[frameStatus:]); status&statusVLAN != 0 && size >= 12 && s.link == linkEthernet {
		tag := f[start-4 : start+size]
		copy(tag, tag[4:16])
		proto := uint16(0x8100)
		if status&statusVLANProto != 0 {
			proto = native.Uint16(f[frameTPID:])
		}
		binary.BigEndian.PutUint16(tag[12:], proto)
		binary.BigEndian.PutUint16(tag[14:], uint16(native.Uint32(f[frameTCI:])))
		r.Data, r.OrigLen = tag[:len(tag):len(tag)], max(r.OrigLen, r.OrigLen+4)
	}
	return true
}

// Link types of captured devices.
const (
	linkEthernet packet.LinkType = 1
	linkRaw      packet.LinkType = 101
)

// offloads are the options that packets had, made once each.
type offloads map[uint32][]byte

// maxOffloads is how many are kept.
const maxOffloads = 4096

// options are those of a packet, by its virtio header; nil mostly.
func (o offloads) options(vnet []byte) []byte {
	kind := vnet[1] &^ vnetMoreSegment
	if vnet[0]&vnetNoChecksum == 0 && kind == 0 {
		return nil
	}
	size := native.Uint16(vnet[4:])
	key := uint32(vnet[0]&vnetNoChecksum)<<24 | uint32(kind)<<16 | uint32(size)
	b, ok := o[key]
	if !ok {
		if len(o) >= maxOffloads {
			clear(o)
		}
		b = pcapng.Offload{NoChecksum: vnet[0]&vnetNoChecksum != 0, Segments: pcapng.Segments(kind), SegmentSize: size}.AppendOptions(nil)
		o[key] = b
	}
	return b
}
