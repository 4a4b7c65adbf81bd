package smtp

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// reply is a reply of which some lines were read.
type reply struct {
	lines  int
	code   int64
	oneWay bool
}

// answer reads one line of a reply (RFC 5321 section 4.2.1): a piece of it, but for the
// last one.
func (p *parser) answer(buf []byte, m *dissector.Message) (int64, error) {
	line, n, err := wire.Line(buf, maxLine, m)
	if err != nil {
		return 0, err
	}
	code, text, more, ok := replyLine(line)
	if m.Gap > 0 {
		p.reply, p.left = reply{}, 0
	}
	if !ok || p.reply.lines > 0 && code != p.reply.code || !printable(text) {
		return 0, errMalformed
	}
	peer := m.Peer()
	if p.reply.lines == 0 {
		p.reply.code = code
		p.reply.oneWay = p.unasked(code, peer, m)
		p.begin(code, peer, m)
	}
	if p.reply.oneWay {
		m.Role = dissector.OneWay
	}
	p.text(text, peer, m)
	p.reply.lines++
	if more {
		m.Open = true
		return int64(n), nil
	}
	p.reply.lines = 0
	p.end(code, text, peer, m)
	return int64(n), nil
}

// replyLine reads a line of a reply.
func replyLine(line []byte) (code int64, text []byte, more, ok bool) {
	code, text, more, ok = wire.Reply(line)
	return code, text, more, ok && code >= 200 && code < 600 && code/10%10 <= 5
}

// unasked tells whether a reply answers nothing: the greeting, or the notice of a
// server that closes the connection.
func (p *parser) unasked(code int64, peer *dissector.Message, m *dissector.Message) bool {
	switch {
	case p.greeted || m.Gap > 0:
	case code == 220 && (peer == nil || peer.Notes != kindStartTLS) && p.gaps == 0,
		!p.begun && (code == 554 || code == 421):
		p.greeted, p.whole = true, true
		dissector.Operation.SetString(&m.Values, "greeting")
		return true
	}
	p.greeted = true
	if code == 421 && peer == nil && p.gaps == 0 {
		dissector.Operation.SetString(&m.Values, "closing")
		return true
	}
	return false
}

// begin sets what the first line of a reply says. Of the replies of LMTP to one message
// an error is what counts.
func (p *parser) begin(code int64, peer, m *dissector.Message) {
	if p.left > 0 && code < 400 {
		return
	}
	v := &m.Values
	var digits [3]byte
	for i, n := 2, code; i >= 0; i, n = i-1, n/10 {
		digits[i] = byte('0' + n%10)
	}
	dissector.Status.Set(v, digits[:])
	dissector.StatusCode.Set(v, code)
	if code >= 400 {
		dissector.Failed.Set(v, true)
	}
	if peer != nil && p.left == 0 && p.phase == message && code != 354 {
		p.phase = commands
	}
}

// text takes the text of a line.
func (p *parser) text(text []byte, peer, m *dissector.Message) {
	v := &m.Values
	if p.reply.code == 334 { // a challenge
		return
	}
	if p.reply.lines > 0 && p.reply.code == 250 && peer != nil && peer.Notes == kindHello {
		if p.reply.lines <= maxExtensions {
			Extensions.Add(v, wire.Clip(text, maxName))
		} else if p.reply.lines == maxExtensions+1 {
			Extensions.AddString(v, wire.CutMark)
		}
		return
	}
	if code, rest, ok := enhanced(p.reply.code, text); ok {
		if p.left == 0 || p.reply.code >= 400 {
			Enhanced.Set(v, code)
		}
		text = rest
	}
	if text = bytes.TrimSpace(text); len(text) == 0 || peer != nil && peer.Notes == kindUnknown && p.reply.code >= 500 { // it may repeat the command
		return
	}
	said := Reply.Get(v)
	if len(said) > maxReply {
		return
	}
	joined := append([]byte(nil), said...)
	if len(said) > 0 {
		joined = append(joined, ' ')
	}
	joined = wire.Clip(append(joined, text...), maxReply)
	Reply.Set(v, joined)
	if p.reply.oneWay {
		dissector.Summary.Set(v, joined)
	}
}

// enhanced takes the enhanced status code off the text of a reply (RFC 2034 section 4):
// its class is that of the reply.
func enhanced(code int64, text []byte) (status, rest []byte, ok bool) {
	status, rest, _ = bytes.Cut(text, []byte(" "))
	class, others, ok := bytes.Cut(status, []byte("."))
	subject, detail, both := bytes.Cut(others, []byte("."))
	if !ok || !both || len(class) != 1 || int64(class[0]-'0') != code/100 || len(subject) > 3 || len(detail) > 3 {
		return nil, text, false
	}
	_, ok = wire.Digits(subject, 18)
	_, both = wire.Digits(detail, 18)
	return status, rest, ok && both
}

// end takes a whole reply.
func (p *parser) end(code int64, text []byte, peer, m *dissector.Message) {
	if code == 354 && (p.waiting == kindData || !p.begun) {
		p.waiting, p.phase, p.fresh = 0, message, true
	}
	if code == 334 && p.waiting == kindAuth {
		p.waiting, p.phase = 0, secret
		p.auth.challenged(text)
	}
	if peer == nil {
		if p.phase == message && code != 354 && !p.reply.oneWay {
			p.phase = commands
		}
		return
	}
	good := code < 300
	switch kind := peer.Notes & (1<<kindBits - 1); kind {
	case kindHello, kindReset:
		if good {
			p.forget()
		}
	case kindMail, kindRcpt:
		if good {
			p.mail.took(peer)
		}
	case kindData, kindAuth:
		if p.waiting == kind && code != 354 && code != 334 {
			p.waiting = 0
		}
	case kindMessage, kindLast:
		p.delivered(kind, m)
	case kindStartTLS:
		if code == 220 {
			m.Next = "tlsx"
		}
	}
}

// delivered takes a reply to a message. LMTP has one for each recipient that was taken
// (RFC 2033 section 4.2).
func (p *parser) delivered(kind uint64, m *dissector.Message) {
	if p.left == 0 && p.lmtp {
		p.left = p.mail.count
	}
	if !p.hello && p.mail.count > 1 { // more replies may follow
		m.Resumed = true
	}
	if p.left--; p.left > 0 {
		m.Open = true
		return
	}
	p.left = 0
	if kind == kindLast { // when it was sent, not all replies to RCPT were there
		p.describe(m)
	}
	p.forget()
}
