package amqp1

import (
	"encoding/binary"
	"slices"

	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	state
	side    [2]side
	perf    performative
	text    []byte
	section []byte     // one that is joined
	answers [2]answers // that a side gives
}

// side is where a side stands between two pieces.
type side struct {
	held    *delivery // the last octet of a frame of it was left for the next piece
	octet   int64     // 1 if that octet is of the body
	going   bool      // it was told, and the transfer goes on with the next frame
	channel uint16    // of the transfer that is held
	handle  uint32
}

// frame is the head of a frame (part 2, 2.3).
type frame struct {
	end     int // offset behind it
	body    int // offset of its body
	kind    byte
	channel uint16
}

const (
	frameHead = 8
	amqpFrame = 0
	saslFrame = 1
)

// readFrame reads the head of the frame at off of buf.
func readFrame(buf []byte, off int, m *dissector.Message) (f frame, err error) {
	if len(buf)-off < frameHead {
		m.Need = off + frameHead
		return f, dissector.ErrShort
	}
	b := buf[off:]
	size, doff := binary.BigEndian.Uint32(b), int(b[4])*4
	if size > maxFrame || doff < frameHead || uint32(doff) > size || b[5] > saslFrame {
		return f, errMalformed
	}
	f = frame{end: off + int(size), body: off + doff, kind: b[5]}
	if f.kind == amqpFrame {
		f.channel = binary.BigEndian.Uint16(b[6:])
	}
	return f, nil
}

// perform reads the performative of a frame, and returns the offset behind it.
func (f frame) perform(buf []byte, into *performative, m *dissector.Message) (int, error) {
	var b []byte
	if len(buf) > f.body {
		b = buf[f.body:min(f.end, len(buf))]
	}
	it, n, need := readItem(b)
	switch {
	case n == 0 && need > 0 && need <= maxHead && f.body+need <= f.end:
		m.Need = f.body + need
		return 0, dissector.ErrShort
	case n == 0 || it.desc == 0 || !into.read(it):
		return 0, errMalformed
	case (f.kind == saslFrame) != (into.kind >= saslMechanisms):
		return 0, errMalformed
	case into.kind != transfer && f.body+n != f.end:
		return 0, errMalformed
	}
	return f.body + n, nil
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.side[from]
	if m.Gap > 0 {
		p.forget()
		*s = side{}
		p.answers[from].clear()
	}
	if from == dissector.Client && !p.heard && len(buf) > 0 {
		p.heard, p.whole = true, !p.lossy && buf[0] == headerStart[0]
	}
	switch {
	case len(buf) == 0:
		return 0, dissector.ErrShort
	case s.held != nil:
		return p.resume(from, buf, m)
	case p.answers[from].told < len(p.answers[from].ids):
		return p.nextAnswer(from, m), nil
	case buf[0] == headerStart[0]:
		return p.protocolHeader(from, buf, m)
	}
	f, err := readFrame(buf, 0, m)
	if err != nil {
		return 0, err
	}
	if f.body == f.end { // an empty frame (part 2, 2.4.5)
		m.Skip = true
		return int64(f.end), nil
	}
	off, err := f.perform(buf, &p.perf, m)
	if err != nil {
		return 0, err
	}
	if p.perf.kind == transfer {
		return p.transfer(from, f, buf, off, m)
	}
	if p.perf.kind == disposition && p.answer(from, f) {
		return p.nextAnswer(from, m), nil
	}
	dissector.Operation.SetString(&m.Values, names[p.perf.kind])
	if f.kind == amqpFrame {
		Channel.Set(&m.Values, int64(f.channel))
	}
	p.perform(from, f.channel, m)
	return int64(f.end), nil
}

// perform does what a performative that carries no message says.
func (p *parser) perform(from dissector.Side, channel uint16, m *dissector.Message) {
	switch p.perf.kind {
	case open:
		p.open(from, m)
	case begin:
		p.begins(from, channel, m)
	case attach:
		p.attaches(from, channel, m)
	case flow:
		p.flow(from, channel, m)
	case disposition:
		p.dispose(from, channel, m)
	case detach:
		p.detaches(from, channel, m)
	case end:
		p.ends(from, channel, m)
	case closing:
		p.closes(from, m)
	default:
		p.secure(from, m)
	}
}

