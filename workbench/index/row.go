package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

// A row is an entry on its way to the database: a key by which rows compare as
// byte strings, then what stands in the tables. It holds nothing that depends on
// the shard it went through.
//
//	time, first packet, connection, index   8+8+8+4 bytes, big-endian, time with its sign flipped
//	source, destination                      16 bytes each
//	link                                     linkSize bytes
//	entry                                    length and bytes of the types of its row, then of the values; both without the link
//	rows of other tables                     for each: number of the table, length and bytes; then 0
//	names                                    only of DNS: the time from which on they hold as after the entry's own, then questions and answers
const keySize = 28

// record is a row taken apart. Its slices alias the row.
type record struct {
	time  int64
	first uint64
	conn  uint64
	index uint32

	src, dst           packet.Addr
	link               []byte
	types, values      []byte
	rows               []ownRow
	holds              int64  // ns after time
	questions, answers []byte // JSON lists
}

// ownRow is a row of an entry in another table, as it is to stand there.
type ownRow struct {
	table int
	row   []byte
}

// The bits of the column state, which is 0 for most entries; the marks stand above
// them.
const (
	stateNoRequest = 1 << iota
	stateNoResponse
	stateOneWay
	stateFailed
	stateMarks
)

// stored is the value of a field: n for whole numbers and, as its bits, for a
// fraction; b for the rest.
type stored struct {
	f *field.Field
	n int64
	b []byte
}

var errRow = errors.New("a run holds a damaged row")

// encoder makes rows. It keeps what it needs from one to the next.
type encoder struct {
	schema *Schema
	words  [dissector.Partitions]*vocabulary

	said   shared
	vals   []stored // in the order in which they were set
	shape  *shape   // of vals
	shapes map[uint64]*shape
	voc    *vocabulary // of the entry's partition
	arena  []byte
	row    []byte
	layout layout
	dns    dnsFields
	lists  [2][]byte // of a DNS entry: questions and answers
}

// shared are the fields of all protocols: they stand in the table entries.
type shared struct {
	operation, summary, status []byte
	code                       int64
	failed                     bool
}

// encode returns e as a row, which is valid until the next call.
func (c *encoder) encode(e *dissector.Entry) ([]byte, error) {
	id, known := c.schema.ids[e.Protocol]
	if !known {
		return nil, errors.New("an entry of a protocol that the index was not made for")
	}
	flags := c.schema.masks[id]
	for _, p := range e.Carriers {
		n, known := c.schema.ids[p]
		if !known {
			return nil, fmt.Errorf("an entry of protocol %s: it is carried by one that the index was not made for", e.Protocol.Name)
		}
		flags |= c.schema.masks[n]
	}
	if c.voc = c.words[e.Partition]; c.voc == nil {
		c.voc = newVocabulary(e.Partition, c.schema.texts)
		c.words[e.Partition] = c.voc
	}
	if err := c.values(e); err != nil {
		return nil, err
	}
	c.append(e, int64(id), flags)
	return c.row, nil
}

// values takes the entry's fields.
func (c *encoder) values(e *dissector.Entry) (err error) {
	c.vals, c.arena, c.lists, c.said = c.vals[:0], c.arena[:0], [2][]byte{}, shared{}
	e.Each(func(f *field.Field, v field.Value) {
		switch f {
		case dissector.Operation.Field:
			c.said.operation = c.keepText(v.Bytes)
		case dissector.Summary.Field:
			c.said.summary = c.keepText(v.Bytes)
		case dissector.Status.Field:
			c.said.status = c.keepText(v.Bytes)
		case dissector.StatusCode.Field:
			c.said.code = v.Int
		case dissector.Failed.Field:
			c.said.failed = c.said.failed || v.Int != 0
		default:
			c.value(f, v)
		}
	})
	if c.shape, err = c.shapeOf(c.vals); err != nil {
		return fmt.Errorf("an entry of protocol %s: %w", e.Protocol.Name, err)
	}
	return nil
}

