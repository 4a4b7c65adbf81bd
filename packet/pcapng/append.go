package pcapng

import (
	"encoding/binary"
	"math"
	"slices"

	"shark/packet"
)

// What follows makes blocks in memory of the caller's, for files that a Writer does
// not write in one go. All is little-endian.

// AppendSection appends a Section Header Block of a length not stated, with what o
// says of the section.
func AppendSection(dst []byte, o *Options) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, blockSectionHeader)
	dst = appendVersion(append(dst, 0, 0, 0, 0))
	for _, c := range o.Comments {
		dst = appendText(dst, optComment, c)
	}
	dst = appendText(dst, optHardware, o.Hardware)
	dst = appendText(dst, optSystem, o.OS)
	dst = appendText(dst, optApplication, o.Application)
	return endBlock(append(dst, 0, 0, 0, 0), start)
}

// appendVersion appends what a section's header has before its options.
func appendVersion(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, byteOrderMagic)
	dst = append(dst, 1, 0, 0, 0) // version 1.0
	return binary.LittleEndian.AppendUint64(dst, math.MaxUint64)
}

// Nanoseconds and Microseconds are what the times of an interface's packets can count, by
// their number of decimals.
const (
	Nanoseconds  = 9
	Microseconds = 6
)

// AppendInterface appends an Interface Description Block.
func AppendInterface(dst []byte, f *packet.Interface, decimals byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, blockInterface)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(f.Link))
	dst = append(dst, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, f.SnapLen)
	dst = appendText(dst, optName, f.Name)
	dst = appendText(dst, optDescription, f.Description)
	dst = appendOption(dst, optResolution, []byte{decimals})
	if f.Filter != "" {
		dst = appendText(dst, optFilter, "\x00"+f.Filter)
	}
	dst = appendText(dst, optIfSystem, f.OS)
	dst = append(dst, f.Options...)
	return endBlock(append(dst, 0, 0, 0, 0), start)
}

// AppendPacket appends an Enhanced Packet Block of the section's interface id, with its time
// in nanoseconds. A time before 1970 becomes 1970. It allocates nothing but dst.
func AppendPacket(dst []byte, id uint32, rec *packet.Record) []byte {
	if len(rec.Options) == 0 {
		return appendPacket(dst, id, rec, nil)
	}
	start := len(dst)
	dst = appendPacket(dst, id, rec, nil)
	dst = appendPacketOptions(dst[:len(dst)-4], rec.Options, rec.OptionsBigEndian)
	return endBlock(dst, start)
}

// PacketSize returns how many bytes AppendPacket appends, or some more where a packet
// has options.
func PacketSize(rec *packet.Record) int { return packetSize(rec, rec.Options) + 4 }

// packetSize is the size of an Enhanced Packet Block with options as they are written.
func packetSize(rec *packet.Record, options []byte) int {
	return minBlock + packetFixed + (len(rec.Data)+3)&^3 + len(options)
}

func appendPacket(b []byte, id uint32, rec *packet.Record, options []byte) []byte {
	size, t, le := packetSize(rec, options), uint64(max(rec.Time, 0)), binary.LittleEndian
	start := len(b)
	b = slices.Grow(b, size)[:start+size]
	block := b[start:]
	head := block[:28]
	le.PutUint32(head, blockPacket)
	le.PutUint32(head[4:], uint32(size))
	le.PutUint32(head[8:], id)
	le.PutUint32(head[12:], uint32(t>>32))
	le.PutUint32(head[16:], uint32(t))
	le.PutUint32(head[20:], uint32(len(rec.Data)))
	le.PutUint32(head[24:], max(rec.OrigLen, uint32(len(rec.Data))))
	rest := block[28:]
	rest = rest[copy(rest, rec.Data):]
	for range -len(rec.Data) & 3 {
		rest[0], rest = 0, rest[1:]
	}
	le.PutUint32(rest[copy(rest, options):], uint32(size))
	return b
}

// Statistics are what an Interface Statistics Block says. What is nil or 0 is left out.
type Statistics struct {
	At                int64 // time of the block, like the next two in nanoseconds since 1970
	First, Last       int64 // that it is about
	Received, Dropped *uint64
}

// AppendStatistics appends an Interface Statistics Block of the section's interface id.
func AppendStatistics(dst []byte, id uint32, s *Statistics) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, blockStatistics)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, id)
	dst = appendTime(dst, s.At)
	for _, o := range [...]struct {
		code  uint16
		value int64
	}{{optStart, s.First}, {optLast, s.Last}} {
		if o.value > 0 {
			dst = binary.LittleEndian.AppendUint16(dst, o.code)
			dst = append(dst, 8, 0)
			dst = appendTime(dst, o.value)
		}
	}
	for _, o := range [...]struct {
		code  uint16
		value *uint64
	}{{optReceived, s.Received}, {optDropped, s.Dropped}} {
		if o.value != nil {
			dst = binary.LittleEndian.AppendUint16(dst, o.code)
			dst = append(dst, 8, 0)
			dst = binary.LittleEndian.AppendUint64(dst, *o.value)
		}
	}
	return endBlock(append(dst, 0, 0, 0, 0), start)
}

// AppendSecrets appends a Decryption Secrets Block.
func AppendSecrets(dst []byte, s *Secret) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, blockSecrets)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, s.Type)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s.Data)))
	if dst = appendPadded(dst, s.Data); s.Options != "" {
		dst = append(append(dst, s.Options...), 0, 0, 0, 0)
	}
	return endBlock(dst, start)
}

// AppendIdentity appends an identity block with lines of the log, each with its end mark, of
// which MaxIdentity bytes fit into one.
func AppendIdentity(dst, lines []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, blockIdentity)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, identityMark...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(lines)))
	return endBlock(appendPadded(dst, lines), start)
}

// MaxIdentity is how many bytes of lines one identity block holds.
const MaxIdentity = maxRecord - minBlock - identityFixed - 3

// appendTime appends a time as blocks have it: its upper half first.
func appendTime(dst []byte, at int64) []byte {
	t := uint64(max(at, 0))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(t>>32))
	return binary.LittleEndian.AppendUint32(dst, uint32(t))
}

// appendText appends an option, unless it is empty.
func appendText(dst []byte, code uint16, v string) []byte {
	if v == "" {
		return dst
	}
	return appendOption(dst, code, []byte(v))
}

// endBlock completes the block that begins at start.
func endBlock(dst []byte, start int) []byte {
	size := uint32(len(dst) - start + 4)
	binary.LittleEndian.PutUint32(dst[start+4:], size)
	return binary.LittleEndian.AppendUint32(dst, size)
}

// ToMicroseconds changes the times of Enhanced Packet Blocks, of which blocks is made and
// whose times are in nanoseconds. What is below a microsecond is lost.
func ToMicroseconds(blocks []byte) { retime(blocks, func(t uint64) uint64 { return t / 1000 }) }

// ToNanoseconds undoes it.
func ToNanoseconds(blocks []byte) { retime(blocks, func(t uint64) uint64 { return t * 1000 }) }

func retime(blocks []byte, to func(uint64) uint64) {
	le := binary.LittleEndian
	for len(blocks) >= minBlock+packetFixed {
		t := to(uint64(le.Uint32(blocks[12:]))<<32 | uint64(le.Uint32(blocks[16:])))
		le.PutUint32(blocks[12:], uint32(t>>32))
		le.PutUint32(blocks[16:], uint32(t))
		blocks = blocks[le.Uint32(blocks[4:]):]
	}
}
