package thrift

import "shark/dissector"

// pairs gives calls and their replies keys. Each call has one of its own, which waits
// for the reply. A client that counts its calls gives each a sequence id that names it.
// One that does not is answered in order, and each reply names its method: after a loss
// none of these pairs until the sides are seen to take turns.
type pairs struct {
	uses     uint64
	waits    map[uint32]queue // the calls that are not answered, by sequence id
	waiting  int              // how many these are
	last     uint32           // sequence id of the latest call
	counted  bool             // a call was seen
	repeats  bool             // the client does not count
	lost     [2]bool          // bytes of a side
	doubt    bool             // after a loss: which reply is whose cannot be told
	turn     bool             // since then, a reply was seen or is known to be lost
	ahead    bool             // a call was sent before the one before it was answered
	pending  int              // calls that are not answered
	unproven bool             // calls that were not seen may be answered yet
	at       int64            // ns; when the latest call, reply or loss was
}

// wait is a call that waits for its reply.
type wait struct {
	key  uint64
	name uint32 // hash of the method, 0 for one that could not be read
}

// queue has the calls of a sequence id, oldest first. Mostly there is one.
type queue struct {
	first wait
	rest  []wait
}

func (p *pairs) lose(from dissector.Side, at int64) {
	p.doubt, p.at, p.turn = true, at, false
	if from == dissector.Server && !p.ahead {
		p.turn, p.pending = true, 0
	}
	p.lost[from] = true
	p.unname()
	// Where bytes of both are missing, a call may be that used the id of one whose reply
	// is missing.
	if both := p.lost[0] && p.lost[1]; both || p.repeats {
		p.forget()
	}
}

// unname leaves the calls so far that have no id of their own without a reply.
func (p *pairs) unname() {
	if q, ok := p.waits[0]; ok {
		p.waiting -= 1 + len(q.rest)
		delete(p.waits, 0)
	}
}

// prove looks, in a connection joined in its middle, whether its sides take turns: as long as
// they may not, the call that seems to be answered is one that may not be.
func (p *pairs) prove(from dissector.Side, id uint32, m *dissector.Message) {
	switch {
	case !p.unproven:
	case from == dissector.Server:
		p.unproven = false
	case p.pending > 0:
		p.unproven, p.doubt, p.turn = false, true, false
		if p.unname(); p.repeats {
			p.forget()
		}
	case id == 0:
		m.Resumed = true
	}
}

// forget leaves the calls so far without a reply.
func (p *pairs) forget() {
	clear(p.waits)
	p.waiting, p.lost = 0, [2]bool{}
}

// key returns the key of a message that begins.
func (p *pairs) key(from dissector.Side, id uint32, name []byte, m *dissector.Message) uint64 {
	_, method := split(name) // a reply does not name the service
	w := wait{name: hash(method)}
	p.prove(from, id, m)
	if from == dissector.Client {
		p.learn(id)
		p.call(m)
	} else {
		p.pending, p.turn = max(0, p.pending-1), true
	}
	p.at = m.Start
	trusted := !p.doubt || id != 0 && !p.repeats
	if trusted && from == dissector.Server {
		if key, ok := p.answered(id, w.name); ok {
			return key
		}
	}
	p.uses++
	w.key = p.uses<<32 | uint64(id)
	if !trusted {
		m.Resumed = true
	} else if from == dissector.Client {
		p.ask(id, w)
	}
	return w.key
}

// learn looks whether a client takes ids again. When it is seen only after a loss, what
// has waited since before may have been answered in the hole.
func (p *pairs) learn(id uint32) {
	_, waits := p.waits[id]
	if !p.repeats && p.counted && (id == p.last || waits) {
		if p.repeats = true; p.doubt || p.unproven {
			p.forget()
		}
	}
	p.last, p.counted = id, true
}

// call decides, as a call begins, whether its reply can be told.
func (p *pairs) call(m *dissector.Message) {
	idle := m.Start-p.at >= idleTime
	if p.ahead = p.ahead || p.pending > 0; idle {
		p.ahead, p.pending = false, 0
	}
	if p.doubt && (idle || p.turn && !p.ahead) {
		p.doubt = false
	}
	p.pending++
}

// ask lets a call wait for its reply.
func (p *pairs) ask(id uint32, w wait) {
	if p.waits == nil {
		p.waits = make(map[uint32]queue)
	} else if p.waiting >= maxWaiting {
		p.forget()
	}
	p.waiting++
	q, ok := p.waits[id]
	if ok {
		q.rest = append(q.rest, w)
	} else {
		q.first = w
	}
	p.waits[id] = q
}

// answered returns the key of the oldest call with an id and a method, which waits no
// longer.
func (p *pairs) answered(id, name uint32) (uint64, bool) {
	q, ok := p.waits[id]
	if !ok {
		return 0, false
	}
	if q.first.answers(name) || id != 0 && !p.repeats {
		key := q.first.key
		if p.waiting--; len(q.rest) == 0 {
			delete(p.waits, id)
		} else {
			p.waits[id] = queue{q.rest[0], q.rest[1:]}
		}
		return key, true
	}
	for i, w := range q.rest {
		if w.answers(name) {
			q.rest = append(q.rest[:i], q.rest[i+1:]...)
			p.waits[id] = q
			p.waiting--
			return w.key, true
		}
	}
	return 0, false
}

// answers tells whether a reply with a name can be one to the call.
func (w wait) answers(name uint32) bool {
	return w.name == name || w.name == 0 || name == 0
}

// hash returns 0 for no name alone.
func hash(b []byte) uint32 {
	if len(b) == 0 {
		return 0
	}
	h := uint32(2166136261) // FNV-1a
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return max(h, 1)
}

// pair makes a piece of a message one-way, or gives it its key.
func pair(kind int, key uint64, m *dissector.Message) {
	if kind == oneWay {
		m.Role = dissector.OneWay
		return
	}
	m.SetKey(key)
}
