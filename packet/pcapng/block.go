package pcapng

import (
	"encoding/binary"
	"fmt"

	"shark/packet"
)

// Block types (pcapng draft, section 11.1).
const (
	blockInterface     = 1
	blockOldPacket     = 2
	blockSimplePacket  = 3
	blockNames         = 4
	blockStatistics    = 5
	blockPacket        = 6
	blockJournal       = 9
	blockSecrets       = 0x0a
	blockSectionHeader = 0x0a0d0d0a
	blockCustom        = 0x0bad
	blockCustomPrivate = 0x40000bad
	// blockIdentity is of the range for local use, which other programs pass over.
	blockIdentity = 0x80736869
	// BlockFiller is of the same range. It covers what is not written yet in a file that is
	// laid over another, and says nothing.
	BlockFiller = 0x8073686b
)

// identityMark is what the body of an identity block begins with: others may use the
// same number for blocks of their own.
const identityMark = "identity"

const byteOrderMagic = 0x1a2b3c4d

const (
	minBlock = 12 // type, length, length again
	// fixed parts of the block bodies
	sectionFixed    = 16
	interfaceFixed  = 8
	packetFixed     = 20
	simpleFixed     = 4
	statisticsFixed = 12
	secretsFixed    = 8
	identityFixed   = 12
)

// ngFile is the state of a pcapng file.
type ngFile struct {
	started    bool // a section header was read
	big        bool
	section    int64  // offset of its header
	first      uint32 // index of its first interface among all of the input
	interfaces []ngInterface
}

// ngInterface is what reading packets needs of an interface.
type ngInterface struct {
	clock   clock
	snapLen uint32
	link    packet.LinkType
}

// isSectionHeader tells whether b begins with the type of a section header.
func isSectionHeader(b []byte) bool {
	return len(b) >= 4 && binary.LittleEndian.Uint32(b) == blockSectionHeader // a palindrome
}

// byteOrder reads a byte-order magic.
func byteOrder(b []byte) (big, ok bool) {
	switch binary.LittleEndian.Uint32(b) {
	case byteOrderMagic:
		return false, true
	case 0x4d3c2b1a:
		return true, true
	}
	return false, false
}

func (f *ngFile) point(p *Point) {
	p.Section, p.FirstInterface, p.Interfaces = f.section, f.first, uint32(len(f.interfaces))
}

// parse implements format.
func (f *ngFile) parse(r *Reader, b *packet.Batch, buf []byte) (pos, need int) {
	for len(b.Records) < maxBatchRecords && pos < len(buf) {
		if r.search.on {
			if pos, need = f.seek(r, buf, pos); r.search.on || pos == len(buf) {
				return pos, need
			}
		}
		size, trailer := f.block(buf[pos:], r.eof)
		if size < 0 {
			return pos, -size
		}
		if size == 0 {
			reason := f.fault(buf[pos:])
			if r.eof && f.cut(buf[pos:]) {
				r.lost(r.base+int64(pos), len(buf)-pos, reason)
				return len(buf), 0
			}
			r.startSearch(r.base+int64(pos), reason)
			continue
		}
		if reason := f.read(r, b, buf[pos:pos+size], r.base+int64(pos)); reason != "" {
			r.addDamage(r.base+int64(pos), int64(size), reason)
		}
		pos += size
		if !trailer {
			r.addDamage(r.base+int64(pos)-4, 4, "the two lengths of a block differ")
		}
	}
	return pos, 0
}

// order returns the byte order of the block at the start of b, which is its own
// if it is a section header.
func (f *ngFile) order(b []byte) (big, ok bool) {
	if isSectionHeader(b) {
		if len(b) < minBlock {
			return false, false
		}
		return byteOrder(b[8:])
	}
	return f.big, f.started
}

// block returns the size of the block at the start of b. 0: there is none; -n:
// n bytes are needed to tell. A block whose second length is wrong passes, with
// trailer false, if another block follows just where the first length says.
func (f *ngFile) block(b []byte, eof bool) (size int, trailer bool) {
	size = f.extent(b, eof)
	if size <= 0 {
		return size, false
	}
	big, _ := f.order(b)
	if load32(b[size-4:], big) == load32(b[4:], big) {
		return size, true
	}
	if size == len(b) && eof {
		return size, false
	}
	next := f.proven(b[size:], eof)
	switch {
	case next == 0 || size-next > maxRecord:
		return 0, false
	case next < 0:
		return next - size, false
	}
	return size, false
}

