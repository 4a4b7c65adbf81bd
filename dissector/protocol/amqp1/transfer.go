package amqp1

import "shark/dissector"

// transfer reads a frame of a transfer (part 2, 2.7.5), whose performative ends at off.
func (p *parser) transfer(from dissector.Side, f frame, buf []byte, off int, m *dissector.Message) (int64, error) {
	s := p.session(from, f.channel)
	l := s.link(from, p.perf.number(0))
	d := new(delivery)
	if l != nil {
		d = &l.delivery
	}
	going := &p.side[from].going
	if *going && !d.active { // a loss of the other side's made the link unknown
		*going, m.Role, m.Truncated = false, dissector.OneWay, true
		return int64(f.end), nil
	}
	if d.dead {
		return p.pass(f, d, m), nil
	}
	begins := !d.active
	if begins && p.perf.fields[1].isNull() {
		if l != nil {
			return 0, errMalformed
		}
		return p.pass(f, d, m), nil // its beginning was not seen
	}
	// The sections are needed up to the body: nothing is changed before they are there.
	if !p.ready(d, buf, off, f, m) {
		return 0, dissector.ErrShort
	}
	if *going = false; begins {
		p.first(from, f, s, l, d, m)
	}
	if p.perf.fields[9].isTrue() && s != nil && d.keyed { // aborted: nothing answers it
		p.settle(s, from, func(w unsettled) bool { return w.id == uint32(d.key) })
	}
	return p.piece(from, f, buf, off, d, l != nil, m), nil
}

// pass passes over a frame of a delivery whose entry is made.
func (p *parser) pass(f frame, d *delivery, m *dissector.Message) int64 {
	if m.Skip = true; !p.perf.fields[5].isTrue() || p.perf.fields[9].isTrue() {
		p.empty(d)
	}
	return int64(f.end)
}

// first sets what the first frame of a delivery says.
func (p *parser) first(from dissector.Side, f frame, s *session, l *link, d *delivery, m *dissector.Message) {
	v := &m.Values
	id, settled := p.perf.number(1), p.perf.fields[4].isTrue()
	dissector.Operation.SetString(v, names[transfer])
	Channel.Set(v, int64(f.channel))
	Handle.Set(v, int64(p.perf.number(0)))
	DeliveryID.Set(v, int64(id))
	Settled.Set(v, settled)
	m.CountBody(BodySize)
	*d = delivery{active: true, alien: p.perf.number(3) != 0}
	if l != nil {
		l.describe(m)
		d.about = l.about()
		s.remember(from, id, l.address)
	}
	if settled || s == nil || l == nil {
		return
	}
	if m.Unpaired = !p.wait(s, from, id, l); !m.Unpaired {
		d.keyed, d.key, d.role = true, key(keyTransfer, s.number, id), dissector.BySide
		if from == dissector.Server {
			d.key, d.role = key(keyDelivery, s.number, id), dissector.Asks
		}
	}
}

// piece passes a frame of a delivery on. Of one whose link is not told apart only the
// first is known.
func (p *parser) piece(from dissector.Side, f frame, buf []byte, off int, d *delivery, known bool, m *dissector.Message) int64 {
	aborted := p.perf.fields[9].isTrue()
	more := p.perf.fields[5].isTrue() && !aborted
	at, last := p.sections(d, buf, off, f, m), f.end
	if !d.told && (d.inBody || !more) {
		if d.told = true; d.about != "" {
			dissector.Summary.SetString(&m.Values, d.about)
		}
	}
	switch {
	case d.keyed:
		m.SetKey(d.key)
		m.Role, m.Open, m.Cancel = d.role, more, aborted
	case more && known: // the last octet is what the message can end with if its next frame does not come
		last--
		p.hold(from, f, d, at)
		m.Role, m.Open = dissector.OneWay, true
	default:
		m.Role, m.Truncated = dissector.OneWay, m.Truncated || aborted || more
	}
	if at < last {
		m.SetBody(at, int64(last-at))
	}
	if !more {
		p.empty(d)
	}
	return int64(last)
}

// hold leaves the last octet of a frame for the next piece.
func (p *parser) hold(from dissector.Side, f frame, d *delivery, body int) {
	s := &p.side[from]
	s.held, s.octet, s.channel, s.handle = d, 0, f.channel, p.perf.number(0)
	if body < f.end {
		s.octet = 1
	}
}

// resume goes on behind a frame of a one-way transfer whose last octet is still there.
// If another frame than the next of it comes, what there is of it is its entry.
func (p *parser) resume(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.side[from]
	m.Role = dissector.OneWay
	f, err := readFrame(buf, 1, m)
	idle := err == nil && f.body == f.end // an empty frame
	if err == nil && !idle {
		_, err = f.perform(buf, &p.perf, m)
	}
	if err == dissector.ErrShort {
		return 0, err
	}
	m.SetBody(0, s.octet)
	if idle {
		s.octet, m.Open = 0, true
		return int64(f.end - 1), nil
	}
	d := s.held
	s.held = nil
	if m.Open = err == nil && p.perf.kind == transfer && f.channel == s.channel && p.perf.number(0) == s.handle; !m.Open {
		d.dead, m.Truncated = true, true
	}
	s.going = m.Open
	return 1, nil
}
