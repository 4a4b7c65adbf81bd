package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

// A row is an entry on its way to the database: a key by which rows compare as
// byte strings, then the rest in varints. It holds nothing that depends on the
// shard it went through.
//
//	time, first packet, connection, index   8+8+8+4 bytes, big-endian, time with its sign flipped
//	numbers                                  a varint for each
//	source, destination                      16 bytes each
//	operation, summary, status               length and bytes each
//	fields                                   count; then, by table and column: table, column, value
//	packets                                  length and bytes: the deltas of a connection's packet numbers
const keySize = 28

// The numbers of a record.
const (
	numProtocol = iota
	numFlags
	numDuration     // ns from the first byte to the last
	numElapsed      // µs; -1 when unknown
	numFirstByte    // µs; -1 when unknown
	numRequestSize  // bytes
	numResponseSize // bytes
	numLost         // bytes
	numBits
	numGroup
	numSrcPort
	numDstPort
	numTransport
	numStatusCode
	numMarks
	numLast
	numVLAN
	numTunnel
	numTunnelID
	numInterface
	numPackets
	numbers
)

// record is a row taken apart. Its slices alias the row.
type record struct {
	time  int64
	first uint64
	conn  uint64
	index uint32

	num                        [numbers]int64
	src, dst                   packet.Addr
	operation, summary, status []byte
	fields                     []stored
	packets                    []byte
}

// The bits of numBits.
const (
	bitRequest = 1 << iota
	bitResponse
	bitOneWay
	bitFailed
)

// stored is the value of one column: n for whole numbers and, as its bits, for a
// fraction; b for the rest.
type stored struct {
	at spot
	n  int64
	b  []byte
}

var errRow = errors.New("a run holds a damaged row")

// encoder makes rows. It keeps what it needs from one to the next.
type encoder struct {
	schema *Schema
	vals   []stored
	arena  []byte
	row    []byte
	err    error
}

// encode returns e as a row, which is valid until the next call.
func (c *encoder) encode(e *dissector.Entry) ([]byte, error) {
	id, known := c.schema.ids[e.Protocol]
	if !known {
		return nil, errors.New("an entry of a protocol that the index was not made for")
	}
	r := record{time: e.Time, first: e.First, conn: e.Conn, index: e.Index, src: e.Flow.Src, dst: e.Flow.Dst}
	flags := c.schema.masks[id]
	for _, p := range e.Carriers {
		n, known := c.schema.ids[p]
		if !known {
			return nil, fmt.Errorf("an entry of protocol %s: it is carried by one that the index was not made for", e.Protocol.Name)
		}
		flags |= c.schema.masks[n]
	}
	n := &r.num
	n[numProtocol], n[numFlags] = int64(id), int64(flags)
	n[numDuration], n[numGroup], n[numLast], n[numMarks] = e.End-e.Time, int64(e.Group), int64(e.Last), int64(e.Marks)
	n[numSrcPort], n[numDstPort], n[numTransport] = int64(e.Flow.SrcPort), int64(e.Flow.DstPort), int64(e.Flow.Proto)
	n[numVLAN], n[numTunnel], n[numTunnelID] = int64(e.VLAN), int64(e.Tunnel.Kind), int64(e.Tunnel.ID)
	n[numInterface], n[numPackets] = int64(e.Iface), int64(len(e.Packets))
	halves(n, e)
	if err := c.values(&r, e); err != nil {
		return nil, err
	}
	return c.append(&r, e.Packets), nil
}

// halves sets what is known of the request, the response and the time between.
func halves(n *[numbers]int64, e *dissector.Entry) {
	n[numElapsed], n[numFirstByte] = -1, -1
	if q := e.Request; q != nil {
		n[numBits] |= bitRequest
		n[numRequestSize], n[numLost] = q.Size, q.Lost
	}
	if a := e.Response; a != nil {
		n[numBits] |= bitResponse
		n[numResponseSize] = a.Size
		n[numLost] += a.Lost
	}
	if e.Request != nil && e.Response != nil {
		// Clocks of two interfaces may disagree, and a server may answer before it
		// has heard all: then the time is not known.
		if d := e.Response.End - e.Request.Start; d >= 0 {
			n[numElapsed] = d / 1000
		}
		if d := e.Response.Start - e.Request.End; d >= 0 {
			n[numFirstByte] = d / 1000
		}
	}
	if e.OneWay {
		n[numBits] |= bitOneWay
	}
}

