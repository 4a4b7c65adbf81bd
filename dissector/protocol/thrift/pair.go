package thrift

import "shark/dissector"

// pairs gives calls and their replies keys. A client that counts its calls gives each a
// sequence id of its own. One that does not is answered in order, and each reply names
// its method: these have the method for their key, and after a loss one that nothing has
// until the sides are seen to take turns.
type pairs struct {
	last    uint32 // sequence id of the latest call
	counted bool   // a call was seen
	repeats bool   // the client does not count
	round   uint64 // of trust
	doubt   bool   // after a loss: which reply is whose cannot be told
	turn    bool   // since then, a reply was seen or is known to be lost
	ahead   bool   // a call was sent before the one before it was answered
	pending int    // calls that are not answered
	at      int64  // ns; when the latest call, reply or loss was
}

func (p *pairs) lose(from dissector.Side, at int64) {
	p.doubt, p.at, p.turn = true, at, false
	if from == dissector.Server && !p.ahead {
		p.turn, p.pending = true, 0
	}
}

// key returns the key of a message that begins.
func (p *pairs) key(from dissector.Side, id uint32, name []byte, m *dissector.Message) uint64 {
	if from == dissector.Client {
		p.repeats = p.repeats || p.counted && id == p.last
		p.last, p.counted = id, true
		p.call(m)
	} else {
		p.pending, p.turn = max(0, p.pending-1), true
	}
	p.at = m.Start
	if id != 0 && !p.repeats {
		return uint64(id)
	}
	key := uint64(id) ^ hash(name) | 1<<62 | p.round&0xffff<<40
	if p.doubt {
		key |= uint64(1+from) << 60
		m.Resumed = true
	}
	return key
}

// call decides, as a call begins, whether its reply can be told.
func (p *pairs) call(m *dissector.Message) {
	idle := m.Start-p.at >= idleTime
	if p.ahead = p.ahead || p.pending > 0; idle {
		p.ahead, p.pending = false, 0
	}
	if p.doubt && (idle || p.turn && !p.ahead) {
		p.doubt = false
		p.round++
	}
	p.pending++
}

func hash(b []byte) uint64 {
	h := uint32(2166136261) // FNV-1a
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return uint64(h)
}

// pair makes a piece of a message one-way, or gives it its key.
func pair(kind int, key uint64, m *dissector.Message) {
	if kind == oneWay {
		m.Role = dissector.OneWay
		return
	}
	m.SetKey(key)
}
