package amqp1

import (
	"bytes"
	"slices"
	"strconv"

	"shark/dissector"
)

// answers are the transfers that a disposition answers and that are yet to be told.
type answers struct {
	ids      []uint32
	left     int64 // bytes of the frame
	multiple bool
	session  uint32
	channel  uint16
	settled  bool
	kind     uint64
	failed   bool
	// The error, kept as the frame's front is gone when the later ones are told.
	condition, description []byte
}

func (a *answers) clear() { a.ids, a.left = a.ids[:0], 0 }

// span is the deliveries of a disposition (part 2, 2.7.6). Their ids are serial
// numbers, which wrap.
func (p *performative) span() (first, last uint32) {
	first = p.number(1)
	if p.fields[2].isNull() {
		return first, first
	}
	return first, p.number(2)
}

// answer takes note of the client's transfers that a disposition of the server says
// the outcome of, and tells whether there are any.
func (p *parser) answer(f frame, m *dissector.Message) bool {
	s := p.session(dissector.Server, f.channel)
	if s == nil || !p.perf.fields[0].isTrue() {
		return false
	}
	o, settled := readOutcome(p.perf.fields[4]), p.perf.fields[3].isTrue()
	if !o.final() && !settled {
		return false
	}
	a := &p.answers
	a.clear()
	first, last := p.perf.span()
	if int32(last-first) < 0 {
		return false // the last is before the first
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(w unsettled) bool {
		if w.id-first > last-first {
			return false
		}
		a.ids = append(a.ids, w.id)
		return true
	})
	if len(a.ids) == 0 || f.end < len(a.ids) {
		a.clear()
		return false
	}
	a.left, a.multiple, a.session, a.channel = int64(f.end), first != last, s.number, f.channel
	a.settled, a.kind, a.failed = settled, o.kind, o.failed
	a.condition = append(a.condition[:0], cut(o.failure.condition, maxName)...)
	a.description = append(a.description[:0], cut(o.failure.description, maxName)...)
	return true
}

// nextAnswer tells one of the transfers that a disposition answers. If it is about
// several each takes an octet of the frame, as there are at most maxWaiting, and what
// is left of the frame is passed over: an answer is as large whoever else it answers.
func (p *parser) nextAnswer(m *dissector.Message) int64 {
	a, v := &p.answers, &m.Values
	if len(a.ids) == 0 {
		m.Skip = true
		span := a.left
		a.left = 0
		return span
	}
	id := a.ids[0]
	a.ids = a.ids[:copy(a.ids, a.ids[1:])]
	m.SetKey(key(keyTransfer, a.session, id))
	dissector.Operation.SetString(v, names[transfer])
	Channel.Set(v, int64(a.channel))
	DeliveryID.Set(v, int64(id))
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
	span := int64(1)
	if !a.multiple {
		span = a.left
	}
	a.left -= span
	return span
}

func outcomeName(kind uint64) string {
	if name := names[kind]; name != "" {
		return name
	}
	return "unknown"
}

// dispose is for a disposition that answers no transfer of the client.
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
