package amqp

import (
	"strconv"
	"strings"

	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	channels  map[uint16]*channel
	epochs    uint64
	losses    [2]uint32 // how often something of a side was missing
	side      [2]side
	waiting   int // messages of all channels whose outcome is yet to come
	consumers int // of all channels
	args      args
	text      []byte
	answers   [2]answers // that a side gives
}

// side is where a side stands between two pieces.
type side struct {
	held    *content // the last octet of a body frame of it was left for the next piece
	channel uint16   // of that
	spare   content  // of a channel that is not told apart
}

// answers are the messages that an ack, nack or reject answers and that are yet to be told.
type answers struct {
	tags    []uint64
	told    int   // of the tags
	span    int64 // bytes of the frame
	method  *method
	ch      *channel
	of      id // the method that is answered
	requeue bool
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.side[from]
	if m.Gap > 0 {
		p.losses[from]++
		s.held = nil
		p.answers[from].told = len(p.answers[from].tags)
	}
	if p.channels == nil {
		p.channels = make(map[uint16]*channel)
	}
	switch {
	case len(buf) == 0:
		return 0, dissector.ErrShort
	case s.held != nil:
		return p.resume(from, buf, m)
	case p.answers[from].told < len(p.answers[from].tags):
		return p.nextAnswer(from, m), nil
	case buf[0] == header[0]:
		return p.header(from, buf, m)
	}
	f, err := readFrame(buf, 0, m)
	if err != nil {
		return 0, err
	}
	switch f.kind {
	case methodFrame:
		return p.method(from, f, buf, m)
	case headerFrame:
		return p.lateHeader(from, f, buf, m)
	case bodyFrame:
		return p.lateBody(from, f, buf, m)
	}
	m.Skip = true
	_, span, err := f.payload(buf, 0, m)
	return int64(span), err
}

// header reads the protocol header, which connection.start answers, or another header:
// with that a server says which version it would speak, and closes (specification, 4.2.2).
func (p *parser) header(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	n, sure := min(len(buf), len(header)), len(header)
	if from == dissector.Server {
		sure = len(headerStart)
	}
	if !strings.HasPrefix(header, string(buf[:min(n, sure)])) {
		return 0, errMalformed
	}
	if n < len(header) {
		m.Need = len(header)
		return 0, dissector.ErrShort
	}
	v := &m.Values
	Channel.Set(v, 0)
	dissector.Operation.SetString(v, nameOf(protocolHeader))
	if from == dissector.Client {
		p.ask(p.channel(0), protocolHeader, m)
		return int64(n), nil
	}
	dissector.Status.SetString(v, "another protocol header")
	if string(buf[:n]) == header {
		dissector.Status.SetString(v, "the same protocol header")
	}
	dissector.Failed.Set(v, true)
	p.answer(p.channel(0), protocolHeader, m)
	return int64(n), nil
}

// method reads a method frame, and what comes right behind it.
func (p *parser) method(from dissector.Side, f frame, buf []byte, m *dissector.Message) (int64, error) {
	b, span, err := f.payload(buf, 0, m)
	if err != nil {
		return 0, err
	}
	md := readMethod(f, b, 1<<from, &p.args)
	if md == nil {
		return 0, errMalformed
	}
	if md.content {
		return p.carrier(from, f, md, buf, m)
	}
	ch := p.channel(f.channel)
	if p.settles(from, ch, md, int64(span)) {
		return p.nextAnswer(from, m), nil
	}
	p.set(f.channel, md, m)
	if from == dissector.Client {
		p.request(ch, md, m)
	} else {
		p.response(ch, md, m)
	}
	return int64(span), nil
}

// request gives a method of the client that carries no content its role.
func (p *parser) request(ch *channel, md *method, m *dissector.Message) {
	if md.id == channelOpen && ch != nil {
		p.open(ch)
	}
	if md.sync && !p.args.nowait {
		p.ask(ch, md.id, m)
	} else {
		m.Role = dissector.OneWay
	}
	switch {
	case md.id == confirmSelect && ch != nil && ch.opened && !ch.confirming:
		ch.confirming = true
	case md.id == channelCloseOk && ch != nil:
		p.remove(ch)
	default:
		p.consume(ch, md, m)
	}
	if p.args.code >= 300 {
		dissector.Failed.Set(&m.Values, true)
	}
}

// response gives a method of the server that carries no content its role.
func (p *parser) response(ch *channel, md *method, m *dissector.Message) {
	v := &m.Values
	answered, ok := md.answers, md.answers != 0 || md.id == connectionStart
	status := md.name
	switch md.id {
	case connectionSecure, connectionTune:
		if answered = connectionStartOk; ch != nil && ch.pending > 0 {
			answered = ch.last
		}
	case channelClose, connectionClose:
		answered, ok = ch.failed(p.args.failing)
		status = p.fail(m)
		p.forget(ch)
	}
	if !ok {
		m.Role = dissector.OneWay
		p.consume(ch, md, m)
		return
	}
	dissector.Operation.SetString(v, nameOf(answered))
	if !v.Has(dissector.Status) {
		dissector.Status.SetString(v, status)
	}
	p.answer(ch, answered, m)
	p.consume(ch, md, m)
	if md.id == channelCloseOk && ch != nil {
		p.remove(ch)
	}
}

// fail sets what a reply code says, and returns its name.
func (p *parser) fail(m *dissector.Message) string {
	v := &m.Values
	name := codeNames[p.args.code]
	if name == "" {
		name = strconv.Itoa(p.args.code)
	}
	dissector.Status.SetString(v, name)
	dissector.StatusCode.Set(v, int64(p.args.code))
	if p.args.code >= 300 {
		dissector.Failed.Set(v, true)
	}
	return name
}
