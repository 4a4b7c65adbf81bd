package ftp

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// reply is a reply of which some lines were read.
type reply struct {
	lines int
	code  int64
	role  dissector.Role
}

// answer reads one line of a reply (RFC 959 section 4.2): a piece of it, but for the
// last one. Between the first and the last line anything may stand.
func (p *parser) answer(buf []byte, m *dissector.Message) (int64, error) {
	line, n, err := wire.Line(buf, maxLine, m)
	if err != nil {
		return 0, err
	}
	if m.Gap > 0 {
		p.reply = reply{}
	}
	if !printable(line) {
		return 0, errMalformed
	}
	code, text, more, ok := replyLine(line)
	peer := m.Peer()
	if p.reply.lines == 0 {
		if !ok || !fits(code, peer) {
			return 0, errMalformed
		}
		p.begin(code, peer, m)
	} else if !ok || code != p.reply.code {
		text, more = line, true
	}
	m.Role, m.Open = p.reply.role, more
	p.text(text, more, peer, m)
	if p.reply.lines++; more {
		return int64(n), nil
	}
	p.reply.lines = 0
	if peer != nil && peer.Notes == kindAuthTLS && code == 234 {
		m.Next = "tlsx"
	}
	return int64(n), nil
}

// replyLine reads a line with a code. Codes from 600 on are of protected replies
// (RFC 2228 section 7).
func replyLine(line []byte) (code int64, text []byte, more, ok bool) {
	code, text, more, ok = wire.Reply(line)
	return code, text, more, ok && code >= 100 && code < 700
}

// fits tells whether a reply can be one to a request: a transfer is answered by 226 or
// 250. Other good news are for a command sent meanwhile.
func fits(code int64, peer *dissector.Message) bool {
	return peer == nil || peer.Notes != kindTransfer || code < 200 || code == 226 || code == 250 || code >= 400
}

// begin sets what the first line of a reply says.
func (p *parser) begin(code int64, peer, m *dissector.Message) {
	v := &m.Values
	p.reply.code, p.reply.role = code, dissector.BySide
	switch {
	case p.unasked(code, peer, m):
		p.reply.role = dissector.OneWay
	case code < 200:
		p.reply.role = dissector.Interim
	}
	dissector.Status.Set(v, []byte{byte('0' + code/100), byte('0' + code/10%10), byte('0' + code%10)})
	dissector.StatusCode.Set(v, int64(code))
	if code >= 400 && code < 600 {
		dissector.Failed.Set(v, true)
	}
}

// unasked tells whether a reply answers nothing: the greeting, which a 120 may come
// before, or the notice of a server that closes the connection.
func (p *parser) unasked(code int64, peer, m *dissector.Message) bool {
	first := !p.greeted && !p.lost
	p.greeted = p.greeted || code != 120
	switch {
	case first && (code == 220 || code == 120) && (peer == nil || peer.Notes != kindAgain), first && !p.begun && code >= 400:
		p.whole = true
		dissector.Operation.SetString(&m.Values, "greeting")
	case code == 421 && peer == nil && !p.lost:
		dissector.Operation.SetString(&m.Values, "closing")
	default:
		return false
	}
	return true
}

// text takes the text of a line.
func (p *parser) text(text []byte, more bool, peer, m *dissector.Message) {
	v := &m.Values
	text = bytes.TrimSpace(text)
	if len(text) == 0 || peer != nil && peer.Notes == kindUnknown && p.reply.code >= 500 { // it may repeat the command
		return
	}
	if peer != nil && peer.Notes == kindFeatures && p.reply.lines > 0 && more {
		if p.reply.lines <= maxFeatures {
			Features.Add(v, wire.Clip(text, maxArgument))
		} else if p.reply.lines == maxFeatures+1 {
			Features.AddString(v, wire.CutMark)
		}
		return
	}
	switch p.reply.code {
	case 227:
		if address, ok := passive(text); ok {
			Data.SetString(v, address)
		}
	case 229:
		if port, ok := extendedPassive(text); ok {
			Data.SetString(v, at(m.Flow.Src.String(), port))
		}
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
	if p.reply.role == dissector.OneWay {
		dissector.Summary.Set(v, joined)
	}
}
