package traffic

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// The standard library's compressor may give other bytes in its next version,
// and captures are to stay the same for ever. So this is one of our own: greedy
// matches and the fixed codes of RFC 1951, section 3.2.6.

// gzipped returns b as a gzip member (RFC 1952).
func gzipped(b []byte) []byte {
	d := deflater{out: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}}
	d.bits(1|1<<1, 3) // the last block, with fixed codes
	var heads [1 << 12]int32
	for i := 0; i < len(b); {
		n, distance := d.match(b, i, &heads)
		if n == 0 {
			d.symbol(int(b[i]))
			i++
			continue
		}
		d.length(n)
		d.distance(distance)
		i += n
	}
	d.symbol(256)
	d.bits(0, 7) // up to a whole byte
	d.out = binary.LittleEndian.AppendUint32(d.out, crc32.ChecksumIEEE(b))
	return binary.LittleEndian.AppendUint32(d.out, uint32(len(b)))
}

// Matches that deflate can express.
const (
	minMatch    = 4
	maxMatch    = 258
	maxDistance = 32768
)

type deflater struct {
	out  []byte
	word uint64
	have uint
}

// bits adds the n low bits of v, lowest first.
func (d *deflater) bits(v uint64, n uint) {
	d.word |= v << d.have
	d.have += n
	for d.have >= 8 {
		d.out = append(d.out, byte(d.word))
		d.word >>= 8
		d.have -= 8
	}
}

// code adds a Huffman code of n bits, highest bit first.
func (d *deflater) code(v, n uint) { d.bits(bits.Reverse64(uint64(v))>>(64-n), n) }

// match finds the last place before i whose four bytes have the same hash, and
// how far it is the same. It notes i for later.
func (d *deflater) match(b []byte, i int, heads *[1 << 12]int32) (n, distance int) {
	if i+minMatch > len(b) {
		return 0, 0
	}
	h := binary.LittleEndian.Uint32(b[i:]) * 2654435761 >> 20
	from := int(heads[h]) - 1
	heads[h] = int32(i + 1)
	if from < 0 || i-from > maxDistance {
		return 0, 0
	}
	for n < maxMatch && i+n < len(b) && b[from+n] == b[i+n] {
		n++
	}
	if n < minMatch {
		return 0, 0
	}
	return n, i - from
}

// symbol adds a literal or length code.
func (d *deflater) symbol(s int) {
	switch v := uint(s); {
	case v < 144:
		d.code(0x30+v, 8)
	case v < 256:
		d.code(0x190+v-144, 9)
	case v < 280:
		d.code(v-256, 7)
	default:
		d.code(0xc0+v-280, 8)
	}
}

// length adds the length of a match.
func (d *deflater) length(n int) {
	if n == maxMatch {
		d.symbol(285)
		return
	}
	n -= 3
	if n < 8 {
		d.symbol(257 + n)
		return
	}
	extra := uint(bits.Len(uint(n))) - 3
	d.symbol(257 + int(extra)*4 + n>>extra)
	d.bits(uint64(n)&(1<<extra-1), extra)
}

// distance adds how far back a match is.
func (d *deflater) distance(n int) {
	n--
	if n < 4 {
		d.code(uint(n), 5)
		return
	}
	extra := uint(bits.Len(uint(n))) - 2
	d.code(extra*2+uint(n>>extra), 5)
	d.bits(uint64(n)&(1<<extra-1), extra)
}
