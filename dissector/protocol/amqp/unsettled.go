package amqp

import (
	"slices"

	"shark/dissector"
)

// unsettled are the delivery tags, ascending, of what one side of a channel published or
// delivered and the other has yet to say the outcome of. What was said of the first
// unsure ones may be lost.
type unsettled struct {
	tags   []uint64
	unsure int
}

// add takes a tag above all others, and tells whether there is room for it.
func (p *parser) add(u *unsettled, tag uint64) bool {
	if p.waiting == maxWaiting || len(u.tags) == maxUnsettled {
		p.dropUnsure(u)
	}
	if p.waiting == maxWaiting || len(u.tags) == maxUnsettled {
		return false
	}
	p.waiting++
	u.tags = append(u.tags, tag)
	return true
}

// settle takes the tags off that an ack, nack or reject answers, and appends to list
// those that it answers for certain: what it names, and with multiple all before it whose
// own answer is not lost.
func (p *parser) settle(u *unsettled, tag uint64, multiple bool, list []uint64) []uint64 {
	from, named := slices.BinarySearch(u.tags, tag)
	to := from
	if multiple && tag == 0 { // which stands for all
		to, named = len(u.tags), false
	}
	if multiple {
		list = append(list, u.tags[min(u.unsure, to):to]...)
		from = 0
	}
	if named {
		list = append(list, tag)
		to++
	}
	p.cut(u, from, to)
	return list
}

// cut removes tags, and gives back the room of many when few are left.
func (p *parser) cut(u *unsettled, from, to int) {
	p.waiting -= to - from
	u.unsure -= max(0, min(u.unsure, to)-from)
	u.tags = slices.Delete(u.tags, from, to)
	if cap(u.tags) > 64 && len(u.tags) < cap(u.tags)/8 {
		u.tags = slices.Clone(u.tags)
	}
}

func (p *parser) drop(u *unsettled)       { p.cut(u, 0, len(u.tags)) }
func (p *parser) dropUnsure(u *unsettled) { p.cut(u, 0, u.unsure) }

// count counts a publish, and returns its delivery tag, 0 if it has none, and
// whether its confirmation will be told.
func (p *parser) count(ch *channel) (tag uint64, told bool) {
	if ch == nil || !ch.confirming {
		return 0, false
	}
	ch.tag++
	return ch.tag, p.add(&ch.published, ch.tag)
}

// settles takes an ack, nack or reject, whose arguments were read, and tells whether it
// is the answer to something.
func (p *parser) settles(from dissector.Side, ch *channel, md *method, span int64) bool {
	a, k := &p.answers[from], &p.args
	if ch == nil || md.id != basicAck && md.id != basicNack && md.id != basicReject {
		return false
	}
	u := &ch.deliveries.unsettled
	if a.of = basicDeliver; from == dissector.Server {
		u, a.of = &ch.published, basicPublish
		if ch.confirming && k.tag > ch.tag { // not as many were counted: others were published unseen
			ch.confirming = false
			p.drop(u)
			return false
		}
	} else {
		ch.deliveries.learn(k.tag)
	}
	a.tags = p.settle(u, k.tag, k.multiple, a.tags[:0])
	a.told, a.span, a.method, a.ch, a.requeue = 0, span, md, ch, k.requeue
	return len(a.tags) > 0
}

// nextAnswer tells one of the messages that an ack, nack or reject answers.
func (p *parser) nextAnswer(from dissector.Side, m *dissector.Message) int64 {
	a, v := &p.answers[from], &m.Values
	tag := a.tags[a.told]
	a.told++
	m.Again = a.told < len(a.tags)
	if a.of == basicPublish {
		m.SetKey(confirmKey | a.ch.key(a.ch.opening, uint32(tag)))
	} else {
		m.Role = dissector.Answers
		m.SetKey(deliverKey | a.ch.key(a.ch.deliveries.epoch, uint32(tag)))
	}
	Channel.Set(v, int64(a.ch.number))
	DeliveryTag.Set(v, int64(tag))
	if a.requeue {
		Requeue.Set(v, true)
	}
	dissector.Operation.SetString(v, methods[a.of].name)
	dissector.Status.SetString(v, a.method.name)
	if a.method.id != basicAck {
		dissector.Failed.Set(v, true)
	}
	return a.span
}
