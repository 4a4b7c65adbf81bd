package amqp1

import (
	"bytes"
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
)

// ask makes the message a request with a key.
func (p *parser) ask(kind uint64, s *session, k uint64, m *dissector.Message) {
	m.SetKey(k)
	p.await(kind, s, k)
}

// reply makes the message the answer to the request of a key.
func (p *parser) reply(k uint64, status string, m *dissector.Message) {
	m.SetKey(k)
	p.answered(k)
	if !m.Has(dissector.Status) {
		dissector.Status.SetString(&m.Values, status)
	}
}

// fail sets what an error says, and tells whether there is one.
func (p *parser) fail(it item, m *dissector.Message) bool {
	f := readFailure(it)
	if f.condition == nil {
		return false
	}
	v := &m.Values
	setText(v, Condition, f.condition)
	setText(v, Description, f.description)
	setText(v, dissector.Summary, f.description)
	setText(v, dissector.Status, f.condition)
	dissector.Failed.Set(v, true)
	return true
}

// setText sets a field to a text that there is.
func setText(v *field.Values, f field.TextField, b []byte) {
	if len(b) > 0 {
		f.Set(v, cut(b, maxSummary))
	}
}

// open opens the connection (part 2, 2.4.1).
func (p *parser) open(from dissector.Side, m *dissector.Message) {
	v := &m.Values
	setText(v, Container, p.perf.fields[0].text())
	setText(v, Hostname, p.perf.fields[1].text())
	setText(v, dissector.Summary, p.perf.fields[0].text())
	p.perf.fields[9].pairs(func(name, value item) bool {
		if string(name.text()) == "product" {
			setText(v, Product, value.text())
		}
		return true
	})
	first := !p.opened[from] && !p.opened[from.Other()]
	k := key(keyOpen, p.epoch, 0)
	switch {
	case p.lossy:
		m.Role = dissector.OneWay
	case from == dissector.Client && first:
		p.ask(open, nil, k, m)
	case from == dissector.Server && !p.opened[from] && p.opened[dissector.Client]:
		p.reply(k, "opened", m)
	default:
		m.Role = dissector.OneWay
	}
	p.opened[from] = true
}

// begins begins a session, or answers that (part 2, 2.5.1).
func (p *parser) begins(from dissector.Side, channel uint16, m *dissector.Message) {
	if p.perf.fields[0].isNull() {
		s := p.state.begin(from, channel)
		if from == dissector.Server || s == nil {
			m.Role = dissector.OneWay
			return
		}
		p.ask(begin, s, key(keyBegin, s.number, 0), m)
		return
	}
	s := p.session(from.Other(), uint16(p.perf.number(0)))
	if s == nil || s.begun[from] {
		m.Role = dissector.OneWay
		if s != nil { // another one began unseen
			p.drop(s)
		}
		return
	}
	p.join(s, from, channel)
	if from == dissector.Client {
		m.Role = dissector.OneWay // it answers the server
		return
	}
	p.reply(key(keyBegin, s.number, 0), "begun", m)
}

// attaches attaches a link, or answers that (part 2, 2.6.3).
func (p *parser) attaches(from dissector.Side, channel uint16, m *dissector.Message) {
	v, f := &m.Values, &p.perf.fields
	name := linkName{string(cut(f[0].text(), maxName)), (from == dissector.Client) != f[2].isTrue()}
	src, hasSource := address(f[5])
	dst, hasTarget := address(f[6])
	at, there := src, hasSource
	if name.sender {
		at, there = dst, hasTarget
	}
	handle := p.perf.number(1)
	Handle.Set(v, int64(handle))
	setText(v, Source, src)
	setText(v, Target, dst)
	s := p.session(from, channel)
	var l *link
	if s != nil {
		l = p.attach(s, from, name, handle)
	}
	if l == nil {
		l = &link{name: name, attached: [2]bool{true, true}}
	}
	answers := l.attached[from.Other()]
	if len(at) > 0 && (from == dissector.Server || l.address == "") {
		l.address = string(cut(at, maxName))
	}
	l.describe(m)
	p.text = append(append(append(p.text[:0], l.role()...), ' '), l.about()...)
	dissector.Summary.Set(v, p.text)
	k := key(keyAttach, l.number, 0)
	switch {
	case s == nil || l.number == 0 || answers == (from == dissector.Client):
		m.Role = dissector.OneWay
	case from == dissector.Client:
		p.ask(attach, s, k, m)
	default:
		status := "attached"
		if !there {
			status = "refused"
			dissector.Failed.Set(v, true)
		}
		p.reply(k, status, m)
	}
}

