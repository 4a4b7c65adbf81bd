package mongodb

import (
	"bytes"
	"encoding/binary"

	"shark/dissector"
	"shark/dissector/wire"
)

// probe knows a message by its header and by what each opcode begins with: flags
// that there are, names that can be shown, a document that fits into the message and
// begins with an element that fits into it. OP_MSG and OP_COMPRESSED are sent by both
// sides: a request answers nothing.
func probe(head []byte) dissector.Guess {
	if len(head) < headerSize {
		return dissector.More
	}
	h, ok := readHeader(head)
	if !ok {
		return dissector.No
	}
	b := head[:min(int64(len(head)), h.size)]
	opcode, ok, short := h.opcode, false, false
	switch opcode {
	case opCompressed:
		opcode, ok, short = probeCompressed(b, h.size)
	case opMsg:
		ok, short = probeMsg(b, h.size)
	case opReply:
		ok, short = probeReply(b, h.size)
	case opKillCursors:
		ok, short = probeKillCursors(b, h.size)
	case opCommand, opCommandReply:
		ok, short = probeCommand(b, h.size, opcode == opCommandReply)
	default:
		ok, short = probeNamed(b, h.size, opcode)
	}
	switch {
	case ok && short && int64(len(b)) < h.size:
		return dissector.More
	case !ok || short:
		return dissector.No
	case sentBy(dissector.Client, opcode) && (h.responseTo == 0 || opcode != opMsg && h.responseTo == noRequest):
		return dissector.Request
	case sentBy(dissector.Server, opcode) && (h.responseTo != 0 || opcode == opReply):
		return dissector.Response
	}
	return dissector.No
}

// fits tells whether a document with left bytes left in its message may begin with
// b; short says that too little of it is at hand to tell.
func fits(b []byte, left int64) (ok, short bool) {
	if len(b) < 5 {
		return left >= 5, true
	}
	size := int64(int32(binary.LittleEndian.Uint32(b)))
	if size < 5 || size > left {
		return false, false
	}
	if size == 5 {
		return b[4] == 0, false
	}
	e, need, ok := readElement(b[4:], size-4)
	if !ok || need > 0 {
		return ok, ok
	}
	for _, c := range e.key {
		if c < ' ' || c == 0x7f {
			return false, false
		}
	}
	return true, false
}

func probeMsg(b []byte, size int64) (ok, short bool) {
	if len(b) < 21 {
		return true, true
	}
	flags := binary.LittleEndian.Uint32(b[16:])
	if flags&^knownFlags != 0 || b[20] > 1 {
		return false, false
	}
	end := size
	if flags&checksumPresent != 0 {
		end -= checksumSize
	}
	if b[20] == 0 {
		return fits(b[21:], end-21)
	}
	if len(b) < 25 {
		return true, true
	}
	n := int64(int32(binary.LittleEndian.Uint32(b[21:])))
	r := fixedReader{b: b, at: 25}
	name := r.cstring()
	if n < 5 || n > end-21 || r.bad && len(b) >= 25+maxKey || !wire.Printable(name, "") {
		return false, false
	}
	if r.bad {
		return true, true
	}
	return fits(b[r.at:], 21+n-int64(r.at))
}

func probeReply(b []byte, size int64) (ok, short bool) {
	if len(b) < 36 {
		return true, true
	}
	flags, n := binary.LittleEndian.Uint32(b[16:]), int64(int32(binary.LittleEndian.Uint32(b[32:])))
	if flags&^replyFlags != 0 || n < 0 || n*5 > size-36 || n == 0 && size != 36 {
		return false, false
	}
	if n == 0 {
		return true, false
	}
	return fits(b[36:], size-36)
}

func probeKillCursors(b []byte, size int64) (ok, short bool) {
	if len(b) < 24 {
		return true, true
	}
	return binary.LittleEndian.Uint32(b[16:]) == 0 && size == 24+8*int64(binary.LittleEndian.Uint32(b[20:])), false
}

// probeCommand looks at OP_COMMAND, with two names in front, and OP_COMMANDREPLY.
func probeCommand(b []byte, size int64, reply bool) (ok, short bool) {
	r := fixedReader{b: b, at: headerSize}
	for range 2 {
		if reply {
			break
		}
		name := r.cstring()
		if r.bad {
			return len(b)-r.at < maxKey, true
		}
		if len(name) == 0 || !wire.Printable(name, "") {
			return false, false
		}
	}
	return fits(b[r.at:], size-int64(r.at))
}

// probeNamed looks at the legacy requests that name a collection.
func probeNamed(b []byte, size int64, opcode uint32) (ok, short bool) {
	if len(b) < 20 {
		return true, true
	}
	flags := binary.LittleEndian.Uint32(b[16:])
	switch {
	case opcode == opQuery && flags&^queryFlags != 0, opcode == opInsert && flags > 1, opcode != opQuery && opcode != opInsert && flags != 0:
		return false, false
	}
	r := fixedReader{b: b, at: 20}
	name := r.cstring()
	switch {
	case r.bad:
		return len(b)-20 < maxKey && wire.Printable(b[20:], ""), true
	case bytes.IndexByte(name, '.') <= 0 || !wire.Printable(name, ""):
		return false, false
	}
	switch opcode {
	case opGetMore:
		return size == int64(r.at)+12, false
	case opQuery:
		r.skip(8)
	case opUpdate, opDelete:
		r.skip(4)
	}
	if r.bad {
		return true, true
	}
	return fits(b[r.at:], size-int64(r.at))
}

// probeCompressed looks at what is packed as far as its compressor has marks, and
// returns its opcode.
func probeCompressed(b []byte, size int64) (opcode uint32, ok, short bool) {
	if len(b) < compressedHeadSize+5 {
		return 0, size >= compressedHeadSize+2, true
	}
	c, ok := readCompressed(b)
	if !ok || c.opcode == opCompressed {
		return 0, false, false
	}
	packed := b[compressedHeadSize:]
	switch c.id {
	case noop:
		ok = c.size == size-compressedHeadSize
	case snappyID:
		n, k := binary.Uvarint(packed)
		ok = k > 0 && n == uint64(c.size)
	case zlibID: // RFC 1950
		ok = packed[0]&0x0f == 8 && (int(packed[0])<<8|int(packed[1]))%31 == 0
	case zstdID: // RFC 8878
		ok = binary.LittleEndian.Uint32(packed) == 0xfd2fb528
	}
	return c.opcode, ok, false
}
