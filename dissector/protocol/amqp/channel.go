package amqp

import "shark/dissector"

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
	published  unsettled // publishes that wait for their confirmations
	deliveries deliveries

	content [2]content
}

// content is a message whose header frame or body is yet to come.
type content struct {
	method   *method
	kept     []byte // the payload of its method frame, while the header frame is yet to come
	left     int64  // bytes of its body that are yet to come
	role     dissector.Role
	keyed    bool
	key      uint64
	unpaired bool // its outcome will not be told
	tag      uint64
	dead     bool // its entry is made: the rest of it is passed over
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
		ch.opening, ch.deliveries.epoch = ch.epoch, ch.epoch
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
	p.loseDeliveries(ch, side)
	if side == dissector.Client {
		p.dropUnsure(&ch.published)
		ch.opened, ch.confirming = false, false
		ch.void, ch.turn, ch.ahead, ch.at = true, false, false, 0
		return
	}
	if ch.stale = ch.pending == 1; ch.pending > 1 {
		ch.distrust(p)
	}
	if !ch.opened { // the channel may have been opened again unseen
		p.drop(&ch.published)
	}
	ch.published.unsure = len(ch.published.tags)
}

// distrust gives up those that are pending.
func (ch *channel) distrust(p *parser) {
	ch.void, ch.turn, ch.stale, ch.epoch = true, false, false, p.next()
}

// Keys hold the epoch, the channel and the method that is answered, or the delivery
// tag of what is confirmed or settled.
const (
	confirmKey = 1 << 63
	deliverKey = 1 << 62
)

func (ch *channel) key(epoch uint64, n uint32) uint64 {
	return epoch&0x3fff<<48 | uint64(ch.number)<<32 | uint64(n)
}

// open makes the channel one that has just been opened.
func (p *parser) open(ch *channel) {
	p.forget(ch)
	p.forgetConsumers(ch)
	*ch = channel{number: ch.number, opening: p.next(), losses: p.losses, opened: true, content: ch.content}
	ch.epoch, ch.deliveries.epoch = ch.opening, ch.opening
}

// forget drops what waits for an outcome that will not come.
func (p *parser) forget(ch *channel) {
	if ch != nil {
		p.drop(&ch.published)
		p.forgetDeliveries(ch)
	}
}

// remove forgets a channel that is closed.
func (p *parser) remove(ch *channel) {
	p.forget(ch)
	p.forgetConsumers(ch)
	delete(p.channels, ch.number)
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
