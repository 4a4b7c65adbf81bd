package pcapng

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"shark/packet"
)

// Magic numbers of pcap files, as the writer's byte order shows them.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetzov's: 8 more bytes in every record header
)

const (
	pcapHeader     = 24
	recordHeader   = 16
	modifiedHeader = 24
)

// Link types whose packets libpcap lets grow beyond usualRecord.
const (
	linkDBus    packet.LinkType = 231
	linkUSBPcap packet.LinkType = 249
)

// pcapFile is the state of a pcap file.
type pcapFile struct {
	big      bool
	header   int    // bytes of a record header
	fraction uint32 // parts of a second; times are unit nanoseconds each
	unit     int64
	limit    uint32 // largest packet
	snapLen  uint32
	link     packet.LinkType
	oldest   bool   // of a version before 2.3
	either   bool   // of version 2.3
	usual    bool   // little-endian, with the record header of today
	last     uint32 // time of the last packet in seconds, to judge others by
	any      bool   // there was a packet
}

// newPcap tells whether head begins with a magic number of pcap.
func newPcap(head []byte) (*pcapFile, bool) {
	p := &pcapFile{header: recordHeader, fraction: 1e6, unit: 1000}
	magic := binary.LittleEndian.Uint32(head)
	switch magic {
	case bits.ReverseBytes32(magicMicro), bits.ReverseBytes32(magicNano), bits.ReverseBytes32(magicModified):
		p.big, magic = true, bits.ReverseBytes32(magic)
	}
	switch magic {
	case magicMicro:
	case magicNano:
		p.fraction, p.unit = 1e9, 1
	case magicModified:
		p.header = modifiedHeader
	default:
		return nil, false
	}
	return p, true
}

// readHeader reads the 24 bytes of the file header. Files of every version are
// read, since there are some with wrong ones; but see lengths.
func (p *pcapFile) readHeader(head []byte) {
	p.oldest = load16(head[4:], p.big) == 2 && load16(head[6:], p.big) < 3
	p.either = load16(head[4:], p.big) == 2 && load16(head[6:], p.big) == 3
	p.usual = !p.big && !p.oldest && !p.either && p.header == recordHeader
	p.snapLen = load32(head[16:], p.big)
	// The upper bits say whether packets end in a frame check sequence.
	p.link = packet.LinkType(load32(head[20:], p.big))
	p.limit = min(max(p.snapLen, usualRecord), maxRecord-modifiedHeader)
	if p.link == linkDBus || p.link == linkUSBPcap {
		p.limit = maxRecord - modifiedHeader
	}
}

// lengths reads a record's captured and original length. Writers before
// version 2.3 had them the other way round, and of 2.3 there are both
// (libpcap, sf-pcap.c).
func (p *pcapFile) lengths(h []byte) (capLen, origLen uint32) {
	capLen, origLen = load32(h[8:], p.big), load32(h[12:], p.big)
	if p.oldest || p.either && capLen > origLen {
		return origLen, capLen
	}
	return capLen, origLen
}

func (p *pcapFile) point(pt *Point) {}

// parse implements format.
func (p *pcapFile) parse(r *Reader, b *packet.Batch, buf []byte) (pos, need int) {
	for len(b.Records) < maxBatchRecords {
		if r.search.on {
			if pos, need = p.seek(r, buf, pos); r.search.on {
				return pos, need
			}
		}
		var reason string
		if pos, need, reason = p.records(r, b, buf, pos); len(b.Records) > 0 {
			p.last, p.any = uint32(b.Records[len(b.Records)-1].Time/1e9), true
		}
		if reason != "" {
			r.startSearch(r.base+int64(pos), reason)
			continue
		}
		if need == 0 || !r.eof {
			return pos, need
		}
		p.cut(r, buf, pos)
		if !r.search.on {
			return len(buf), 0
		}
	}
	return pos, 0
}

// records parses whole records from pos on. It stops at the end of buf or
// of the batch, or at a place that is no record, for a reason.
func (p *pcapFile) records(r *Reader, b *packet.Batch, buf []byte, pos int) (_, need int, reason string) {
	recs := b.Records
	if p.usual {
		recs, pos = p.usualRecords(recs, r.number, buf, pos)
	}
	number := r.number + uint64(len(recs)-len(b.Records))
	for len(recs) < maxBatchRecords {
		if need = p.header; len(buf)-pos < need {
			if len(buf) == pos {
				need = 0
			}
			break
		}
		h := buf[pos : pos+recordHeader]
		sec, frac := load32(h, p.big), load32(h[4:], p.big)
		capLen, origLen := p.lengths(h)
		if capLen > p.limit {
			reason = fmt.Sprintf("packet of %d bytes, more than the %d allowed", capLen, p.limit)
			break
		}
		if sec|frac|capLen|origLen == 0 {
			reason = "zeros in place of a packet"
			break
		}
		data := pos + p.header
		end := data + int(capLen)
		if need = end - pos; end > len(buf) {
			break
		}
		number++
		recs = extend(recs)
		rec := &recs[len(recs)-1]
		rec.Data = buf[data:end:end]
		rec.Options = nil
		rec.Time = int64(sec)*1e9 + int64(frac)*p.unit
		rec.Number = number
		rec.OrigLen = max(origLen, capLen)
		rec.Interface = 0
		rec.Link = p.link
		rec.OptionsBigEndian = false
		pos, need = end, 0
	}
	b.Records, r.number = recs, number
	return pos, need, reason
}

