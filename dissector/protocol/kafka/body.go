package kafka

import (
	"encoding/binary"
	"encoding/hex"

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
	holes   []int // offsets at which bytes were passed over that b does not have
	hole    int   // of these, the next

	m              *dissector.Message
	topics         int
	told           int // topics that earlier pieces gave
	text           []byte
	seen           bool // an error code was read
	code           int16
	unacknowledged bool
}

func (r *body) begin(b []byte, off, version int, flex bool, m *dissector.Message) {
	*r = body{b: b, from: off, off: off, version: version, flex: flex, m: m, text: r.text[:0], holes: r.holes[:0]}
}

// again begins anew with more of the message. What was given stays.
func (r *body) again(b []byte, m *dissector.Message) {
	*r = body{b: b, from: r.from, off: r.from, version: r.version, flex: r.flex, m: m, told: max(r.told, r.topics), text: r.text, holes: r.holes}
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
	for n := r.count(); n > 0 && !r.bad; n-- {
		from := r.off
		f(r)
		if r.off == from {
			r.bad = true
		}
	}
}

func (r *body) ints() { r.array(func(r *body) { r.i32() }) }

// since reads with f from a version on.
func (r *body) since(version int, f func()) {
	if r.version >= version {
		f()
	}
}

// topic adds the name of a topic.
func (r *body) topic(name []byte) {
	if r.bad || len(name) == 0 || r.topics >= maxTopics {
		return
	}
	if r.topics++; r.topics <= r.told {
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
	if id == nil || [16]byte(id) == ([16]byte{}) {
		return
	}
	var text [36]byte
	b := text[:0]
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, id[:n])
		id = id[n:]
	}
	r.topic(b)
}

func (r *body) group() {
	if g := r.str(); !r.bad {
		Group.Set(&r.m.Values, g)
	}
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