func (c *encoder) value(f *field.Field, v field.Value) {
	s := stored{f: f, n: v.Int}
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
func cleanText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

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

// append lays out the row.
func (c *encoder) append(e *dissector.Entry, protocol int64, flags uint64) {
	b := c.row[:0]
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time)^1<<63)
	b = binary.BigEndian.AppendUint64(b, e.First)
	b = binary.BigEndian.AppendUint64(b, e.Conn)
	b = binary.BigEndian.AppendUint32(b, e.Index)
	b = append(b, e.Flow.Src[:]...)
	b = append(b, e.Flow.Dst[:]...)
	l := link{
		group: e.Group, srcPort: e.Flow.SrcPort, dstPort: e.Flow.DstPort, transport: e.Flow.Proto,
		tunnel: e.Tunnel, vlan: e.VLAN, iface: e.Iface,
	}
	b = l.append(b)
	c.entry(e, protocol, flags)
	b = appendBytes(b, c.layout.types)
	b = appendBytes(b, c.layout.values)
	for rest := c.shape.cells; len(rest) > 0; {
		table := rest[0].at.table
		rest = c.fill(rest)
		b = c.appendRow(b, table)
	}
	if len(e.Packets) > 0 {
		c.connection(e)
		b = c.appendRow(b, tableConnections)
	}
	b = append(b, 0)
	if protocol == c.dns.protocol && e.Marks&dissector.MarkUnpaired == 0 {
		b = binary.AppendVarint(b, e.End-e.Time)
		b = appendBytes(b, c.lists[0])
		b = appendBytes(b, c.lists[1])
	}
	c.row = b
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// appendRow appends what is laid out as a row of a table.
func (c *encoder) appendRow(b []byte, table int) []byte {
	b = binary.AppendUvarint(b, uint64(table))
	b = binary.AppendUvarint(b, uint64(c.layout.size()))
	return c.layout.append(b)
}

// connection lays out the packets of a connection.
func (c *encoder) connection(e *dissector.Entry) {
	c.layout.begin()
	c.layout.int(int64(e.Conn))
	c.layout.int(int64(len(e.Packets)))
	from := len(c.arena)
	last := uint64(0)
	for _, n := range e.Packets {
		c.arena = binary.AppendUvarint(c.arena, n-last)
		last = n
	}
	c.layout.bytes(serialBlob, c.arena[from:])
}

// entry lays out the row of the table entries: its columns in their order, but for
// the link, which comes first.
func (c *encoder) entry(e *dissector.Entry, protocol int64, flags uint64) {
	l := &c.layout
	l.begin()
	l.int(e.Time)
	l.int(e.End - e.Time)
	c.timing(e)
	l.int(protocol)
	l.int(int64(flags))
	l.int(int64(e.Index))
	c.word(columnOperation, c.said.operation)
	c.word(columnSummary, c.said.summary)
	c.word(columnStatus, c.said.status)
	l.int(c.said.code)
	state, lost := int64(e.Marks)*stateMarks, int64(0)
	for _, half := range [...]struct {
		m   *dissector.Message
		bit int64
	}{{e.Request, stateNoRequest}, {e.Response, stateNoResponse}} {
		if half.m == nil {
			state |= half.bit
			l.nulls(1)
			continue
		}
		lost += half.m.Lost
		l.int(half.m.Size)
	}
	if e.OneWay {
		state |= stateOneWay
	}
	if c.said.failed {
		state |= stateFailed
	}
	l.int(state)
	l.int(lost)
	l.int(int64(e.First))
	l.int(int64(e.Last - e.First))
}

// timing lays out how long the answer took, as what is missing to the duration, in
// µs, which mostly is nothing, and how much of it passed between the answer's first
// byte and its last. Clocks of two interfaces may disagree, and a server may answer
// before it has heard all: then it is not known.
func (c *encoder) timing(e *dissector.Entry) {
	if e.Request == nil || e.Response == nil {
		c.layout.nulls(2)
		return
	}
	elapsed, first := e.Response.End-e.Request.Start, e.Response.Start-e.Request.End
	if elapsed < 0 {
		c.layout.nulls(2)
		return
	}
	c.layout.int((e.End-e.Time)/1000 - elapsed/1000)
	if first < 0 {
		c.layout.nulls(1)
		return
	}
	c.layout.int(elapsed/1000 - first/1000)
}

// word lays out a text of a column, by its number if it has one.
func (c *encoder) word(column int, text []byte) {
	if id, ok := c.voc.wordIn(column, text); ok {
		c.layout.int(id)
	} else {
		c.layout.bytes(serialText, text)
	}
}

