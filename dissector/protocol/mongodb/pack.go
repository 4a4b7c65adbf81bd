package mongodb

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// The compressors (MongoDB specifications, OP_COMPRESSED).
const (
	noop = iota
	snappyID
	zlibID
	zstdID
)

var compressors = [...]string{"noop", "snappy", "zlib", "zstd"}

// compressed is what stands in an OP_COMPRESSED before the packed bytes.
type compressed struct {
	opcode uint32
	size   int64 // of the message that was packed, without its header
	id     byte
}

// readCompressed reads it from a message.
func readCompressed(b []byte) (c compressed, ok bool) {
	if len(b) < compressedHeadSize {
		return c, false
	}
	c.opcode = binary.LittleEndian.Uint32(b[headerSize:])
	c.size = int64(int32(binary.LittleEndian.Uint32(b[headerSize+4:])))
	c.id = b[headerSize+8]
	return c, opcodes[c.opcode].name != "" && c.size > 0 && c.size <= maxMessage && int(c.id) < len(compressors)
}

// allowance is how much of one side's messages was unpacked. It is one for all of them:
// small messages that each unpack to much are many for few bytes.
type allowance struct {
	in, out int64
}

// left returns how many bytes may be unpacked yet.
func (a *allowance) left() int64 { return max(0, freeUnpacked+maxRatio*a.in-a.out) }

// unpack returns the message that is packed into b, with room for its header, as far
// as the limits and the bytes go.
func (c compressed) unpack(b []byte, a *allowance) []byte {
	packed := b[compressedHeadSize:min(len(b), maxPacked)]
	a.in += int64(len(packed))
	out := c.unpackTo(packed, int(min(c.size, maxUnpacked, a.left())))
	a.out += int64(len(out) - headerSize)
	return out
}

// unpackTo unpacks to at most limit bytes.
func (c compressed) unpackTo(packed []byte, limit int) []byte {
	switch c.id {
	case noop:
		return append(make([]byte, headerSize, headerSize+len(packed)), packed[:min(len(packed), limit)]...)
	case snappyID:
		return unsnap(make([]byte, headerSize, headerSize+min(limit, 64*len(packed))), packed, limit)
	}
	return unpackWith(c.id, packed, limit)
}

// unsnap unpacks Snappy's block format, without a frame around it
// (https://github.com/google/snappy/blob/main/format_description.txt), to at most
// limit bytes, which it appends to dst.
func unsnap(dst, src []byte, limit int) []byte {
	base := len(dst)
	_, n := binary.Uvarint(src)
	if n <= 0 {
		return dst
	}
	for src = src[n:]; len(src) > 0 && len(dst)-base < limit; {
		tag := src[0]
		if tag&3 == 0 {
			size, head := int(tag>>2)+1, 1
			if size > 60 { // the next 1 to 4 bytes have it
				head += size - 60
				if len(src) < head {
					break
				}
				var le [8]byte
				copy(le[:], src[1:head])
				size = int(binary.LittleEndian.Uint64(le[:])) + 1
			}
			src = src[head:]
			size = min(size, len(src))
			dst = append(dst, src[:min(size, limit-(len(dst)-base))]...)
			src = src[size:]
			continue
		}
		size, offset, head := copied(src)
		if head == 0 || offset == 0 || offset > len(dst)-base {
			break
		}
		src = src[head:]
		for size = min(size, limit-(len(dst)-base)); size > 0; size-- { // it may overlap with what it makes
			dst = append(dst, dst[len(dst)-offset])
		}
	}
	return dst
}

// copied reads an element of Snappy that repeats bytes; head is 0 when it is cut.
func copied(b []byte) (size, offset, head int) {
	switch tag := b[0]; {
	case tag&3 == 1 && len(b) >= 2:
		return int(tag>>2&7) + 4, int(tag>>5)<<8 | int(b[1]), 2
	case tag&3 == 2 && len(b) >= 3:
		return int(tag>>2) + 1, int(binary.LittleEndian.Uint16(b[1:])), 3
	case tag&3 == 3 && len(b) >= 5:
		return int(tag>>2) + 1, int(binary.LittleEndian.Uint32(b[1:])), 5
	}
	return 0, 0, 0
}

// unpacker keeps decoders, which are dear to make. They hold no goroutines, so that the
// pool may drop them.
type unpacker struct {
	src     bytes.Reader
	inflate io.ReadCloser // nil until it is used
	zstd    *zstd.Decoder
	out     bytes.Buffer
}

var unpackers = sync.Pool{New: func() any { return new(unpacker) }}

// unpackWith unpacks src with zlib or zstd to at most limit bytes, behind room for a
// header. What stops it early is no matter: what was unpacked stands.
func unpackWith(id byte, src []byte, limit int) []byte {
	u := unpackers.Get().(*unpacker)
	u.src.Reset(src)
	u.out.Reset()
	u.out.Write(make([]byte, headerSize))
	var r io.Reader
	var err error
	if id == zlibID {
		r, err = u.inflater()
	} else {
		r, err = u.decoder()
	}
	if err == nil {
		_, _ = io.CopyN(&u.out, r, int64(limit))
	}
	out := bytes.Clone(u.out.Bytes())
	u.src.Reset(nil)
	if u.out.Cap() > maxKept {
		u.out = bytes.Buffer{}
	}
	unpackers.Put(u)
	return out
}

func (u *unpacker) inflater() (io.Reader, error) {
	if u.inflate != nil {
		return u.inflate, u.inflate.(zlib.Resetter).Reset(&u.src, nil)
	}
	r, err := zlib.NewReader(&u.src)
	if err == nil {
		u.inflate = r
	}
	return r, err
}

func (u *unpacker) decoder() (io.Reader, error) {
	if u.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		u.zstd = d
	}
	return u.zstd, u.zstd.Reset(&u.src)
}
