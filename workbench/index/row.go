package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"shark/dissector"
	"shark/dissector/field"
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

// The bits of the column state, which is 0 for most entries; the marks stand above
// them.
const (
	stateNoRequest = 1 << iota
	stateNoResponse
	stateOneWay
	stateFailed
	stateMarks
	stateTLS = 1 << 12 // above all marks there may be
)

// encoder makes rows. It keeps what it needs from one to the next.
type encoder struct {
	schema *Schema
	words  *vocabularies

	kinds  []kind
	shapes shapes
	shape  *shape           // of the entry
	halves [2]*field.Values // of the entry
	voc    *vocabulary      // of its partition
	said   shared
	arena  []byte
	row    []byte
	layout layout
	dns    dnsFields
	lists  [2][]byte // of a DNS entry: questions and answers
}

// kind is what entries of a protocol have in common that are carried by the same
// others.
type kind struct {
	protocol *dissector.Protocol
	carriers []*dissector.Protocol
	id       int64
	flags    uint64
}

// vocabularies are those of all partitions. Shards share them: the entries of a
// partition come from one worker at a time.
type vocabularies [dissector.Partitions]*vocabulary

// shared are texts of all protocols, as they are stored with the entry.
type shared struct{ operation, summary []byte }

// noValues are those of a half that was not seen.
var noValues field.Values

// encode returns e as a row, which is valid until the next call.
func (c *encoder) encode(e *dissector.Entry) ([]byte, error) {
	k, err := c.kind(e)
	if err != nil {
		return nil, err
	}
	if c.voc = c.words[e.Partition]; c.voc == nil {
		c.voc = newVocabulary(e.Partition, c.schema.texts)
		c.words[e.Partition] = c.voc
	}
	c.halves = [2]*field.Values{&noValues, &noValues}
	if e.Request != nil {
		c.halves[0] = &e.Request.Values
	}
	if e.Response != nil {
		c.halves[1] = &e.Response.Values
	}
	if c.shape, err = c.shapes.of(c.schema, c.halves[0], c.halves[1]); err != nil {
		return nil, fmt.Errorf("an entry of protocol %s: %w", e.Protocol.Name, err)
	}
	c.arena, c.lists, c.said = c.arena[:0], [2][]byte{}, shared{}
	c.append(e, k)
	return c.row, nil
}

// kind returns what kind an entry is.
func (c *encoder) kind(e *dissector.Entry) (*kind, error) {
	for i := range c.kinds {
		if k := &c.kinds[i]; k.protocol == e.Protocol && slices.Equal(k.carriers, e.Carriers) {
			return k, nil
		}
	}
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
	c.kinds = append(c.kinds, kind{e.Protocol, slices.Clone(e.Carriers), int64(id), flags})
	return &c.kinds[len(c.kinds)-1], nil
}

// value returns where a value of the entry stands by its place.
func (c *encoder) value(pos int) (of *field.Values, i int) {
	if pos < c.shape.request {
		return c.halves[0], pos
	}
	return c.halves[1], pos - c.shape.request
}

// number and bytes return the value of a field of all protocols.
func (c *encoder) number(pos int) int64 {
	if pos == nowhere {
		return 0
	}
	v, i := c.value(pos)
	return v.Number(i)
}

func (c *encoder) bytes(pos int) []byte {
	if pos == nowhere {
		return nil
	}
	v, i := c.value(pos)
	return v.Bytes(i)
}

