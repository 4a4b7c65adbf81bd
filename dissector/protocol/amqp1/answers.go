package amqp1

import (
	"bytes"
	"strconv"

	"shark/dissector"
)

// answers are the transfers that a disposition answers and that are yet to be told.
type answers struct {
	ids     []uint32
	told    int   // of the ids
	span    int64 // bytes of the frame
	first   uint32
	last    uint32 // of those that the disposition is about
	session uint32
	channel uint16
	kind    uint64
	failed  bool
	// The error, kept as the frame's front is gone when the later ones are told.
	condition, description []byte
}

func (a *answers) clear() { a.ids, a.told = a.ids[:0], 0 }

// span is the deliveries of a disposition (part 2, 2.7.6). Their ids are serial
// numbers, which wrap.
func (p *performative) span() (first, last uint32) {
	first = p.number(1)
	if p.fields[2].isNull() {
		return first, first
	}
	return first, p.number(2)
}

// answer takes note of the other side's transfers that a disposition says the outcome of,
// and tells whether there are any.
func (p *parser) answer(from dissector.Side, f frame) bool {
	s := p.session(from, f.channel)
	if s == nil || !p.perf.fields[0].isTrue() {
		return false
	}
	o, settled := readOutcome(p.perf.fields[4]), p.perf.fields[3].isTrue()
	if !o.final() && !settled {
		return false
	}
	a := &p.answers[from]
	a.clear()
	first, last := p.perf.span()
	if int32(last-first) < 0 {
		return false // the last is before the first
	}
	if a.ids = p.take(s, from.Other(), first, last, a.ids); len(a.ids) == 0 {
		return false
	}
	a.first, a.last = first, last
	a.span, a.session, a.channel, a.kind, a.failed = int64(f.end), s.number, f.channel, o.kind, o.failed
	a.condition = append(a.condition[:0], cut(o.failure.condition, maxName)...)
	a.description = append(a.description[:0], cut(o.failure.description, maxName)...)
	return true
}

// nextAnswer tells one of the transfers that a disposition answers.
func (p *parser) nextAnswer(from dissector.Side, m *dissector.Message) int64 {
	a, v := &p.answers[from], &m.Values
	id := a.ids[a.told]
	a.told++
	m.Again = a.told < len(a.ids)
	if from == dissector.Server {
		m.SetKey(key(keyTransfer, a.session, id))
	} else {
		m.Role = dissector.Answers
		m.SetKey(key(keyDelivery, a.session, id))
	}
	dissector.Operation.SetString(v, names[transfer])
	Channel.Set(v, int64(a.channel))
	DeliveryID.Set(v, int64(id))
	if a.last != a.first {
		DeliveryLast.Set(v, int64(a.last))
	}
	status := "settled"
	if a.kind != 0 {
		status = outcomeName(a.kind)
		Outcome.SetString(v, status)
	}
	dissector.Status.SetString(v, status)
	switch a.kind {
	case 0, accepted, declared, transactional:
	default:
		dissector.Failed.Set(v, true)
	}
	if a.failed {
		DeliveryFailed.Set(v, true)
	}
	setText(v, Condition, a.condition)
	setText(v, Description, a.description)
	return a.span
}

func outcomeName(kind uint64) string {
	if name := names[kind]; name != "" {
		return name
	}
	return "unknown"
}

// dispose is for a disposition that answers no transfer.
func (p *parser) dispose(from dissector.Side, channel uint16, m *dissector.Message) {
	v := &m.Values
	m.Role = dissector.OneWay
	first, last := p.perf.span()
	DeliveryID.Set(v, int64(first))
	DeliveryLast.Set(v, int64(last))
	settled := p.perf.fields[3].isTrue()
	Settled.Set(v, settled)
	o := readOutcome(p.perf.fields[4])
	p.text = p.text[:0]
	switch {
	case o.kind != 0:
		p.text = append(p.text, outcomeName(o.kind)...)
		Outcome.Set(v, p.text)
	case settled:
		p.text = append(p.text, "settled"...)
	}
	if o.failed {
		DeliveryFailed.Set(v, true)
	}
	setText(v, Condition, o.failure.condition)
	setText(v, Description, o.failure.description)
	if o.kind == rejected {
		dissector.Failed.Set(v, true)
	}
	p.text = strconv.AppendUint(append(p.text, ' '), uint64(first), 10)
	if last != first {
		p.text = strconv.AppendUint(append(p.text, ".."...), uint64(last), 10)
	}
	sender := from
	if p.perf.fields[0].isTrue() {
		sender = from.Other()
	}
	if to := p.session(from, channel).over(sender, first); to != "" {
		Address.SetString(v, to)
		p.text = append(append(p.text, ' '), to...)
	}
	dissector.Summary.Set(v, bytes.TrimSpace(p.text))
}