// The protocol header (part 2, 2.2): what is spoken behind it, and in which version.
const headerStart = "AMQP"

const (
	plainID = 0
	tlsID   = 2
	saslID  = 3
	nextTLS = "tlsx"
)

// layers are the words for what a protocol header asks for.
var layers = map[byte]string{plainID: "AMQP 1.0.0", tlsID: "TLS 1.0.0", saslID: "SASL 1.0.0"}

// layer reads a protocol header of this version.
func layer(b []byte) (id byte, ok bool) {
	if len(b) < protocolHeaders || string(b[:4]) != headerStart || b[5] != 1 || b[6] != 0 || b[7] != 0 {
		return 0, false
	}
	return b[4], layers[b[4]] != ""
}

// protocolHeader reads a protocol header. A server that does not speak what is asked
// for sends the one of what it does.
func (p *parser) protocolHeader(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < protocolHeaders {
		if string(buf) != headerStart[:min(len(buf), 4)] && len(buf) <= 4 {
			return 0, errMalformed
		}
		m.Need = protocolHeaders
		return 0, dissector.ErrShort
	}
	v := &m.Values
	id, ok := layer(buf)
	if !ok && (from == dissector.Client || string(buf[:4]) != headerStart) {
		return 0, errMalformed
	}
	dissector.Operation.SetString(v, "protocol-header")
	if from == dissector.Client {
		p.askLayer(id, m)
		return protocolHeaders, nil
	}
	status := layers[id]
	if !ok {
		status = "another protocol header"
	}
	dissector.Status.SetString(v, status)
	i := slices.Index(p.asked, id)
	switch {
	case ok && i >= 0:
		m.SetKey(key(keyHeader, p.epoch, uint32(id)))
		m.Next = nextAfter(id)
		p.asked = slices.Delete(p.asked, i, i+1)
	case len(p.asked) > 0 && p.whole:
		m.SetKey(key(keyHeader, p.epoch, uint32(p.asked[0])))
		dissector.Failed.Set(v, true)
		p.asked = p.asked[1:]
	default:
		m.Role = dissector.OneWay // nobody is known to have asked
	}
	return protocolHeaders, nil
}

// askLayer is for a protocol header of the client.
func (p *parser) askLayer(id byte, m *dissector.Message) {
	dissector.Summary.SetString(&m.Values, layers[id])
	if p.lossy || len(p.asked) == len(layers) {
		m.Role = dissector.OneWay
		return
	}
	p.asked = append(p.asked, id)
	m.SetKey(key(keyHeader, p.epoch, uint32(id)))
	m.Next = nextAfter(id)
}

func nextAfter(id byte) string {
	if id == tlsID {
		return nextTLS
	}
	return ""
}

// outcomes are the words for the codes of sasl-outcome (part 5, 5.3.3.6).
var outcomes = [...]string{"ok", "auth", "sys", "sys-perm", "sys-temp"}

// secure does what a performative of the security layer says.
func (p *parser) secure(from dissector.Side, m *dissector.Message) {
	v, k := &m.Values, key(keySASL, p.epoch, 0)
	m.Role = dissector.OneWay
	switch kind := p.perf.kind; {
	case kind == saslMechanisms:
		p.text, _ = p.perf.fields[0].symbols(p.text[:0])
		Mechanism.Set(v, p.text)
		dissector.Summary.Set(v, p.text)
	case kind == saslInit && from == dissector.Client:
		m.Role = dissector.BySide
		m.SetKey(k)
		mechanism := p.perf.fields[0].text()
		Mechanism.Set(v, mechanism)
		setText(v, Hostname, p.perf.fields[2].text())
		dissector.Summary.Set(v, mechanism)
	case kind == saslChallenge && from == dissector.Server:
		m.Role = dissector.Interim
		m.SetKey(k)
	case kind == saslOutcome && from == dissector.Server:
		m.Role = dissector.BySide
		m.SetKey(k)
		dissector.Operation.SetString(v, names[saslInit])
		code := p.perf.number(0)
		if int(code) < len(outcomes) {
			dissector.Status.SetString(v, outcomes[code])
		}
		dissector.StatusCode.Set(v, int64(code))
		if code != 0 {
			dissector.Failed.Set(v, true)
		}
	}
}