// text is word for a text that may say what the entry says already.
func (c *encoder) text(column int, b []byte) {
	o, s := c.said.operation, c.said.summary
	switch {
	case bytes.Equal(b, s):
		c.layout.int(isSummary)
	case bytes.Equal(b, o):
		c.layout.int(isOperation)
	case len(b) == len(o)+1+len(s) && bytes.HasPrefix(b, o) && b[len(o)] == ' ' && bytes.HasSuffix(b, s):
		c.layout.int(isBoth)
	default:
		c.word(column, b)
	}
}

// fill lays out the row of the table that the first of cells is of, and returns
// what is of the next. Columns behind the last that is set need not stand in a row.
func (c *encoder) fill(cells []shapeCell) []shapeCell {
	table, column := cells[0].at.table, 0
	c.layout.begin()
	for len(cells) > 0 && cells[0].at.table == table {
		x := cells[0]
		cells = cells[1:]
		c.layout.nulls(x.at.column - column)
		column = x.at.column + 1
		v, number := &c.vals[x.from], c.schema.tables[table].columns[x.at.column].number
		switch v.f.Kind {
		case field.Bool, field.Int, field.Time:
			c.layout.int(v.n)
		case field.Float:
			c.layout.float(v.n)
		case field.Bytes:
			c.layout.bytes(serialBlob, v.b)
		case field.Map:
			c.lines(x, number)
			column++
		case field.List:
			c.text(number, c.list(x))
		default:
			c.text(number, v.b)
		}
	}
	return cells
}

// lines lays out the two columns of a map: the lines that change, then those that
// come again.
func (c *encoder) lines(x shapeCell, column int) {
	from := len(c.arena)
	for i := range x.each(c.vals) {
		c.arena = appendLines(c.arena, c.vals[i].b)
	}
	to := len(c.arena)
	var id int64
	var known bool
	c.arena, id, known = c.voc.lay(column, c.arena[from:to:to], c.arena)
	changing := c.arena[to:]
	switch {
	case !known:
		c.layout.bytes(serialText, c.arena[from:to])
		c.layout.nulls(1)
		return
	case len(changing) == 0:
		c.layout.nulls(1)
	default:
		c.layout.bytes(serialText, changing)
	}
	c.layout.int(id)
}

// list makes one text of the values of a list.
func (c *encoder) list(x shapeCell) []byte {
	from := len(c.arena)
	c.arena = append(c.arena, '[')
	for i := range x.each(c.vals) {
		if i > x.from {
			c.arena = append(c.arena, ',')
		}
		c.arena = appendQuoted(c.arena, c.vals[i].b)
	}
	c.arena = append(c.arena, ']')
	list := c.arena[from:]
	switch x.at {
	case c.dns.questions:
		c.lists[0] = list
	case c.dns.answers:
		c.lists[1] = list
	}
	return list
}

// appendLines writes a block of a map, each line ended by \n alone.
func appendLines(b, block []byte) []byte {
	for len(block) > 0 {
		var line []byte
		line, block, _ = bytes.Cut(block, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) > 0 {
			b = append(append(b, line...), '\n')
		}
	}
	return b
}

// decode takes a row apart. r.rows keeps its memory from row to row.
func (s *Schema) decode(row []byte, r *record) error {
	if len(row) < keySize {
		return errRow
	}
	r.time = int64(binary.BigEndian.Uint64(row) ^ 1<<63)
	r.first = binary.BigEndian.Uint64(row[8:])
	r.conn = binary.BigEndian.Uint64(row[16:])
	r.index = binary.BigEndian.Uint32(row[24:])
	d := cursor{b: row[keySize:]}
	copy(r.src[:], d.take(len(r.src)))
	copy(r.dst[:], d.take(len(r.dst)))
	r.link = d.take(linkSize)
	r.types, r.values = d.bytes(), d.bytes()
	r.rows = r.rows[:0]
	for {
		t := d.uvarint()
		if t == 0 || d.short {
			break
		}
		own := ownRow{int(t), d.bytes()}
		if t != tableConnections && t < fixedTables || t >= uint64(len(s.tables)) {
			return errRow
		}
		r.rows = append(r.rows, own)
	}
	r.holds, r.questions, r.answers = 0, nil, nil
	if len(d.b) > 0 {
		r.holds = d.varint()
		r.questions, r.answers = d.bytes(), d.bytes()
	}
	if d.short || len(d.b) > 0 || len(r.types) == 0 {
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