// extent returns the size the first length of the block at b states, if it is
// possible and there: 0 if not, -n if n bytes are needed to tell.
func (f *ngFile) extent(b []byte, eof bool) int {
	if len(b) < minBlock {
		if eof {
			return 0
		}
		return -minBlock
	}
	big, ok := f.order(b)
	n := load32(b[4:], big)
	switch {
	case !ok || n < minBlock || n%4 != 0 || n > maxRecord:
		return 0
	case int(n) <= len(b):
		return int(n)
	case eof:
		return 0
	}
	return -int(n)
}

// proven is like extent, but wants a known type and two equal lengths.
func (f *ngFile) proven(b []byte, eof bool) int {
	if len(b) >= 8 && !f.known(b) {
		return 0
	}
	n := f.extent(b, eof)
	if n <= 0 {
		return n
	}
	big, _ := f.order(b)
	if load32(b[n-4:], big) != uint32(n) {
		return 0
	}
	return n
}

// known tells whether b begins with the type of a block that is read.
func (f *ngFile) known(b []byte) bool {
	switch load32(b, f.big) {
	case blockInterface, blockOldPacket, blockSimplePacket, blockNames, blockStatistics,
		blockPacket, blockJournal, blockSecrets, blockCustom, blockCustomPrivate, blockIdentity, BlockFiller:
		return f.started
	}
	return isSectionHeader(b)
}

// seek looks for the next block that proves itself.
func (f *ngFile) seek(r *Reader, buf []byte, pos int) (next, need int) {
	if r.base+int64(pos) == r.search.start {
		pos++ // this place is the damage
	}
	for ; len(buf)-pos >= minBlock; pos++ {
		n := f.proven(buf[pos:], r.eof)
		if n == 0 {
			continue
		}
		if n < 0 {
			return pos, -n
		}
		r.endSearch(r.base + int64(pos))
		return pos, 0
	}
	if r.eof {
		r.search.on = false
		r.lost(r.search.start, int(r.base+int64(len(buf))-r.search.start), r.search.reason)
		return len(buf), 0
	}
	return pos, minBlock
}

// fault says why there is no block at the start of b.
func (f *ngFile) fault(b []byte) string {
	if len(b) < minBlock {
		return "the file ends in a block's header"
	}
	big, ok := f.order(b)
	n := load32(b[4:], big)
	switch {
	case n == 0 && load32(b, big) == 0:
		return "zeros in place of a block"
	case !ok && f.started:
		return "a section header without a byte-order magic"
	case !ok:
		return "a block in no section that is known"
	case n < minBlock:
		return fmt.Sprintf("block length %d is too short", n)
	case n%4 != 0:
		return fmt.Sprintf("block length %d is not a multiple of 4", n)
	case n > maxRecord:
		return fmt.Sprintf("block length %d is more than the %d allowed", n, maxRecord)
	case int(n) > len(b):
		return "the file ends in a block"
	}
	return "the two lengths of a block differ"
}

// cut tells whether the input ends in the block at the start of b, rather than
// that the block's length is wrong: what its header says of its packet agrees
// with the length. Then nothing is looked for behind it, where captured
// packets might hold the blocks of another capture.
func (f *ngFile) cut(b []byte) bool {
	if len(b) < minBlock {
		return true
	}
	big, ok := f.order(b)
	n := load32(b[4:], big)
	if !ok || n < minBlock || n%4 != 0 || n > maxRecord || int(n) <= len(b) {
		return false
	}
	switch load32(b, big) {
	case blockPacket, blockOldPacket:
		if len(b) < 8+packetFixed || n < minBlock+packetFixed {
			return true
		}
		capLen := load32(b[20:], big)
		return capLen <= n-minBlock-packetFixed && n-capLen-(minBlock+packetFixed) <= usualOptions
	}
	return false
}

