package dns

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
)

// parser reads the messages of one conversation.
type parser struct {
	stream    bool // every message has its length before it, RFC 1035 section 4.2.2
	multicast bool // mDNS or LLMNR: every message is one-way
	text      []byte
	pending   []pending // the oldest first
	transfer  transfer
}

// pending is a query that may get a response without a question.
type pending struct {
	key uint64
	id  uint16
}

// transfer is the zone transfer whose messages are coming in, RFC 5936.
type transfer struct {
	active bool
	id     uint16
	key    uint64
	serial uint64 // of the SOA record that began it and will end it
	soas   int    // records with that serial so far
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if !p.stream {
		if len(buf) < headerLen {
			return int64(len(buf)), dissector.ErrShort
		}
		return int64(len(buf)), p.message(from, buf, m)
	}
	if len(buf) < 2 {
		m.Need = 2 + headerLen
		return 0, dissector.ErrShort
	}
	n := 2 + int(uint16At(buf, 0))
	if n < 2+headerLen {
		return 0, errMalformed
	}
	if len(buf) < n {
		m.Need = n
		return 0, dissector.ErrShort
	}
	msg := buf[2:n]
	if h := readHeader(msg); h.response() != (from == dissector.Server) && h.opcode() != opDSO {
		return 0, errMalformed
	}
	err := p.message(from, msg, m)
	if err == dissector.ErrShort { // the length is there, so the counts are wrong
		Malformed.Set(&m.Values, true)
		err = nil
	}
	return int64(n), err
}

// message reads one message, of which header and question must be right. Of a
// record that is not, it says so and gives what stands before. ErrShort means
// that the records go on behind the end; all before it is set.
func (p *parser) message(from dissector.Side, msg []byte, m *dissector.Message) error {
	h, v := readHeader(msg), &m.Values
	p.setHeader(h, v)
	off, key, err := p.questions(h, msg, v)
	p.pair(h, key, from, m)
	if err != nil {
		return err
	}
	if err = p.records(h, msg, off, m); err == errMalformed {
		Malformed.Set(v, true)
		err = nil
	}
	if h.response() {
		p.respond(h, v)
		if h.rcode() == 0 && p.transfer.active && p.transfer.id == h.id {
			m.Role = dissector.Interim
		}
	}
	return err
}

func (p *parser) setHeader(h header, v *field.Values) {
	ID.Set(v, int64(h.id))
	Opcode.SetString(v, h.opcodeName())
	if h.has(flagAA) {
		Authoritative.Set(v, true)
	}
	if h.has(flagTC) {
		Cut.Set(v, true)
	}
	if h.has(flagRD) {
		Desired.Set(v, true)
	}
	if h.has(flagRA) {
		Available.Set(v, true)
	}
	if h.response() && h.has(flagAD) { // in a query it only asks for that, RFC 6840 section 5.7
		Authentic.Set(v, true)
	}
}

// respond sets how a response answers. Its code may have been widened by EDNS.
func (p *parser) respond(h header, v *field.Values) {
	code := int64(h.rcode())
	if dissector.StatusCode.Get(v) > code {
		code = dissector.StatusCode.Get(v)
	}
	name := rcodeName(int(code))
	Rcode.SetString(v, name)
	dissector.Status.SetString(v, name)
	dissector.StatusCode.Set(v, code)
	if code != 0 {
		dissector.Failed.Set(v, true)
	}
}

// questions reads the question section and returns the offset behind it and the
// key of the message. In an update it is the zone, RFC 2136 section 2.3.
func (p *parser) questions(h header, msg []byte, v *field.Values) (off int, key uint64, err error) {
	off, key = headerLen, startKey(h.id)
	for i := range h.qd {
		name, next, err := appendName(p.text[:0], msg, off)
		p.text = name
		if err != nil {
			return 0, key, err
		}
		if len(msg) < next+4 {
			return 0, key, dissector.ErrShort
		}
		off = next + 4
		if i >= maxListed {
			continue
		}
		Questions.Add(v, name)
		if i == 0 {
			dissector.Summary.Set(v, name)
			key = nameKey(key, name)
		}
		p.text = appendType(p.text[:0], uint16At(msg, next))
		QuestionTypes.Add(v, p.text)
		if i == 0 && h.opcode() == opQuery {
			dissector.Operation.Set(v, p.text)
		}
		if t := uint16At(msg, next); i == 0 && h.response() && (t == typeAXFR || t == typeIXFR) && p.stream && !p.transfer.active {
			p.transfer = transfer{active: true, id: h.id, key: nameKey(startKey(h.id), name)}
		}
	}
	if h.opcode() != opQuery {
		dissector.Operation.SetString(v, h.opcodeName())
	}
	return off, key, nil
}

// The key is a hash of id and name.
func startKey(id uint16) uint64 { return (14695981039346656037 ^ uint64(id)) * prime }

const (
	prime = 1099511628211
	ones  = 0x0101010101010101
)

// nameKey hashes a name, its case ignored, eight bytes at a time.
func nameKey(key uint64, name []byte) uint64 {
	for ; len(name) >= 8; name = name[8:] {
		key = mix(key, lower(binary.LittleEndian.Uint64(name)))
	}
	var last [8]byte
	copy(last[:], name)
	return mix(key, lower(binary.LittleEndian.Uint64(last[:]))^uint64(len(name))<<56)
}

func mix(key, x uint64) uint64 {
	hi, lo := bits.Mul64(key^x, 0x9e3779b97f4a7c15)
	return hi ^ lo ^ key*prime
}

