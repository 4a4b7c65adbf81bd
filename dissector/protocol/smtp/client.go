package smtp

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// endOfData ends the mail data (RFC 5321 section 4.1.1.4), and nothing else does: what
// takes a bare line feed for it can be fooled.
const endOfData = "\r\n.\r\n"

// request reads what the client says.
func (p *parser) request(buf []byte, m *dissector.Message) (int64, error) {
	if m.Notes == kindMessage { // it goes on
		return p.data(buf, m)
	}
	if m.Gap > 0 && p.phase == message {
		return 0, errMalformed // lines of mail data look like anything
	}
	phase := p.phase
	if phase == commands && p.waiting != 0 || phase == secret && m.Gap > 0 {
		switch probe(buf) {
		case dissector.More:
			return 0, dissector.ErrShort
		case dissector.Request, dissector.MaybeRequest:
			phase = commands
		default: // the reply that asks for more was not captured
			if m.Gap > 0 {
				return 0, errMalformed
			}
			m.Resumed = true
			if phase = secret; p.waiting == kindData {
				phase, p.fresh = message, true
			}
		}
	}
	switch phase {
	case message:
		return p.data(buf, m)
	case secret:
		return p.secret(buf, m)
	}
	return p.command(buf, m)
}

// command reads one command.
func (p *parser) command(buf []byte, m *dissector.Message) (int64, error) {
	line, n, err := wire.Line(buf, maxLine, m)
	if err != nil {
		return 0, err
	}
	verb, argument, known := verbOf(line)
	if !known {
		if !p.whole || p.gaps > 0 || !printable(line) {
			return 0, errMalformed // it may be mail data
		}
		// Its words are not shown: they may be what AUTH sends.
		dissector.Operation.SetString(&m.Values, "UNKNOWN")
		m.Notes = kindUnknown
		p.sent(kindUnknown)
		return int64(n), nil
	}
	if !printable(argument) {
		return 0, errMalformed
	}
	kind, v := verbs[verb], &m.Values
	dissector.Operation.SetString(v, verb)
	if kind == kindAuth {
		p.startAuth(argument, m)
	} else if len(argument) > 0 {
		Argument.Set(v, wire.Clip(argument, maxArgument))
		dissector.Summary.Set(v, wire.Clip(argument, maxArgument))
	}
	span := int64(n)
	switch kind {
	case kindHello:
		p.hello, p.lmtp = true, verb == "LHLO"
		if name, _, _ := bytes.Cut(argument, []byte(" ")); len(name) > 0 {
			Hello.Set(v, wire.Clip(name, maxName))
		}
	case kindMail:
		kind |= p.gaps << kindBits
		if address, ok := path(argument, "FROM:"); ok {
			Sender.Set(v, address)
			dissector.Summary.Set(v, append([]byte("from "), orEmpty(address)...))
		}
	case kindRcpt:
		if address, ok := path(argument, "TO:"); ok {
			Recipients.Add(v, address)
			dissector.Summary.Set(v, append([]byte("to "), orEmpty(address)...))
		}
	case kindChunk:
		if size, last, ok := chunk(argument); ok {
			m.SetBody(n, size)
			m.CountBody(Size)
			span += size
			if last {
				kind = kindLast
			}
		}
	case kindStartTLS:
		m.Next = "tlsx"
	}
	m.Notes = kind
	p.sent(kind)
	return span, nil
}

// sent says what was asked last.
func (p *parser) sent(kind uint64) {
	p.begun, p.phase, p.waiting = true, commands, 0
	if kind == kindData || kind == kindAuth {
		p.waiting = kind
	}
}

// chunk reads the argument of BDAT (RFC 3030 section 2).
func chunk(argument []byte) (size int64, last, ok bool) {
	digits, rest, _ := bytes.Cut(argument, []byte(" "))
	size, ok = wire.Digits(digits, 18)
	last = bytes.EqualFold(bytes.TrimSpace(rest), []byte("LAST"))
	return size, last, ok && size <= maxChunk && (last || len(rest) == 0)
}

// data reads a piece of mail data: all that is at hand, but for what may be the
// beginning of its end.
func (p *parser) data(buf []byte, m *dissector.Message) (int64, error) {
	n, span := 0, 0
	if i := bytes.Index(buf, []byte(endOfData)); p.fresh && bytes.HasPrefix(buf, []byte(endOfData[2:])) {
		span = 3
	} else if i >= 0 {
		n, span = i+2, i+len(endOfData)
	} else {
		for k := min(len(endOfData)-1, len(buf)); k >= 0; k-- {
			if bytes.HasSuffix(buf, []byte(endOfData[:k])) {
				n = len(buf) - k
				break
			}
		}
		if n == 0 || p.fresh && len(buf) < 3 && bytes.HasPrefix([]byte(endOfData[2:]), buf) {
			return 0, dissector.ErrShort
		}
		span, m.Open = n, true
	}
	if p.fresh {
		p.fresh, p.waiting, p.phase = false, 0, message
		m.Notes = kindMessage
		dissector.Operation.SetString(&m.Values, "message")
		p.describe(m)
		m.CountBody(Size)
	}
	m.SetBody(0, int64(n))
	if !m.Open {
		p.phase = commands
	}
	return int64(span), nil
}

func orEmpty(address []byte) []byte {
	if len(address) == 0 {
		return []byte("<>")
	}
	return address
}

// unstuff gives mail data as it is meant: without the dots that were put before dots
// at the beginning of lines (RFC 5321 section 4.5.2).
func unstuff(m *dissector.Message, raw []byte, limit int) ([]byte, error) {
	raw = raw[:min(len(raw), max(limit, 0))]
	if m.Notes != kindMessage {
		return raw, nil
	}
	if len(raw) > 0 && raw[0] == '.' {
		raw = raw[1:]
	}
	return bytes.ReplaceAll(raw, []byte("\r\n."), []byte("\r\n")), nil
}
