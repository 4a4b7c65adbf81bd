package amqp

import (
	"strconv"

	"shark/dissector"
)

// A message with content is a method frame, a header frame and body frames, all on
// its channel; frames of other channels may come in between (specification, 4.2.6).
// Nearly always none does, and the frames make one message. Between two body
// frames the last octet of the first is left for the next piece, which knows what
// comes behind it: with another channel's frame a one-way message ends there, marked
// as truncated, and the rest of its body is passed over; a keyed one goes on later.
// A method frame that is parted from its header frame is no part of the message's
// size.

// carrier reads a method that carries content, the header frame behind it and the
// beginning of its body.
func (p *parser) carrier(from dissector.Side, f frame, md *method, buf []byte, m *dissector.Message) (int64, error) {
	b, off, err := f.payload(buf, 0, m)
	if err != nil {
		return 0, err
	}
	next, err := readFrame(buf, off, m)
	if err != nil {
		return 0, err
	}
	ch := p.channel(f.channel)
	if next.channel != f.channel {
		c := p.begin(from, ch, md, m.Start)
		if ch != nil && len(b) <= maxKept {
			c.kept = append(c.kept[:0], b...)
		}
		m.Skip = true
		return int64(off), nil
	}
	if next.kind != headerFrame {
		return 0, errMalformed
	}
	head, at, err := next.payload(buf, off, m)
	if err != nil {
		return 0, err
	}
	props, ok := readProperties(head)
	if !ok {
		return 0, errMalformed
	}
	if waits(buf, at, props.size) {
		m.Need = at + frameHead
		return 0, dissector.ErrShort
	}
	c := p.begin(from, ch, md, m.Start)
	p.carry(c, f.channel, props, m)
	return p.body(from, f.channel, c, buf, at, m)
}

// waits tells whether the head of a body frame is still to come.
func waits(buf []byte, at int, size int64) bool { return size > 0 && len(buf) < at+frameHead }

// begin begins the content of a method whose arguments were read, at a time.
func (p *parser) begin(from dissector.Side, ch *channel, md *method, at int64) *content {
	c := &p.side[from].spare
	if ch != nil {
		c = &ch.content[from]
	}
	c.reset()
	c.method, c.role = md, dissector.OneWay
	switch {
	case md.id == basicPublish:
		tag, told := p.count(ch)
		if c.tag = tag; told {
			c.role, c.keyed, c.key = dissector.BySide, true, confirmKey|ch.key(ch.opening, uint32(tag))
		}
		c.unpaired = tag > 0 && !told
	case md.id == basicDeliver:
		p.deliver(ch, c)
	case md.answers == basicGet && ch != nil:
		p.numbered(ch, p.args.tag)
		keyed := dissector.Message{Start: at}
		p.answer(ch, basicGet, &keyed)
		c.role, c.keyed, c.key = dissector.BySide, true, ch.key(ch.epoch, uint32(basicGet))
	}
	return c
}

// carry sets the fields of a message with content.
func (p *parser) carry(c *content, number uint16, props properties, m *dissector.Message) {
	v := &m.Values
	p.set(number, c.method, m)
	if c.tag > 0 {
		DeliveryTag.Set(v, int64(c.tag))
	}
	if len(props.contentType) > 0 {
		ContentType.Set(v, props.contentType)
	}
	if props.deliveryMode > 0 {
		DeliveryMode.Set(v, int64(props.deliveryMode))
	}
	BodySize.Set(v, props.size)
	c.left = props.size
	switch {
	case c.method.answers == basicGet:
		dissector.Operation.SetString(v, nameOf(basicGet))
		dissector.Status.SetString(v, c.method.name)
	case p.args.code > 0: // basic.return
		p.fail(m)
	}
}

// body reads the body frame at off of buf, behind what else the piece has, if it is
// of the channel.
func (p *parser) body(from dissector.Side, number uint16, c *content, buf []byte, off int, m *dissector.Message) (int64, error) {
	s := &p.side[from]
	if c.left > 0 {
		f, err := readFrame(buf, off, m)
		if err != nil {
			return 0, err
		}
		s.held = nil
		p.role(c, m)
		switch {
		case f.channel != number:
			m.Open, c.dead, m.Truncated = c.keyed, !c.keyed, !c.keyed
			return int64(off), nil
		case f.kind != bodyFrame || f.size > c.left:
			return 0, errMalformed
		}
		m.SetBody(off+frameHead, f.size)
		if c.left -= f.size; c.left > 0 {
			s.held, s.channel, m.Open = c, number, true
			return int64(off) + frameHead + f.size, nil
		}
		off += frameHead + int(f.size) + 1
	}
	s.held = nil
	p.role(c, m)
	c.reset()
	return int64(off), nil
}