// values takes the entry's fields, in the order of their columns.
func (c *encoder) values(r *record, e *dissector.Entry) error {
	c.vals, c.arena, c.err = c.vals[:0], c.arena[:0], nil
	e.Each(func(f *field.Field, v field.Value) {
		switch f {
		case dissector.Operation.Field:
			r.operation = c.keepText(v.Bytes)
		case dissector.Summary.Field:
			r.summary = c.keepText(v.Bytes)
		case dissector.Status.Field:
			r.status = c.keepText(v.Bytes)
		case dissector.StatusCode.Field:
			r.num[numStatusCode] = v.Int
		case dissector.Failed.Field:
			if v.Int != 0 {
				r.num[numBits] |= bitFailed
			}
		default:
			c.value(f, v, e)
		}
	})
	if c.err != nil {
		return c.err
	}
	slices.SortStableFunc(c.vals, func(a, b stored) int {
		return cmp.Or(cmp.Compare(a.at.table, b.at.table), cmp.Compare(a.at.column, b.at.column))
	})
	r.fields = c.vals
	return nil
}

func (c *encoder) value(f *field.Field, v field.Value, e *dissector.Entry) {
	at, known := c.schema.stored[f]
	if !known {
		c.err = fmt.Errorf("an entry of protocol %s sets field %s, which no protocol declares as stored", e.Protocol.Name, f.Name)
		return
	}
	s := stored{at: at, n: v.Int}
	switch f.Kind {
	case field.Bool, field.Int, field.Time:
	case field.Float:
		s.n = int64(math.Float64bits(v.Float))
	case field.Bytes:
		s.b = v.Bytes
	default:
		s.b = c.keepText(v.Bytes)
	}
	c.vals = append(c.vals, s)
}

// keepText returns b as text that may be stored. It copies only where b is not.
func (c *encoder) keepText(b []byte) []byte {
	if cleanText(b) {
		return b
	}
	from := len(c.arena)
	c.arena = appendText(c.arena, b)
	return c.arena[from:]
}

// cleanText tells whether b is valid UTF-8 without NUL, which ends a text for
// many readers of SQLite.
func cleanText(b []byte) bool {
	for i, x := range b {
		if x-1 >= utf8.RuneSelf-1 { // NUL or not ASCII
			return x != 0 && utf8.Valid(b[i:]) && bytes.IndexByte(b[i:], 0) < 0
		}
	}
	return true
}

// appendText appends b with U+FFFD for each NUL and each byte that is not part
// of a valid UTF-8 sequence.
func appendText(dst, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == 0 {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		b = b[n:]
	}
	return dst
}

// append lays out the record.
func (c *encoder) append(r *record, packets []uint64) []byte {
	b := c.row[:0]
	b = binary.BigEndian.AppendUint64(b, uint64(r.time)^1<<63)
	b = binary.BigEndian.AppendUint64(b, r.first)
	b = binary.BigEndian.AppendUint64(b, r.conn)
	b = binary.BigEndian.AppendUint32(b, r.index)
	for _, n := range r.num {
		b = binary.AppendVarint(b, n)
	}
	b = append(b, r.src[:]...)
	b = append(b, r.dst[:]...)
	b = appendBytes(b, r.operation)
	b = appendBytes(b, r.summary)
	b = appendBytes(b, r.status)
	b = c.appendFields(b)
	c.row = appendPackets(b, packets)
	return c.row
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// appendFields writes the values, those of one list or map as one. They end with
// a table 0, which holds no fields.
func (c *encoder) appendFields(b []byte) []byte {
	for i := 0; i < len(c.vals); {
		v := c.vals[i]
		same := i + 1
		for same < len(c.vals) && c.vals[same].at == v.at {
			same++
		}
		b = binary.AppendUvarint(b, uint64(v.at.table))
		b = binary.AppendUvarint(b, uint64(v.at.column))
		switch kind := c.schema.kind(v.at); kind {
		case field.Bool, field.Int, field.Time, field.Float:
			b = binary.AppendVarint(b, v.n)
		case field.List, field.Map:
			from := len(c.arena)
			if kind == field.List {
				c.arena = appendList(c.arena, c.vals[i:same])
			} else {
				c.arena = appendLines(c.arena, c.vals[i:same])
			}
			b = appendBytes(b, c.arena[from:])
		default:
			b = appendBytes(b, v.b)
		}
		i = same
	}
	return append(b, 0)
}

// kind is the kind of the field that stands at a spot.
func (s *Schema) kind(at spot) field.Kind { return s.tables[at.table].columns[at.column].field.Kind }

// appendList writes a JSON array of the items.
func appendList(b []byte, items []stored) []byte {
	b = append(b, '[')
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, it.b)
	}
	return append(b, ']')
}