// lower makes small letters of the capitals among eight bytes.
func lower(x uint64) uint64 {
	low := x &^ (0x80 * ones)
	capitals := (low + (0x80-'A')*ones) &^ (low + (0x7f-'Z')*ones) &^ x & (0x80 * ones)
	return x | capitals>>2
}

// pair sets role and key.
func (p *parser) pair(h header, key uint64, from dissector.Side, m *dissector.Message) {
	if p.multicast || h.opcode() == opDSO || h.response() != (from == dissector.Server) {
		m.Role = dissector.OneWay
		return
	}
	switch {
	case !h.response():
		if len(p.pending) == maxPending {
			p.pending = p.pending[:copy(p.pending, p.pending[1:])]
		}
		p.pending = append(p.pending, pending{key, h.id})
	case h.qd == 0:
		key = p.keyOf(h.id, key)
	}
	m.SetKey(key)
}

// keyOf returns the key of the latest query with an id.
func (p *parser) keyOf(id uint16, otherwise uint64) uint64 {
	if p.transfer.active && p.transfer.id == id {
		return p.transfer.key
	}
	for _, q := range slices.Backward(p.pending) {
		if q.id == id {
			return q.key
		}
	}
	return otherwise
}

// record is one resource record's place in the message.
type record struct {
	name, data, end int // offsets
	typ, class      uint16
	ttl             uint32
}

func readRecord(msg []byte, off int) (r record, err error) {
	next, err := skipName(msg, off)
	if err != nil {
		return r, err
	}
	if len(msg) < next+10 {
		return r, dissector.ErrShort
	}
	r = record{name: off, typ: uint16At(msg, next), class: uint16At(msg, next+2), data: next + 10}
	r.ttl = uint32(uint16At(msg, next+4))<<16 | uint32(uint16At(msg, next+6))
	r.end = r.data + int(uint16At(msg, next+8))
	if r.end > len(msg) {
		return r, dissector.ErrShort
	}
	return r, nil
}

// sections names what comes after the questions, in a query and in an update.
var sections = [...][3]string{{"answer", "authority", "additional"}, {"prerequisite", "update", "additional"}}

func (p *parser) records(h header, msg []byte, off int, m *dissector.Message) error {
	v, ttl := &m.Values, int64(math.MaxInt64)
	names := &sections[0]
	if h.opcode() == opUpdate {
		names = &sections[1]
	}
	defer func() {
		if ttl != math.MaxInt64 {
			TTL.Set(v, ttl)
		}
	}()
	for i := range h.records() {
		r, err := readRecord(msg, off)
		if err != nil {
			return err
		}
		off = r.end
		section := 0
		if i >= h.an+h.ns {
			section = 2
		} else if i >= h.an {
			section = 1
		}
		if section == 0 && h.opcode() != opUpdate {
			ttl = min(ttl, int64(r.ttl))
			p.answer(i, msg, r, v)
			if r.typ == typeSOA && h.response() {
				p.transfer.zone(msg, r, i == h.an-1)
			}
		}
		if r.typ == typeOPT && section == 2 {
			p.edns(h, msg, r, v)
		}
		if i < maxListed && (section > 0 && r.typ != typeOPT || h.opcode() == opUpdate || m.Detail) {
			p.line(names[section], msg, r, v)
		}
	}
	return nil
}

// zone counts the SOA records that frame a zone transfer: AXFR has the zone's
// before and after the rest. IXFR may have more of the same serial between them
// (RFC 1995 section 4), so only one that ends its message counts as the last.
func (t *transfer) zone(msg []byte, r record, last bool) {
	if !t.active {
		return
	}
	c := cursor{msg: msg, off: r.data, end: r.end}
	for range 2 {
		next, err := skipName(msg[:c.end], c.off)
		if err != nil {
			return
		}
		c.off = next
	}
	serial := c.uint(4)
	if t.soas == 0 {
		t.serial = serial
	}
	if serial == t.serial {
		t.soas++
	}
	if last && t.soas > 1 {
		*t = transfer{}
	}
}

// answer adds a record of the answer section.
func (p *parser) answer(i int, msg []byte, r record, v *field.Values) {
	if i >= maxListed {
		return
	}
	if i == 0 && !v.Has(dissector.Summary) {
		name, _, err := appendName(p.text[:0], msg, r.name)
		if p.text = name; err == nil {
			dissector.Summary.Set(v, name)
		}
	}
	p.text = appendType(p.text[:0], r.typ)
	AnswerTypes.Add(v, p.text)
	if i == 0 && !v.Has(dissector.Operation) {
		dissector.Operation.Set(v, p.text)
	}
	p.text = presentRecord(p.text[:0], msg, r.data, r.end, r.typ)
	Answers.Add(v, p.text)
}

// line adds a record to Records.
func (p *parser) line(section string, msg []byte, r record, v *field.Values) {
	b, _, _ := appendName(append(append(p.text[:0], section...), ": "...), msg, r.name)
	if r.typ == typeOPT { // its class and TTL are no such thing, RFC 6891 section 6.1.3
		b = append(b, " OPT "...)
	} else {
		b = strconv.AppendUint(append(b, ' '), uint64(r.ttl), 10)
		class := r.class
		if p.multicast {
			class &^= classTop
		}
		b = appendClass(append(b, ' '), class)
		b = append(appendType(append(b, ' '), r.typ), ' ')
	}
	p.text = presentRecord(b, msg, r.data, r.end, r.typ)
	Records.Add(v, p.text)
}
