package amqp

import (
	"hash/maphash"

	"shark/dissector"
)

// deliveries are what the server sends the consumers of a channel.
type deliveries struct {
	unsettled
	epoch     uint64              // number of the channel's opening, or of a loss since
	last      uint64              // latest delivery tag
	lost      [2]bool             // something of a side, since nothing was unsettled
	consumers map[uint64]consumer // by digests of their names
	doubted   [maxDoubted]delivery
	next      int // of doubted
}

// consumer is how one was begun.
type consumer byte

const (
	unknown  consumer = iota
	settling          // it says of each delivery what became of it
	silent            // it does not: no-ack
)

// delivery is one to a consumer that is not known.
type delivery struct {
	tag      uint64
	consumer uint64
}

var seed = maphash.MakeSeed()

// deliver gives a delivery, whose arguments were read, its role.
func (p *parser) deliver(ch *channel, c *content) {
	if ch == nil {
		c.unpaired = true
		return
	}
	p.numbered(ch, p.args.tag)
	d, name := &ch.deliveries, maphash.Bytes(seed, p.args.consumer)
	switch d.consumers[name] {
	case silent:
	case settling:
		if len(d.tags) == 0 {
			d.lost = [2]bool{}
		}
		if !p.add(&d.unsettled, p.args.tag) {
			c.unpaired = true
			return
		}
		c.role, c.keyed, c.key = dissector.Asks, true, deliverKey|ch.key(d.epoch, uint32(p.args.tag))
	default:
		c.unpaired = true
		if _, ok := d.consumers[name]; !ok {
			p.know(d, name, unknown)
		}
		d.doubted[d.next] = delivery{p.args.tag, name}
		d.next = (d.next + 1) % maxDoubted
	}
}

// numbered takes the delivery tag of what the server sends. They ascend: a lower one says
// that the channel was opened again unseen.
func (p *parser) numbered(ch *channel, tag uint64) {
	if ch == nil {
		return
	}
	if tag <= ch.deliveries.last {
		p.forgetDeliveries(ch)
		p.forgetConsumers(ch)
	}
	ch.deliveries.last = tag
}

// learn takes note that the client settles what has a tag.
func (d *deliveries) learn(tag uint64) {
	for _, x := range d.doubted {
		if _, known := d.consumers[x.consumer]; known && x.tag == tag && tag > 0 {
			d.consumers[x.consumer] = settling
		}
	}
}

// know keeps how a consumer was begun.
func (p *parser) know(d *deliveries, name uint64, how consumer) {
	if _, known := d.consumers[name]; !known {
		if p.consumers == maxConsumers {
			return
		}
		p.consumers++
	}
	if d.consumers == nil {
		d.consumers = make(map[uint64]consumer)
	}
	d.consumers[name] = how
}

// consume takes what a method, whose arguments were read, says of consumers and of what
// was delivered to them.
func (p *parser) consume(ch *channel, md *method, m *dissector.Message) {
	if ch == nil {
		return
	}
	d, name := &ch.deliveries, maphash.Bytes(seed, p.args.consumer)
	switch md.id {
	case basicConsume:
		how := settling
		if p.args.noAck {
			how = silent
		}
		if m.Notes = uint64(how); len(p.args.consumer) > 0 { // else the answer names it
			p.know(d, name, how)
		}
	case basicConsumeOk:
		if asked := m.Peer(); asked != nil {
			p.know(d, name, consumer(asked.Notes))
		}
	case basicCancelOk:
		if _, known := d.consumers[name]; known {
			p.consumers--
			delete(d.consumers, name)
		}
	case basicRecover, basicRecoverAsync, basicRecoverOk:
		p.forgetDeliveries(ch)
	}
}

// loseDeliveries takes note that something a side said is missing. Where both sides miss
// something, the channel may have been opened again unseen, and its tags be others.
func (p *parser) loseDeliveries(ch *channel, side dissector.Side) {
	d := &ch.deliveries
	d.lost[side] = true
	if d.lost[side.Other()] {
		p.forgetDeliveries(ch)
		return
	}
	if side == dissector.Client {
		d.unsure = len(d.tags)
	}
}

// forgetDeliveries drops those that nothing will be said of, or of which that cannot be told.
func (p *parser) forgetDeliveries(ch *channel) {
	d := &ch.deliveries
	p.drop(&d.unsettled)
	d.epoch, d.lost, d.last, d.doubted = p.next(), [2]bool{}, 0, [maxDoubted]delivery{}
}

func (p *parser) forgetConsumers(ch *channel) {
	p.consumers -= len(ch.deliveries.consumers)
	ch.deliveries.consumers = nil
}