// appendLines writes a map's blocks as one, each line ended by \n alone.
func appendLines(b []byte, blocks []stored) []byte {
	for _, block := range blocks {
		rest := block.b
		for len(rest) > 0 {
			var line []byte
			line, rest, _ = bytes.Cut(rest, []byte("\n"))
			line = bytes.TrimSuffix(line, []byte("\r"))
			if len(line) > 0 {
				b = append(append(b, line...), '\n')
			}
		}
	}
	return b
}

// appendPackets writes ascending numbers as deltas, their length in bytes first.
func appendPackets(b []byte, packets []uint64) []byte {
	size, last := 0, uint64(0)
	for _, n := range packets {
		size += uvarintLen(n - last)
		last = n
	}
	b = binary.AppendUvarint(b, uint64(size))
	last = 0
	for _, n := range packets {
		b = binary.AppendUvarint(b, n-last)
		last = n
	}
	return b
}

func uvarintLen(n uint64) int { return (bits.Len64(n|1) + 6) / 7 }

// decode takes a row apart. r.fields keeps its memory from row to row.
func (s *Schema) decode(row []byte, r *record) error {
	if len(row) < keySize {
		return errRow
	}
	r.time = int64(binary.BigEndian.Uint64(row) ^ 1<<63)
	r.first = binary.BigEndian.Uint64(row[8:])
	r.conn = binary.BigEndian.Uint64(row[16:])
	r.index = binary.BigEndian.Uint32(row[24:])
	d := cursor{b: row[keySize:]}
	for i := range r.num {
		r.num[i] = d.varint()
	}
	copy(r.src[:], d.take(len(r.src)))
	copy(r.dst[:], d.take(len(r.dst)))
	r.operation, r.summary, r.status = d.bytes(), d.bytes(), d.bytes()
	r.fields = r.fields[:0]
	for {
		t := d.uvarint()
		if t == 0 || d.short {
			break
		}
		column := d.uvarint()
		if t < fixedTables || t >= uint64(len(s.tables)) || column >= uint64(len(s.tables[t].columns)) {
			return errRow
		}
		at := spot{int(t), int(column)}
		v := stored{at: at}
		switch s.kind(at) {
		case field.Bool, field.Int, field.Time, field.Float:
			v.n = d.varint()
		default:
			v.b = d.bytes()
		}
		r.fields = append(r.fields, v)
	}
	r.packets = d.bytes()
	if d.short || len(d.b) > 0 || r.num[numProtocol] < 0 || r.num[numProtocol] >= int64(len(s.protocols)) {
		return errRow
	}
	return nil
}

// cursor reads a row. Past its end it gives zeros and sets short.
type cursor struct {
	b     []byte
	short bool
}

func (d *cursor) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.short, d.b = true, nil
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.take(max(n, 0))
	d.short = d.short || n <= 0
	return v
}

func (d *cursor) varint() int64 {
	v, n := binary.Varint(d.b)
	d.take(max(n, 0))
	d.short = d.short || n <= 0
	return v
}

func (d *cursor) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.short, d.b = true, nil
		return nil
	}
	return d.take(int(n))
}
