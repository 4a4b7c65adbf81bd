package http2_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"shark/packet"
)

// This is the other reader of header blocks: it knows nothing of what fields say. It
// counts the entries that are added to the dynamic table, and so tells of each field, from
// RFC 7541 alone, whether what it refers to was said before a cut: index 62 is the entry
// that was added last, 63 the one before, whatever was evicted.

// A sentBlock is a header block of a recorded connection.
type sentBlock struct {
	record int    // that it begins in
	stream string // as facts names them
	fields []sentField
}

type sentField struct {
	index   int  // of the field, or of its name; 0: both are spelled out
	literal bool // its value is spelled out
	added   bool // it becomes an entry
}

// knowable counts what can be known of the streams that count by who has seen the blocks
// behind a cut alone.
func knowable(all [][]sentBlock, cut int, counts func(stream string) bool) (n knowledge) {
	const static = 61
	for _, direction := range all {
		var entries []bool // added since the cut, oldest first: whether the name is known
		for _, b := range direction {
			if b.record < cut {
				continue
			}
			for _, f := range b.fields {
				named := f.index <= static
				seen := named
				if k := len(entries) - (f.index - static); f.index > static && k >= 0 {
					seen, named = true, entries[k]
				}
				if f.added {
					entries = append(entries, named)
				}
				if !counts(b.stream) || !f.literal && (f.index == 6 || f.index == 7) { // :scheme is not told
					continue
				}
				n.all++
				switch {
				case named:
					n.whole++
				case seen || f.literal:
					n.value++
				}
			}
		}
	}
	return n
}

// beginnings says in which record each stream begins.
func beginnings(all [][]sentBlock) map[string]int {
	begin := make(map[string]int)
	for _, direction := range all {
		for _, b := range direction {
			if first, ok := begin[b.stream]; !ok || b.record < first {
				begin[b.stream] = b.record
			}
		}
	}
	return begin
}

// blocksOf reads the header blocks of a capture whose connections are complete and in
// order, as those that were recorded on a loopback interface are: of each direction.
func blocksOf(recs []packet.Record) (all [][]sentBlock) {
	type direction struct {
		src, dst netip.AddrPort
	}
	type bytes struct {
		next  uint32
		data  []byte
		begin []int // at what byte of data a record's begin
		recs  []int
	}
	sent := make(map[direction]*bytes)
	var order []direction
	for i, rec := range recs {
		const ip = 14
		tcp := ip + int(rec.Data[ip]&0xf)*4
		end := ip + int(binary.BigEndian.Uint16(rec.Data[ip+2:]))
		payload := rec.Data[tcp+int(rec.Data[tcp+12]>>4)*4 : end]
		src, _ := netip.AddrFromSlice(rec.Data[ip+12 : ip+16])
		dst, _ := netip.AddrFromSlice(rec.Data[ip+16 : ip+20])
		d := direction{
			netip.AddrPortFrom(src, binary.BigEndian.Uint16(rec.Data[tcp:])),
			netip.AddrPortFrom(dst, binary.BigEndian.Uint16(rec.Data[tcp+2:])),
		}
		s, seq := sent[d], binary.BigEndian.Uint32(rec.Data[tcp+4:])
		if s == nil {
			s = &bytes{next: seq}
			sent[d], order = s, append(order, d)
		}
		if rec.Data[tcp+13]&2 != 0 { // SYN
			s.next = seq + 1
		}
		if len(payload) == 0 || seq != s.next {
			continue // nothing, or sent again
		}
		s.begin, s.recs = append(s.begin, len(s.data)), append(s.recs, i)
		s.data, s.next = append(s.data, payload...), seq+uint32(len(payload))
	}
	for _, d := range order {
		s := sent[d]
		client, k := d.dst, 0
		if strings.HasPrefix(string(s.data), preface) {
			client = d.src
		}
		var blocks []sentBlock
		eachFrame(s.data, func(at int, kind, flags byte, stream uint32, payload []byte) {
			for k+1 < len(s.begin) && s.begin[k+1] <= at {
				k++
			}
			if kind == 1 { // HEADERS, here always whole
				name := fmt.Sprintf("%s:%d stream %d", client.Addr(), client.Port(), stream)
				blocks = append(blocks, sentBlock{s.recs[k], name, fieldsOf(blockOf(flags, payload))})
			}
		})
		all = append(all, blocks)
	}
	return all
}

// preface is what a client says first (RFC 9113, section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// eachFrame calls f for each frame of a side.
func eachFrame(b []byte, f func(at int, kind, flags byte, stream uint32, payload []byte)) {
	at := 0
	if strings.HasPrefix(string(b), preface) {
		at = len(preface)
	}
	for len(b)-at >= 9 {
		n := int(b[at])<<16 | int(b[at+1])<<8 | int(b[at+2])
		if len(b)-at < 9+n {
			return
		}
		f(at, b[at+3], b[at+4], binary.BigEndian.Uint32(b[at+5:])&(1<<31-1), b[at+9:at+9+n])
		at += 9 + n
	}
}

// blockOf takes padding and priority off HEADERS.
func blockOf(flags byte, payload []byte) []byte {
	if flags&8 != 0 {
		payload = payload[1 : len(payload)-int(payload[0])]
	}
	if flags&0x20 != 0 {
		payload = payload[5:]
	}
	return payload
}

// fieldsOf reads the representations of a block (RFC 7541, section 6).
func fieldsOf(b []byte) (fields []sentField) {
	number := func(prefix uint) int {
		full := 1<<prefix - 1
		n := int(b[0]) & full
		b = b[1:]
		for shift := 0; n >= full; shift += 7 {
			c := b[0]
			n, b = n+int(c&0x7f)<<shift, b[1:]
			if c < 0x80 {
				break
			}
		}
		return n
	}
	text := func() { n := number(7); b = b[n:] }
	for len(b) > 0 {
		var f sentField
		switch c := b[0]; {
		case c&0x80 != 0:
			f.index = number(7)
			fields = append(fields, f)
			continue
		case c&0xc0 == 0x40:
			f.index, f.added = number(6), true
		case c&0xe0 == 0x20:
			number(5)
			continue
		default:
			f.index = number(4)
		}
		f.literal = true
		if f.index == 0 {
			text()
		}
		text()
		fields = append(fields, f)
	}
	return fields
}