// describe sets the fields that say which link it is.
func (l *link) describe(m *dissector.Message) {
	v := &m.Values
	Link.SetString(v, l.name.name)
	Role.SetString(v, l.role())
	if l.address != "" {
		Address.SetString(v, l.address)
	}
}

func (l *link) role() string {
	if l.name.sender {
		return "sender"
	}
	return "receiver"
}

// about is the link in a summary.
func (l *link) about() string {
	if l.address != "" {
		return l.address
	}
	return l.name.name
}

// detaches detaches a link, or answers that (part 2, 2.6.6).
func (p *parser) detaches(from dissector.Side, channel uint16, m *dissector.Message) {
	v, handle := &m.Values, p.perf.number(0)
	Handle.Set(v, int64(handle))
	p.fail(p.perf.fields[2], m)
	s := p.session(from, channel)
	l := s.link(from, handle)
	if l == nil {
		m.Role = dissector.OneWay
		return
	}
	l.describe(m)
	dissector.Summary.SetString(v, l.about())
	k, replies := key(keyDetach, l.number, 0), l.detached[from.Other()]
	switch {
	case replies && from == dissector.Server:
		p.reply(k, "detached", m)
	case replies || from == dissector.Server:
		m.Role = dissector.OneWay
	default:
		p.ask(detach, s, k, m)
	}
	if l.detached[from] = true; replies {
		p.unlink(s, l)
	}
}

// ends ends a session, or answers that (part 2, 2.5.5).
func (p *parser) ends(from dissector.Side, channel uint16, m *dissector.Message) {
	failed := p.fail(p.perf.fields[0], m)
	s := p.session(from, channel)
	if s == nil {
		m.Role = dissector.OneWay
		return
	}
	k, replies := key(keyEnd, s.number, 0), s.ended[from.Other()]
	switch {
	case replies && from == dissector.Server:
		p.reply(k, "ended", m)
	case replies:
		m.Role = dissector.OneWay
	case from == dissector.Client:
		p.ask(end, s, k, m)
	default:
		p.refuse(s, failed, m)
	}
	s.ended[from] = true
	p.forsake(s)
	if replies {
		p.drop(s)
	}
}

// closes closes the connection, or answers that (part 2, 2.4.3).
func (p *parser) closes(from dissector.Side, m *dissector.Message) {
	failed := p.fail(p.perf.fields[0], m)
	k, replies := key(keyClose, p.epoch, 0), p.closed[from.Other()]
	switch {
	case p.closed[from]:
		m.Role = dissector.OneWay
	case replies && from == dissector.Server:
		p.reply(k, "closed", m)
	case replies:
		m.Role = dissector.OneWay
	case from == dissector.Client:
		p.ask(closing, nil, k, m)
	default:
		p.refuse(nil, failed, m)
	}
	p.closed[from] = true
}

// refuse is for an error by which the server ends a session, or if that is nil the
// connection. It answers the only request that waits there, if there is one.
func (p *parser) refuse(s *session, failed bool, m *dissector.Message) {
	if a, ok := p.refused(s); ok && failed {
		dissector.Operation.SetString(&m.Values, names[a.kind])
		p.reply(a.key, "", m)
		return
	}
	m.Role = dissector.OneWay
}

// flow gives credit (part 2, 2.7.4).
func (p *parser) flow(from dissector.Side, channel uint16, m *dissector.Message) {
	v := &m.Values
	m.Role = dissector.OneWay
	if p.perf.fields[4].isNull() {
		dissector.Summary.SetString(v, "session")
		return
	}
	handle := p.perf.number(4)
	Handle.Set(v, int64(handle))
	p.text = p.text[:0]
	if !p.perf.fields[6].isNull() {
		Credit.Set(v, int64(p.perf.number(6)))
		p.text = append(strconv.AppendUint(append(p.text, "credit "...), uint64(p.perf.number(6)), 10), ' ')
	}
	if l := p.session(from, channel).link(from, handle); l != nil {
		l.describe(m)
		p.text = append(p.text, l.about()...)
	}
	dissector.Summary.Set(v, bytes.TrimSpace(p.text))
}
