package kafka

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"shark/dissector"
)

// body reads the fields of a message. A read past the end of what is at hand
// sets bad and gives zero, and so does every later one: what was read before
// stands.
type body struct {
	b       []byte // without what was passed over
	from    int    // where the body begins
	off     int
	version int
	flex    bool // compact strings and arrays, tagged fields; KIP-482
	bad     bool
	short   bool  // since more is needed than is at hand
	ahead   int   // of what is passed over at off, bytes that are not at hand
	scan    bool  // and these are records
	holes   []int // offsets at which bytes were passed over that b does not have
	hole    int   // of these, the next

	m              *dissector.Message
	topics         listed
	partitions     listed
	at             []byte // the topic that was read last
	id             []byte // its memory, if it is an id
	item           []byte
	text           []byte
	carries        bool  // messages of its kind have records
	partial        bool  // the last batch of a partition may be cut
	found          tally // in records that are at hand
	tree           *tree // what is read is written there; mostly nil
	seen           bool  // an error code was read
	code           int16
	unacknowledged bool
}

// listed counts the items of a list.
type listed struct{ n, told int }

// more tells whether one more is to be added: not those that earlier pieces gave.
func (l *listed) more(most int) bool {
	if l.n >= most {
		return false
	}
	l.n++
	return l.n > l.told
}

func (l listed) again() listed { return listed{told: max(l.told, l.n)} }

func (r *body) begin(b []byte, off, version int, flex bool, m *dissector.Message) {
	*r = body{b: b, from: off, off: off, version: version, flex: flex, m: m, id: r.id, item: r.item, text: r.text[:0], holes: r.holes[:0]}
}

// again begins anew with more of the message. What was given stays.
func (r *body) again(b []byte, m *dissector.Message) {
	*r = body{
		b: b, from: r.from, off: r.from, version: r.version, flex: r.flex, holes: r.holes,
		m: m, topics: r.topics.again(), partitions: r.partitions.again(), id: r.id, item: r.item, text: r.text,
	}
}

func (r *body) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b)-r.off {
		r.short = r.short || !r.bad && n >= 0
		r.bad = true
		return nil
	}
	b := r.b[r.off : r.off+n]
	r.off += n
	return b
}

func (r *body) i8() int {
	if b := r.take(1); b != nil {
		return int(int8(b[0]))
	}
	return 0
}

func (r *body) i16() int {
	if b := r.take(2); b != nil {
		return int(int16(binary.BigEndian.Uint16(b)))
	}
	return 0
}

func (r *body) i32() int {
	if b := r.take(4); b != nil {
		return int(int32(binary.BigEndian.Uint32(b)))
	}
	return 0
}

// i64 passes over a number of 8 bytes: offsets and times, which nobody asks for.
func (r *body) i64() { r.take(8) }

// offset reads one that somebody asks for who looks at the message.
func (r *body) offset() {
	if b := r.take(8); b != nil {
		r.tree.note("offset", int64(binary.BigEndian.Uint64(b)))
	}
}

// uvarint reads an unsigned number of at most 32 bits.
func (r *body) uvarint() int {
	n, k := binary.Uvarint(r.b[min(r.off, len(r.b)):])
	if r.bad || k <= 0 || n > 1<<32 {
		r.short = r.short || !r.bad && k == 0
		r.bad = true
		return 0
	}
	r.off += k
	return int(n)
}

// count reads how many elements or bytes follow; below 0 it is null.
func (r *body) count() int {
	if r.flex {
		return r.uvarint() - 1
	}
	return r.i32()
}

// str reads a string, which may be null.
func (r *body) str() []byte {
	if r.flex {
		return r.take(max(0, r.uvarint()-1))
	}
	return r.take(max(0, r.i16()))
}

// blob passes over bytes, which may be null.
func (r *body) blob() {
	r.pass(max(0, r.count()))
}

// recordsOf passes over the records of a partition, which may be null, and counts them. Of
// those that are not all at hand that is left to those who see them pass.
func (r *body) recordsOf(partial bool) {
	n, off := max(0, r.count()), r.off
	r.pass(n)
	switch {
	case r.bad:
		r.scan, r.partial = r.ahead > 0, partial
	case r.off > off || n == 0:
		s := batches{partial: partial, left: int64(n)}
		s.pass(r.b[off:r.off])
		s.end()
		r.found.add(&s.tally)
		r.tree.recordsOf(n, &s.tally)
	}
}