func (p *parser) role(c *content, m *dissector.Message) {
	if m.Role, m.Unpaired = c.role, c.unpaired; c.keyed {
		m.SetKey(c.key)
	}
}

// resume goes on behind a body frame whose last octet is still there.
func (p *parser) resume(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.side[from]
	if buf[0] != frameEnd {
		s.held = nil
		return 0, errMalformed
	}
	return p.body(from, s.channel, s.held, buf, 1, m)
}

// lateHeader reads a header frame that other channels' frames part from its method.
func (p *parser) lateHeader(from dissector.Side, f frame, buf []byte, m *dissector.Message) (int64, error) {
	b, off, err := f.payload(buf, 0, m)
	if err != nil {
		return 0, err
	}
	ch := p.channels[f.channel]
	if ch != nil {
		ch = p.channel(f.channel)
	}
	if ch == nil || len(ch.content[from].kept) == 0 {
		m.Skip = true
		return int64(off), nil
	}
	c := &ch.content[from]
	props, ok := readProperties(b)
	if !ok || !p.args.read(c.method.args, c.kept[4:]) {
		return 0, errMalformed
	}
	if waits(buf, off, props.size) {
		m.Need = off + frameHead
		return 0, dissector.ErrShort
	}
	c.kept = c.kept[:0]
	p.carry(c, f.channel, props, m)
	return p.body(from, f.channel, c, buf, off, m)
}

// lateBody reads a body frame that other channels' frames part from what was
// before it.
func (p *parser) lateBody(from dissector.Side, f frame, buf []byte, m *dissector.Message) (int64, error) {
	ch := p.channels[f.channel]
	if ch != nil {
		ch = p.channel(f.channel)
	}
	if ch == nil || ch.content[from].left == 0 {
		m.Skip = true
		return frameHead + f.size + 1, nil
	}
	c := &ch.content[from]
	if f.size > c.left {
		return 0, errMalformed
	}
	if !c.dead {
		return p.body(from, f.channel, c, buf, 0, m)
	}
	if c.left -= f.size; c.left == 0 {
		c.reset()
	}
	m.Skip = true
	return frameHead + f.size + 1, nil
}

// set sets the fields that a method's arguments give.
func (p *parser) set(number uint16, md *method, m *dissector.Message) {
	v, a := &m.Values, &p.args
	dissector.Operation.SetString(v, md.name)
	Channel.Set(v, int64(number))
	if len(a.exchange) > 0 {
		Exchange.Set(v, a.exchange)
	}
	if len(a.key) > 0 {
		RoutingKey.Set(v, a.key)
	}
	if len(a.queue) > 0 {
		Queue.Set(v, a.queue)
	}
	if len(a.vhost) > 0 {
		Vhost.Set(v, a.vhost)
	}
	if len(a.product) > 0 {
		Product.Set(v, a.product)
	}
	if len(a.mechanism) > 0 {
		Mechanism.Set(v, a.mechanism)
	}
	if a.tag > 0 {
		DeliveryTag.Set(v, int64(a.tag))
	}
	if a.requeue {
		Requeue.Set(v, true)
	}
	if a.code > 0 {
		ReplyCode.Set(v, int64(a.code))
	}
	if len(a.text) > 0 {
		ReplyText.Set(v, a.text)
	}
	p.text = a.about(p.text[:0])
	if md.id == basicAck || md.id == basicNack || md.id == basicReject {
		p.text = a.tags(p.text)
	}
	if len(p.text) > 0 {
		dissector.Summary.Set(v, p.text)
	}
}

// tags says which deliveries an ack, nack or reject is about.
func (a *args) tags(buf []byte) []byte {
	switch {
	case a.multiple && a.tag == 0:
		return append(buf, "all tags"...)
	case a.multiple:
		buf = append(buf, "up to tag "...)
	default:
		buf = append(buf, "tag "...)
	}
	return strconv.AppendUint(buf, a.tag, 10)
}