// append lays out the row.
func (c *encoder) append(e *dissector.Entry, k *kind) {
	const front = keySize + 2*len(e.Flow.Src) + linkSize
	b := slices.Grow(c.row[:0], front)[:front]
	binary.BigEndian.PutUint64(b, uint64(e.Time)^1<<63)
	binary.BigEndian.PutUint64(b[8:], e.First)
	binary.BigEndian.PutUint64(b[16:], e.Conn)
	binary.BigEndian.PutUint32(b[24:], e.Index)
	copy(b[keySize:], e.Flow.Src[:])
	copy(b[keySize+len(e.Flow.Src):], e.Flow.Dst[:])
	l := link{
		group: e.Group, srcPort: e.Flow.SrcPort, dstPort: e.Flow.DstPort, transport: e.Flow.Proto,
		tunnel: e.Tunnel, vlan: e.VLAN, iface: e.Iface,
	}
	l.put(b[front-linkSize:])
	c.common(e, k)
	b = appendBytes(b, c.layout.types)
	b = appendBytes(b, c.layout.values)
	for i := range c.shape.rows {
		r := &c.shape.rows[i]
		c.fill(r.cells)
		b = c.appendRow(b, r.table)
	}
	if len(e.Packets) > 0 {
		c.connection(e)
		b = c.appendRow(b, tableConnections)
	}
	b = append(b, 0)
	if k.id == c.dns.protocol && e.Marks&dissector.MarkUnpaired == 0 {
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
	l := &c.layout
	l.begin()
	l.int(int64(e.Conn))
	l.int(int64(len(e.Packets)))
	from, last := len(l.values), uint64(0)
	for _, n := range e.Packets {
		l.values = binary.AppendUvarint(l.values, n-last)
		last = n
	}
	l.typeOf(serialBlob, len(l.values)-from)
}

// common lays out the row of the table entries: its columns in their order, but for
// the link, which comes first.
func (c *encoder) common(e *dissector.Entry, k *kind) {
	l, s := &c.layout, c.shape
	l.begin()
	lag, tail, known := timing(e)
	l.ints([]int64{e.Time, e.End - e.Time, lag, tail, k.id, int64(k.flags), int64(e.Index)})
	for i := known; i < 2; i++ {
		l.types[columnLag+i] = serialNull
	}
	c.said.operation = c.word(columnOperation, c.bytes(s.operation))
	c.said.summary = c.word(columnSummary, c.bytes(s.summary))
	c.word(columnStatus, c.bytes(s.status))
	state, lost, sizes := int64(e.Marks)*stateMarks, int64(0), [2]int64{}
	if m := e.Request; m != nil {
		lost += m.Lost
		sizes[0] = m.Size
	} else {
		state |= stateNoRequest
	}
	if m := e.Response; m != nil {
		lost += m.Lost
		sizes[1] = m.Size
	} else {
		state |= stateNoResponse
	}
	if e.OneWay {
		state |= stateOneWay
	}
	if e.TLS {
		state |= stateTLS
	}
	if c.number(s.failed[0])|c.number(s.failed[1]) != 0 {
		state |= stateFailed
	}
	at := len(l.types) + 1
	l.ints([]int64{c.number(s.code), sizes[0], sizes[1], state, lost, int64(e.First), int64(e.Last - e.First)})
	if e.Request == nil {
		l.types[at] = serialNull
	}
	if e.Response == nil {
		l.types[at+1] = serialNull
	}
}

// columnLag is where the type of the column lag stands in a row of the table entries
// without its link.
const columnLag = 3

// timing returns how long the answer took, as what is missing to the duration, in
// µs, which mostly is nothing, and how much of it passed between the answer's first
// byte and its last; and how many of both are known, the others being 0. Clocks of
// two interfaces may disagree, and a server may answer before it has heard all: then
// it is not known.
func timing(e *dissector.Entry) (lag, tail int64, known int) {
	if e.Request == nil || e.Response == nil {
		return 0, 0, 0
	}
	elapsed, first := e.Response.End-e.Request.Start, e.Response.Start-e.Request.End
	if elapsed < 0 {
		return 0, 0, 0
	}
	lag = (e.End-e.Time)/1000 - elapsed/1000
	if first < 0 {
		return lag, 0, 1
	}
	return lag, elapsed/1000 - first/1000, 2
}

// word lays out a text of a column, by its number if it has one, and returns it as
// it is stored.
func (c *encoder) word(column int, text []byte) []byte {
	id, clean := c.voc.wordIn(column, text)
	if !clean {
		text = c.clean(text)
		id, _ = c.voc.wordIn(column, text)
	}
	if id != 0 {
		c.layout.int(id)
	} else {
		c.layout.bytes(serialText, text)
	}
	return text
}

// text is word for a text that may say what the entry says already.
func (c *encoder) text(column int, b []byte) {
	o, s := c.said.operation, c.said.summary
	switch {
	case bytes.Equal(b, s):
		c.layout.int(isSummary)
		return
	case bytes.Equal(b, o):
		c.layout.int(isOperation)
		return
	case len(b) == len(o)+1+len(s) && bytes.HasPrefix(b, o) && b[len(o)] == ' ' && bytes.HasSuffix(b, s):
		c.layout.int(isBoth)
		return
	}
	id, clean := c.voc.wordIn(column, b)
	switch {
	case !clean: // then it may say the same as others that were not
		c.text(column, c.clean(b))
	case id != 0:
		c.layout.int(id)
	default:
		c.layout.bytes(serialText, b)
	}
}

// fill lays out the row of a protocol's table. Columns behind the last that is set
// need not stand in a row.
func (c *encoder) fill(cells []shapeCell) {
	l := &c.layout
	l.begin()
	for i := range cells {
		x := &cells[i]
		if x.gap > 0 {
			l.nulls(x.gap)
		}
		switch x.kind {
		case field.Int:
			l.valueInts(c.halves[x.half], x.inHalf, x.to-x.from)
		case field.Float:
			_, v := c.halves[x.half].At(x.inHalf)
			l.float(int64(math.Float64bits(v.Float)))
		case field.Bytes:
			l.bytes(serialBlob, c.halves[x.half].Bytes(x.inHalf))
		case field.Map:
			c.lines(x)
		case field.List:
			c.text(x.number, c.list(x))
		default:
			c.text(x.number, c.halves[x.half].Bytes(x.inHalf))
		}
	}
}

// list makes one text of the values of a list.
func (c *encoder) list(x *shapeCell) []byte {
	from := len(c.arena)
	c.arena = append(c.arena, '[')
	for i := x.from; i < x.to; i++ {
		v, at := c.value(i)
		if v.Field(at) != x.field {
			continue
		}
		if i > x.from {
			c.arena = append(c.arena, ',')
		}
		item := v.Bytes(at)
		if !cleanText(item) {
			item = appendText(nil, item)
		}
		c.arena = appendQuoted(c.arena, item)
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

// lines lays out the two columns of a map: the lines that change, then those that
// come again. What the words know is text that may be stored, so that only what
// changes is looked at.
func (c *encoder) lines(x *shapeCell) {
	l, block := &c.layout, c.block(x)
	from := len(l.values)
	values, id, ok := c.voc.match(x.number, block, l.values)
	switch {
	case !ok:
		c.unlike(x, block)
		return
	case !cleanText(values[from:]):
		values = appendText(values[:from], bytes.Clone(values[from:]))
	}
	c.split(values, id)
}

// unlike is lines for a block that is like none before.
func (c *encoder) unlike(x *shapeCell, block []byte) {
	l := &c.layout
	from := len(l.values)
	if !cleanText(block) {
		block = c.clean(block)
		if values, id, ok := c.voc.match(x.number, block, l.values); ok {
			c.split(values, id)
			return
		}
	}
	at := len(c.arena)
	c.arena = appendLines(c.arena, block)
	values, id, ok := c.voc.lay(x.number, block, c.arena[at:], l.values)
	if !ok {
		l.values = l.values[:from]
		l.bytes(serialText, c.arena[at:])
		l.nulls(1)
		return
	}
	c.split(values, id)
}

// split lays out the two columns of a map, of which the values of the first are there.
func (c *encoder) split(values []byte, id int64) {
	l := &c.layout
	if n := len(values) - len(l.values); n > 0 {
		l.values = values
		l.typeOf(serialText, n)
	} else {
		l.nulls(1)
	}
	l.int(id)
}

// block returns the lines of a map, each ended by \n or \r\n.
func (c *encoder) block(x *shapeCell) []byte {
	if b := c.halves[x.half].Bytes(x.inHalf); x.to == x.from+1 && len(b) > 0 && b[len(b)-1] == '\n' {
		return b
	}
	from := len(c.arena)
	for i := x.from; i < x.to; i++ {
		v, at := c.value(i)
		if v.Field(at) != x.field {
			continue
		}
		if lines := v.Bytes(at); len(lines) > 0 {
			c.arena = append(c.arena, lines...)
			if lines[len(lines)-1] != '\n' {
				c.arena = append(c.arena, '\n')
			}
		}
	}
	return c.arena[from:]
}

// appendLines writes a block of a map, each line ended by \n alone.
func appendLines(b, block []byte) []byte {
	for len(block) > 0 {
		var line []byte
		line, block, _ = bytes.Cut(block, []byte("\n"))
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) > 0 {
			b = append(append(b, line...), '\n')
		}
	}
	return b
}