// usualRecords is records for the headers that nearly all files have, at half the
// instructions. It stops at whatever is not usual, and where recs would have to grow.
func (p *pcapFile) usualRecords(recs []packet.Record, number uint64, buf []byte, pos int) ([]packet.Record, int) {
	limit, unit, link := p.limit, uint64(p.unit), p.link
	rest, room := buf[pos:], recs[len(recs):min(cap(recs), maxBatchRecords)]
	n := 0
	for ; n < len(room) && len(rest) >= recordHeader; n++ {
		times, lengths := binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:])
		capLen := uint32(lengths)
		end := recordHeader + int(capLen)
		if capLen > limit || end > len(rest) || times|lengths == 0 {
			break
		}
		rec := &room[n]
		rec.Data = rest[recordHeader:end:end]
		rec.Options = nil
		rec.Time = int64(uint64(uint32(times))*1e9 + times>>32*unit)
		rec.Number = number + uint64(n) + 1
		rec.OrigLen = max(uint32(lengths>>32), capLen)
		rec.Interface = 0
		rec.Link = link
		rec.OptionsBigEndian = false
		rest = rest[end:]
	}
	return recs[:len(recs)+n], len(buf) - len(rest)
}

// extend makes recs one longer. The new record keeps what the memory held.
func extend(recs []packet.Record) []packet.Record {
	if len(recs) < cap(recs) {
		return recs[:len(recs)+1]
	}
	return append(recs, packet.Record{})
}

// cut handles the last, incomplete record of the input. If its header is one
// that a sound writer makes, the file was cut; if not, there may be sound
// records behind it.
func (p *pcapFile) cut(r *Reader, buf []byte, pos int) {
	rest := buf[pos:]
	switch {
	case len(rest) < p.header:
		r.lost(r.base+int64(pos), len(rest), "the file ends in a packet's header")
	case p.sound(rest, p.reference(rest)):
		r.lost(r.base+int64(pos), len(rest), "the file ends in a packet")
	default:
		r.startSearch(r.base+int64(pos), "packet longer than the rest of the file")
	}
}

// seek looks for the next place where a chain of records proves itself.
func (p *pcapFile) seek(r *Reader, buf []byte, pos int) (next, need int) {
	if r.base+int64(pos) == r.search.start {
		pos++ // this place is the damage
	}
	for ; len(buf)-pos >= p.header; pos++ {
		n := p.chain(buf[pos:], r.eof)
		if n == 0 {
			continue
		}
		if n > len(buf)-pos {
			return pos, n
		}
		r.endSearch(r.base + int64(pos))
		return pos, 0
	}
	if r.eof {
		r.search.on = false
		r.lost(r.search.start, int(r.base+int64(len(buf))-r.search.start), r.search.reason)
		return len(buf), 0
	}
	return pos, p.header
}

// chain tells whether records follow one another from the start of buf. It
// returns 0 if not, else the bytes it took or, when more than buf has, the
// bytes needed to tell.
func (p *pcapFile) chain(buf []byte, eof bool) int {
	ref := p.reference(buf)
	for n, pos := 0, 0; ; n++ {
		switch {
		case n == provenRecords:
			return min(pos, len(buf))
		case pos == len(buf) && eof:
			return pos
		case pos+p.header > len(buf):
			if eof || pos > searchWindow {
				return 0
			}
			return pos + p.header
		case !p.sound(buf[pos:], ref):
			return 0
		}
		capLen, _ := p.lengths(buf[pos:])
		pos += p.header + int(capLen)
	}
}

// reference is the time to judge other times by: that of the last packet, or
// that of the record at buf when there was none.
func (p *pcapFile) reference(buf []byte) uint32 {
	if p.any {
		return p.last
	}
	return load32(buf, p.big)
}

// sound tells whether buf begins with a record header as a sound writer makes
// it, of a time near ref.
func (p *pcapFile) sound(buf []byte, ref uint32) bool {
	sec, frac := load32(buf, p.big), load32(buf[4:], p.big)
	capLen, origLen := p.lengths(buf)
	return frac < p.fraction && sec-ref+nearSeconds <= 2*nearSeconds && sec != 0 &&
		capLen > 0 && capLen <= origLen && capLen <= p.limit && origLen <= maxRecord
}

func load16(b []byte, big bool) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if big {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func load32(b []byte, big bool) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if big {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func load64(b []byte, big bool) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if big {
		v = bits.ReverseBytes64(v)
	}
	return v
}
