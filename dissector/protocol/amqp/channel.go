package amqp

import (
	"slices"

	"shark/dissector"
)

// channel is what is known of one channel.
type channel struct {
	number  uint16
	opening uint64    // number of its opening on the connection
	epoch   uint64    // the same, or number of a loss since
	losses  [2]uint32 // of each side, when it was last used

	last    id    // the latest method that wants an answer
	pending int   // of these, not answered yet
	at      int64 // time of the latest one or of its answer; 0 when one may have been lost since
	stale   bool  // the answer of the one pending may be lost
	void    bool  // after a loss: which answer is whose cannot be told
	turn    bool  // since then, an answer was seen
	ahead   bool  // since then, a method was sent before the last one was answered

	opened     bool // seen, and all that the client said since
	confirming bool // in confirm mode, and its publishes are counted
	tag        uint64
	waiting    []publish // for their confirmations, oldest first

	content [2]content
}

// publish is an unconfirmed one.
type publish struct {
	tag    uint64
	unsure bool // its confirmation may be lost
}

// content is a message whose header frame or body is yet to come.
type content struct {
	method *method
	kept   []byte // the payload of its method frame, while the header frame is yet to come
	left   int64  // bytes of its body that are yet to come
	role   dissector.Role
	keyed  bool
	key    uint64
	tag    uint64
	dead   bool // its entry is made: the rest of it is passed over
}

func (c *content) reset() { *c = content{kept: c.kept[:0]} }

// channel returns a channel as it stands after the losses; nil when there are too many.
func (p *parser) channel(n uint16) *channel {
	ch := p.channels[n]
	if ch == nil {
		if len(p.channels) >= maxChannels {
			return nil
		}
		ch = &channel{number: n, epoch: p.next(), losses: p.losses}
		ch.opening = ch.epoch
		p.channels[n] = ch
	}
	for side := range ch.losses {
		if ch.losses[side] != p.losses[side] {
			ch.losses[side] = p.losses[side]
			p.lose(ch, dissector.Side(side))
		}
	}
	return ch
}

func (p *parser) next() uint64 {
	p.epochs++
	return p.epochs
}

// lose takes note that something a side said is missing. As in the pairing of other
// protocols, who waits for whose answer is known again when the sides take turns.
func (p *parser) lose(ch *channel, side dissector.Side) {
	ch.content[side].reset()
	if side == dissector.Client {
		ch.waiting = slices.DeleteFunc(ch.waiting, func(w publish) bool { return w.unsure })
		ch.opened, ch.confirming = false, false
		ch.void, ch.turn, ch.ahead, ch.at = true, false, false, 0
		return
	}
	if ch.stale = ch.pending == 1; ch.pending > 1 {
		ch.distrust(p)
	}
	if !ch.opened { // the channel may have been opened again unseen
		ch.waiting = nil
	}
	for i := range ch.waiting {
		ch.waiting[i].unsure = true
	}
}

// distrust gives up those that are pending.
func (ch *channel) distrust(p *parser) {
	ch.void, ch.turn, ch.stale, ch.epoch = true, false, false, p.next()
}

// Keys hold the epoch, the channel and the method that is answered, or the number
// of the publish that is confirmed.
const confirmKey = 1 << 63

func (ch *channel) key(epoch uint64, n uint32) uint64 {
	return epoch&0x7fff<<48 | uint64(ch.number)<<32 | uint64(n)
}

// open makes the channel one that has just been opened.
func (p *parser) open(ch *channel) {
	*ch = channel{number: ch.number, opening: p.next(), losses: p.losses, opened: true, content: ch.content}
	ch.epoch = ch.opening
}

// ask gives a request its key.
func (p *parser) ask(ch *channel, n id, m *dissector.Message) {
	if ch == nil {
		m.Role = dissector.OneWay
		return
	}
	idle := ch.at > 0 && m.Start-ch.at >= idleTime
	ch.at = m.Start
	if ch.ahead = ch.ahead || ch.pending > 0; ch.stale {
		ch.distrust(p)
	}
	if ch.void && (idle || ch.turn && !ch.ahead) {
		ch.void, ch.pending, ch.epoch = false, 0, p.next()
	}
	epoch := ch.epoch
	if ch.void {
		epoch = p.next() // which no answer has
		m.Resumed = true
	} else {
		ch.ahead = false
	}
	ch.pending++
	ch.last = n
	m.SetKey(ch.key(epoch, uint32(n)))
}

// answer gives a response to the method n its key.
func (p *parser) answer(ch *channel, n id, m *dissector.Message) {
	if ch == nil {
		m.Role = dissector.OneWay
		return
	}
	m.SetKey(ch.key(ch.epoch, uint32(n)))
	ch.pending = max(0, ch.pending-1)
	ch.at, ch.turn, ch.stale = m.Start, true, false
}

// failed tells which pending method a close of the server answers. One that names
// no method ends the handshake of the connection, which is all that can be pending
// there.
func (ch *channel) failed(n id) (id, bool) {
	if ch == nil || ch.pending != 1 || ch.stale || ch.void {
		return 0, false
	}
	if ch.last == n || ch.number == 0 && n == 0 && ch.last != connectionClose {
		return ch.last, true
	}
	return 0, false
}

// count counts a publish, and returns its delivery tag, 0 if it has none, and
// whether its confirmation will be told.
func (ch *channel) count() (tag uint64, told bool) {
	if ch == nil || !ch.confirming {
		return 0, false
	}
	ch.tag++
	if len(ch.waiting) == maxConfirms {
		ch.waiting = slices.DeleteFunc(ch.waiting, func(w publish) bool { return w.unsure })
	}
	if len(ch.waiting) == maxConfirms {
		return ch.tag, false
	}
	ch.waiting = append(ch.waiting, publish{tag: ch.tag})
	return ch.tag, true
}

// confirm appends to list the tags of the publishes that an ack or nack of the
// server answers for certain: what it names, and with multiple all before it that
// no lost one may have answered.
func (ch *channel) confirm(tag uint64, multiple bool, list []uint64) []uint64 {
	if ch == nil {
		return list
	}
	if ch.confirming && tag > ch.tag { // not as many were counted: others were published unseen
		ch.confirming, ch.waiting = false, nil
		return list
	}
	ch.waiting = slices.DeleteFunc(ch.waiting, func(w publish) bool {
		before := multiple && (tag == 0 || w.tag < tag)
		if w.tag == tag || before && !w.unsure {
			list = append(list, w.tag)
		}
		return w.tag == tag || before
	})
	return list
}
