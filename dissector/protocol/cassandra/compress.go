package cassandra

import (
	"encoding/binary"

	"shark/dissector"
	"shark/dissector/wire"
)

// algorithm is how bodies are compressed (section 5).
type algorithm uint8

const (
	unknown algorithm = iota
	algorithmLZ4
	algorithmSnappy
)

// decompress returns a reader of a compressed body, of as much of it as is looked at.
// Where STARTUP was not seen, a body is read as what it can be: its decompressed
// length, which it begins with, must come out.
func (p *parser) decompress(body []byte, whole bool, m *dissector.Message) reader {
	for _, a := range []struct {
		algorithm
		name string
		read func(dst, src []byte, whole bool) (plain []byte, all, ok bool)
	}{{algorithmLZ4, "lz4", readLZ4}, {algorithmSnappy, "snappy", readSnappy}} {
		if p.algorithm != a.algorithm && (p.algorithm != unknown || !whole) {
			continue
		}
		plain, all, ok := a.read(p.scratch[:0], body, whole)
		if !ok {
			continue
		}
		p.scratch = plain
		Compression.SetString(&m.Values, a.name)
		return reader{wire.Reader{B: plain}, all}
	}
	Compression.SetString(&m.Values, "unknown")
	m.Resumed = m.Resumed || p.lost
	return reader{}
}

// readLZ4 reads a body of LZ4: the length and a block.
func readLZ4(dst, src []byte, whole bool) (plain []byte, all, ok bool) {
	if len(src) < 4 {
		return dst, false, false
	}
	n := int64(binary.BigEndian.Uint32(src))
	if n > maxBody {
		return dst, false, false
	}
	return checked(n, whole, lz4, dst, src[4:])
}

// readSnappy reads a body of Snappy: the length, as a varint, and what gives it.
func readSnappy(dst, src []byte, whole bool) (plain []byte, all, ok bool) {
	n, k := binary.Uvarint(src)
	if k <= 0 || n > maxBody {
		return dst, false, false
	}
	return checked(int64(n), whole, snappy, dst, src[k:])
}

// checked decompresses the first bytes of n. What is cut ends in the middle of
// something.
func checked(n int64, whole bool, read func(dst, src []byte, limit int) ([]byte, bool), dst, src []byte) (plain []byte, all, ok bool) {
	limit := int(min(n, maxHead))
	plain, ok = read(dst, src, limit)
	all = int64(len(plain)) == n
	return plain, all, ok && len(plain) == limit || !whole
}

// lz4 appends to dst the first limit bytes that a block of LZ4 holds
// (lz4_Block_format.md); false when the block ends in the middle or is none.
func lz4(dst, src []byte, limit int) ([]byte, bool) {
	start := len(dst)
	for len(src) > 0 && len(dst)-start < limit {
		token := src[0]
		literals, rest, ok := lz4Length(int(token>>4), src[1:])
		if !ok {
			return dst, false
		}
		dst = append(dst, rest[:min(literals, len(rest), limit-len(dst)+start)]...)
		if literals > len(rest) {
			return dst, false
		}
		if src = rest[literals:]; len(src) == 0 {
			break // the last sequence has only literals
		}
		if len(src) < 2 {
			return dst, false
		}
		offset := int(binary.LittleEndian.Uint16(src))
		length, rest, ok := lz4Length(int(token&15), src[2:])
		if !ok || offset == 0 || offset > len(dst)-start {
			return dst, false
		}
		dst = repeat(dst, offset, min(length+4, limit-len(dst)+start))
		src = rest
	}
	return dst, true
}

// lz4Length reads what follows of a length whose first four bits are n.
func lz4Length(n int, src []byte) (int, []byte, bool) {
	if n < 15 {
		return n, src, true
	}
	for i, c := range src {
		if n += int(c); c != 255 {
			return n, src[i+1:], n <= maxBody
		}
	}
	return 0, nil, false
}

// repeat appends n bytes of dst from offset before its end on; they may overlap.
func repeat(dst []byte, offset, n int) []byte {
	for from := len(dst) - offset; n > 0; {
		k := min(n, len(dst)-from)
		dst = append(dst, dst[from:from+k]...)
		from += k
		n -= k
	}
	return dst
}

// snappy is lz4 for Snappy without its length (format_description.txt of snappy).
func snappy(dst, src []byte, limit int) ([]byte, bool) {
	start := len(dst)
	for len(src) > 0 && len(dst)-start < limit {
		tag := src[0]
		if tag&3 == 0 {
			n, extra := int(tag>>2)+1, 0
			if n > 60 {
				extra = n - 60
			}
			if len(src) < 1+extra {
				return dst, false
			}
			if extra > 0 {
				n = int(littleEndian(src[1:1+extra])) + 1
			}
			src = src[1+extra:]
			dst = append(dst, src[:min(n, len(src), limit-len(dst)+start)]...)
			if n > len(src) {
				return dst, false
			}
			src = src[n:]
			continue
		}
		size := [...]int{0, 2, 3, 5}[tag&3]
		if len(src) < size {
			return dst, false
		}
		length, offset := int(tag>>2)+1, int(littleEndian(src[1:size]))
		if tag&3 == 1 {
			length, offset = int(tag>>2&7)+4, offset|int(tag>>5)<<8
		}
		if offset == 0 || offset > len(dst)-start {
			return dst, false
		}
		dst = repeat(dst, offset, min(length, limit-len(dst)+start))
		src = src[size:]
	}
	return dst, true
}

func littleEndian(b []byte) (n uint32) {
	for i, c := range b {
		n |= uint32(c) << (8 * i)
	}
	return n
}
