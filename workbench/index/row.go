package index

import (
	"bytes"
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
//	fields                                   for each table: its number, length and bytes of its row; then 0
//	DNS questions, answers                   length and bytes each; only of DNS
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
	fields                     []ownRow
	questions, answers         []byte // JSON lists
	packets                    []byte
}

// ownRow is the row of an entry in a protocol's table, as it is to stand there.
type ownRow struct {
	table int
	row   []byte
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
	layout layout
	dns    dnsFields
	err    error

	recent [][]placed // by protocol, the fields of the entry before
}

// placed is a field and where it stands.
type placed struct {
	f  *field.Field
	at spot
}

// encode returns e as a row, which is valid until the next call.
func (c *encoder) encode(e *dissector.Entry) ([]byte, error) {
	if c.recent == nil {
		c.recent = make([][]placed, len(c.schema.protocols))
	}
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
			c.value(r.num[numProtocol], f, v, e)
		}
	})
	if c.err != nil {
		return c.err
	}
	slices.SortStableFunc(c.vals, func(a, b stored) int { return a.at.order() - b.at.order() })
	return nil
}

func (c *encoder) value(protocol int64, f *field.Field, v field.Value, e *dissector.Entry) {
	at, known := c.place(protocol, f)
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

// place returns where a field of an entry stands. Entries of one protocol mostly
// have the same fields in the same order, so that the one before tells.
func (c *encoder) place(protocol int64, f *field.Field) (spot, bool) {
	recent, i := c.recent[protocol], len(c.vals)
	if i < len(recent) && recent[i].f == f {
		return recent[i].at, true
	}
	at, known := c.schema.stored[f]
	if known && i <= len(recent) {
		c.recent[protocol] = append(recent[:i], placed{f, at})
	}
	return at, known
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
	b = c.appendFields(b, r)
	b = appendBytes(b, r.questions)
	b = appendBytes(b, r.answers)
	c.row = appendPackets(b, packets)
	return c.row
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// appendFields writes the rows of the protocols' tables. They end with a table 0,
// which holds no fields.
func (c *encoder) appendFields(b []byte, r *record) []byte {
	for rest := c.vals; len(rest) > 0; {
		table := rest[0].at.table
		rest = c.fill(rest, r)
		b = binary.AppendUvarint(b, uint64(table))
		b = binary.AppendUvarint(b, uint64(c.layout.size()))
		b = c.layout.append(b)
	}
	return append(b, 0)
}

// fill lays out the row of the table that the first of vals is of, and returns
// what is of the next.
func (c *encoder) fill(vals []stored, r *record) []stored {
	table, column := vals[0].at.table, 0
	c.layout.begin()
	for len(vals) > 0 && vals[0].at.table == table {
		v, same := vals[0], 1
		for same < len(vals) && vals[same].at == v.at {
			same++
		}
		c.layout.nulls(v.at.column - column)
		column = v.at.column + 1
		switch kind := c.schema.kind(v.at); kind {
		case field.Bool, field.Int, field.Time:
			c.layout.int(v.n)
		case field.Float:
			c.layout.float(v.n)
		case field.Bytes:
			c.layout.bytes(serialBlob, v.b)
		case field.List, field.Map:
			c.layout.bytes(serialText, c.joined(kind, vals[:same], r))
		default:
			c.layout.bytes(serialText, v.b)
		}
		vals = vals[same:]
	}
	c.layout.nulls(len(c.schema.tables[table].columns) - column)
	return vals
}

// joined makes one text of the values of a list or map.
func (c *encoder) joined(kind field.Kind, vals []stored, r *record) []byte {
	from := len(c.arena)
	if kind == field.Map {
		c.arena = appendLines(c.arena, vals)
		return c.arena[from:]
	}
	c.arena = appendList(c.arena, vals)
	list := c.arena[from:]
	if r.num[numProtocol] != c.dns.protocol {
		return list // other protocols may share the fields
	}
	switch vals[0].at {
	case c.dns.questions:
		r.questions = list
	case c.dns.answers:
		r.answers = list
	}
	return list
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
		own := ownRow{int(t), d.bytes()}
		if t < fixedTables || t >= uint64(len(s.tables)) {
			return errRow
		}
		r.fields = append(r.fields, own)
	}
	r.questions, r.answers = d.bytes(), d.bytes()
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