// pass passes over n bytes, whether they are at hand or not.
func (r *body) pass(n int) {
	switch {
	case r.bad || n == 0:
	case r.hole < len(r.holes) && r.holes[r.hole] == r.off:
		r.hole++
	case n > len(r.b)-r.off:
		r.bad, r.short, r.ahead = true, true, n-(len(r.b)-r.off)
	default:
		r.off += n
	}
}

// tags passes over tagged fields.
func (r *body) tags() {
	if !r.flex {
		return
	}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		r.uvarint()
		r.take(r.uvarint())
	}
}

// array calls f for each element of an array, which may be null, as long as all
// goes well. An element has at least one byte, so that the count cannot lie by much.
func (r *body) array(f func(r *body)) {
	r.tree.list()
	for n := r.count(); n > 0 && !r.bad; n-- {
		from := r.off
		f(r)
		if r.off == from {
			r.bad = true
		}
	}
}

func (r *body) ints() { r.array(func(r *body) { r.i32() }) }

// partitionsOf reads the numbers of partitions.
func (r *body) partitionsOf() { r.array(func(r *body) { r.partition() }) }

// since reads with f from a version on.
func (r *body) since(version int, f func()) {
	if r.version >= version {
		f()
	}
}

// topic adds the name of a topic.
func (r *body) topic(name []byte) {
	if r.at = name; r.bad || len(name) == 0 {
		return
	}
	r.tree.name("", name)
	if !r.topics.more(maxTopics) {
		return
	}
	Topics.Add(&r.m.Values, name)
	if len(r.text) < maxSummary {
		if len(r.text) > 0 {
			r.text = append(r.text, ", "...)
		}
		r.text = append(r.text, name...)
	}
}

// partition reads the number of a partition of the topic at hand and adds it.
func (r *body) partition() {
	n := r.i32()
	if r.bad || n < 0 {
		return
	}
	r.tree.partition(n)
	if len(r.at) == 0 || !r.partitions.more(maxPartitions) {
		return
	}
	r.item = strconv.AppendInt(append(append(r.item[:0], r.at...), '-'), int64(n), 10)
	Partitions.Add(&r.m.Values, r.item)
}

// topicOrID reads a topic's name, or its id from a version on.
func (r *body) topicOrID(idSince int) {
	if r.version >= idSince {
		r.uuid()
		return
	}
	r.topic(r.str())
}

// uuid adds the id of a topic, in the form of RFC 9562; the zero id is none.
func (r *body) uuid() {
	id := r.take(16)
	r.at = nil
	if id == nil || [16]byte(id) == ([16]byte{}) {
		return
	}
	b := r.id[:0]
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, id[:n])
		id = id[n:]
	}
	r.id = b
	r.topic(b)
}

func (r *body) group() {
	if g := r.key(); !r.bad {
		Group.Set(&r.m.Values, g)
	}
}

// key reads what is shown as a group, or as what else is asked for by its name.
func (r *body) key() []byte {
	k := r.str()
	if !r.bad {
		r.tree.name("group ", k)
	}
	return k
}

// summarise says what the request is about: topics, or group, or client.
func (r *body) summarise(client []byte) {
	v := &r.m.Values
	switch {
	case len(r.text) > 0:
		dissector.Summary.Set(v, r.text[:min(len(r.text), maxSummary)])
	case v.Has(Group):
		r.text = append(r.text, Group.Get(v)...)
		dissector.Summary.Set(v, r.text)
	default:
		dissector.Summary.Set(v, client)
	}
}

// err reads an error code; the first that is not 0 is kept.
func (r *body) err() {
	code := r.i16()
	if r.bad {
		return
	}
	r.seen = true
	r.tree.err(int16(code))
	if r.code == 0 {
		r.code = int16(code)
	}
}

// answer reads a response.
func (r *body) answer(api *api) {
	if api.throttle >= 0 {
		r.since(int(api.throttle), func() { r.i32() })
	}
	switch {
	case api.response != nil:
		api.response(r)
	case api.plain:
		r.err()
	}
}

// conclude sets how a response answers: with an error as soon as one is read, and with none
// when all was.
func (r *body) conclude() {
	if !r.seen || r.code == 0 && r.bad {
		return
	}
	v, name := &r.m.Values, errorName(r.code)
	ErrorCode.Set(v, int64(r.code))
	Error.SetString(v, name)
	dissector.Status.SetString(v, name)
	dissector.StatusCode.Set(v, int64(r.code))
	if r.code != 0 {
		dissector.Failed.Set(v, true)
	}
}
