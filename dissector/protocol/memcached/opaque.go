package memcached

import (
	"slices"

	"shark/dissector"
)

// maxQuiet is how many quiet gets of a connection wait to be told from misses. More of them
// are one-way messages, and so is what is found for them.
const maxQuiet = 1024

// opaques is what is known of how the client uses its opaques.
type opaques struct {
	// losses counts them: clients use an opaque again, so that one from before a
	// loss must not be taken for one behind it.
	losses uint64
	last   uint32
	again  bool   // the client repeats them
	lone   uint64 // messages that nothing is paired with

	requests uint32     // of the binary protocol so far
	quiet    []quietGet // that were not answered yet, oldest first
}

// quietGet is a retrieval that the server answers only with an item, or an error.
type quietGet struct {
	key     uint64
	request uint32 // which one of the client's it is
	unsure  bool   // an answer of it could not be told
}

// key returns by what a message is paired: by opcode and opaque, and not at all
// where the opaque is a repeated one and some messages were lost.
func (o *opaques) key(h *header) uint64 {
	if h.magic == magicRequest {
		o.again = o.again || h.opaque == o.last
		o.last = h.opaque
	}
	if o.again && o.losses > 0 {
		o.lone++
		return 1<<63 | o.lone
	}
	return o.losses&0x7fffff<<40 | uint64(h.op)<<32 | uint64(h.opaque)
}

// lose is told of a loss: answers of what waits may be in it.
func (o *opaques) lose() {
	o.losses++
	for i := range o.quiet {
		o.quiet[i].unsure = true
	}
}

// pair says what a message pairs with. It is true where m is none yet, but tells of a quiet
// get that nothing was found: the server answers in order, so an answer to what was asked
// later proves it.
func (o *opaques) pair(from dissector.Side, h *header, m *dissector.Message) (missed bool) {
	if from == dissector.Client {
		o.request(h, m)
		return false
	}
	i := -1
	if h.opaque != 0 {
		key := o.key(h)
		m.SetKey(key)
		i = slices.IndexFunc(o.quiet, func(q quietGet) bool { return q.key == key && !q.unsure })
	}
	if h.quiet && i < 0 {
		m.Role = dissector.OneWay
	}
	if o.missed(m) {
		return true
	}
	if i == 0 { // those before it are done with by now
		o.quiet = o.quiet[1:]
	}
	return false
}

// request numbers a request, and has it wait if it is a quiet get that its opaque tells from
// the others that wait.
func (o *opaques) request(h *header, m *dissector.Message) {
	o.requests++
	m.Notes = uint64(h.op) | uint64(o.requests)<<32
	if h.quiet {
		m.Role = dissector.OneWay
	}
	if h.opaque == 0 {
		return
	}
	key := o.key(h)
	m.SetKey(key)
	if !h.quiet || !h.finds || m.Transport == dissector.UDP { // datagrams are lost, and overtake each other
		return
	}
	if i := slices.IndexFunc(o.quiet, func(q quietGet) bool { return q.key == key }); i >= 0 {
		o.quiet[i].unsure = true
		return
	}
	if o.again || len(o.quiet) >= maxQuiet {
		return
	}
	m.Role = dissector.BySide
	o.quiet = append(o.quiet, quietGet{key: key, request: o.requests})
}

// missed makes m the silence about the oldest quiet get, if m answers a later request. Behind
// a loss m has to say so itself, so the next answer tells.
func (o *opaques) missed(m *dissector.Message) bool {
	if len(o.quiet) == 0 || m.Gap > 0 || m.Role == dissector.OneWay {
		return false
	}
	q, answered := o.quiet[0], m.Peer()
	if answered == nil || int32(q.request-uint32(answered.Notes>>32)) >= 0 {
		return false
	}
	o.quiet = o.quiet[1:]
	m.SetKey(q.key)
	m.Role, m.Again, m.Unpaired = dissector.Silent, true, q.unsure
	if !q.unsure {
		Hits.Set(&m.Values, 0)
	}
	return true
}