// read reads one whole block. It returns why it could not.
func (f *ngFile) read(r *Reader, b *packet.Batch, block []byte, off int64) string {
	kind := load32(block, f.big)
	body := block[8 : len(block)-4]
	switch kind {
	case blockPacket:
		return f.readPacket(r, b, body, false)
	case blockSectionHeader:
		return f.readSection(r, block, off)
	case blockOldPacket:
		return f.readPacket(r, b, body, true)
	case blockSimplePacket:
		return f.readSimplePacket(r, b, body)
	case blockInterface:
		return f.readInterface(r, body)
	case blockStatistics:
		return f.readStatistics(r, body)
	case blockNames:
		return r.meta.readNames(body, f.big)
	case blockSecrets:
		return r.meta.readSecrets(body, f.big)
	case blockIdentity:
		return r.meta.readIdentity(body, f.big)
	}
	return r.meta.readOther(kind, body, f.big)
}

// readPacket reads an Enhanced Packet Block (section 4.3) or the obsolete
// Packet Block (appendix A), whose interface is 16 bits wide.
func (f *ngFile) readPacket(r *Reader, b *packet.Batch, body []byte, old bool) string {
	if len(body) < packetFixed {
		return "packet block without room for a packet"
	}
	id := load32(body, f.big)
	if old {
		id = uint32(load16(body, f.big))
	}
	if id >= uint32(len(f.interfaces)) {
		return fmt.Sprintf("packet of interface %d, which is not described", id)
	}
	i := &f.interfaces[id]
	capLen, origLen := load32(body[12:], f.big), load32(body[16:], f.big)
	if capLen > uint32(len(body)-packetFixed) {
		return fmt.Sprintf("packet of %d bytes in a block of %d", capLen, len(body)+minBlock)
	}
	end := packetFixed + int(capLen)
	rec := f.add(r, b, body[packetFixed:end:end], i)
	rec.Time = i.clock.nanoseconds(uint64(load32(body[4:], f.big))<<32 | uint64(load32(body[8:], f.big)))
	rec.OrigLen = max(origLen, capLen)
	rec.Interface = f.first + id
	if end = (end + 3) &^ 3; end < len(body) {
		rec.Options = body[end:]
	}
	if old {
		dropped(rec, load16(body[2:], f.big))
	}
	return ""
}

// dropped puts the count of packets that were dropped before one, which the obsolete block has
// in its header, into an option. 0xffff is not known.
func dropped(rec *packet.Record, n uint16) {
	if n == 0 || n == 0xffff {
		return
	}
	order := binary.AppendByteOrder(binary.LittleEndian)
	if rec.OptionsBigEndian {
		order = binary.BigEndian
	}
	b := order.AppendUint16(order.AppendUint16(nil, optDropCount), 8)
	rec.Options = append(order.AppendUint64(b, uint64(n)), rec.Options...)
}

// readSimplePacket reads a Simple Packet Block (section 4.4). It belongs to the
// section's first interface and has no time: 0 stands for it.
func (f *ngFile) readSimplePacket(r *Reader, b *packet.Batch, body []byte) string {
	if len(body) < simpleFixed {
		return "packet block without room for a packet"
	}
	if len(f.interfaces) == 0 {
		return "packet of interface 0, which is not described"
	}
	i := &f.interfaces[0]
	origLen := load32(body, f.big)
	capLen := origLen
	if i.snapLen != 0 {
		capLen = min(capLen, i.snapLen)
	}
	if capLen > uint32(len(body)-simpleFixed) {
		return fmt.Sprintf("packet of %d bytes in a block of %d", capLen, len(body)+minBlock)
	}
	end := simpleFixed + int(capLen)
	rec := f.add(r, b, body[simpleFixed:end:end], i)
	rec.Time = 0
	rec.OrigLen = origLen
	rec.Interface = f.first
	return ""
}

// add appends a record of interface i to the batch; the caller sets its time,
// interface and length.
func (f *ngFile) add(r *Reader, b *packet.Batch, data []byte, i *ngInterface) *packet.Record {
	r.number++
	b.Records = extend(b.Records)
	rec := &b.Records[len(b.Records)-1]
	rec.Data = data
	rec.Options = nil
	rec.Number = r.number
	rec.Link = i.link
	rec.OptionsBigEndian = f.big
	return rec
}
