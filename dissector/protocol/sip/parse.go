package sip

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// pad counts the bytes at the front that are no message: CRLFs, by which a connection is
// kept alive (RFC 5626 section 3.5.1), and in datagrams zero bytes for the same.
func pad(b []byte) int { return len(b) - len(bytes.TrimLeft(b, "\r\n\x00")) }

// stream reads a message of a TCP connection.
func (p *parser) stream(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.forget(from)
		p.gaps[from]++
	}
	if n := pad(buf); n > 0 {
		m.Skip = true
		return int64(n), nil
	}
	size, ok := p.headSize(from, buf)
	if !ok && p.checked[from] && len(buf) < maxHead {
		m.Need = len(buf) + 1
		return 0, dissector.ErrShort
	}
	var h head
	line, _, ended := bytes.Cut(buf[:min(len(buf), maxLine)], []byte("\n"))
	if ended && !h.startLine(bytes.TrimSuffix(line, []byte("\r"))) || !ended && len(buf) >= maxLine {
		p.forget(from)
		return 0, errMalformed
	}
	p.checked[from] = ended
	if !ok {
		if len(buf) >= maxHead {
			p.forget(from)
			return 0, errMalformed
		}
		m.Need = len(buf) + 1
		return 0, dissector.ErrShort
	}
	h.read(buf[len(line)+1 : size])
	if h.length > maxBody {
		p.forget(from)
		return 0, errMalformed
	}
	seen := 0
	if h.describesMedia() {
		seen = int(min(h.length, maxDescription))
	}
	if len(buf) < size+seen {
		m.Need = size + seen
		return 0, dissector.ErrShort
	}
	p.forget(from)
	p.take(from, &h, buf[size:size+seen], m)
	m.SetBody(size, h.length)
	return int64(size) + h.length, nil
}

// forget says that another message begins.
func (p *parser) forget(from dissector.Side) { p.searched[from], p.checked[from] = 0, false }

// headSize returns the length of the head with the empty line that ends it. What was
// searched before is not searched again.
func (p *parser) headSize(from dissector.Side, buf []byte) (int, bool) {
	at := max(0, min(p.searched[from], len(buf))-3)
	i := bytes.Index(buf[at:min(len(buf), maxHead)], []byte("\r\n\r\n"))
	if i < 0 {
		p.searched[from] = min(len(buf), maxHead)
		return 0, false
	}
	return at + i + 4, true
}

// datagram reads a message of a datagram. One that was cut gives what it has.
func (p *parser) datagram(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	n := pad(buf)
	text := buf[n:]
	if len(text) == 0 {
		m.Skip = true
		return int64(len(buf)), nil
	}
	var h head
	line, rest, ended := bytes.Cut(text, []byte("\n"))
	if !ended || !h.startLine(bytes.TrimSuffix(line, []byte("\r"))) {
		return 0, errMalformed
	}
	size := bytes.Index(text, []byte("\r\n\r\n")) + 4
	if size < 4 {
		h.read(rest)
		p.take(from, &h, nil, m)
		return 0, dissector.ErrShort
	}
	h.read(text[len(line)+1 : size])
	body := text[size:]
	if h.hasLength && h.length < int64(len(body)) {
		body = body[:h.length]
	}
	description := body[:0]
	if h.describesMedia() {
		description = body[:min(len(body), maxDescription)]
	}
	p.take(from, &h, description, m)
	m.SetBody(n+size, int64(len(body)))
	return int64(len(buf)), nil
}

// describesMedia tells whether the body is a session description.
func (h *head) describesMedia() bool {
	kind, _, _ := bytes.Cut(h.contentType, []byte(";"))
	return bytes.EqualFold(bytes.TrimSpace(kind), []byte("application/sdp"))
}

// take sets what a message says, and what it is in its transaction.
func (p *parser) take(from dissector.Side, h *head, description []byte, m *dissector.Message) {
	v := &m.Values
	p.place(from, h, m)
	alone := h.request || m.Role == dissector.OneWay || m.Peer() == nil
	if alone {
		dissector.Operation.Set(v, clip(h.method))
		h.dialog(m)
	}
	toURI, toParameters := address(h.to)
	if alone && len(toURI) > 0 {
		To.Set(v, clip(withoutPassword(toURI)))
	}
	if tag := parameter(toParameters, "tag"); len(tag) > 0 {
		ToTag.Set(v, clip(tag))
	}
	if uri, _ := address(h.contact); len(uri) > 0 {
		Contact.Set(v, clip(withoutPassword(uri)))
	}
	if len(h.contentType) > 0 {
		ContentType.Set(v, clip(h.contentType))
	}
	media(description, m)
	if h.request {
		uri := clip(withoutPassword(h.uri))
		URI.Set(v, uri)
		dissector.Summary.Set(v, uri)
		if len(h.agent) > 0 {
			UserAgent.Set(v, clip(h.agent))
		}
		if user := userOf(h.authHeader); len(user) > 0 {
			User.Set(v, clip(user))
		}
		return
	}
	h.status(m)
}

// status sets what a response says.
func (h *head) status(m *dissector.Message) {
	v := &m.Values
	digits := []byte{byte('0' + h.code/100), byte('0' + h.code/10%10), byte('0' + h.code%10)}
	dissector.Status.Set(v, digits)
	dissector.StatusCode.Set(v, h.code)
	if h.code >= 400 {
		dissector.Failed.Set(v, true)
	}
	if len(h.reason) > 0 {
		Reason.Set(v, clip(h.reason))
	}
	if m.Role == dissector.OneWay {
		dissector.Summary.Set(v, clip(bytes.TrimSpace(append(append(digits, ' '), h.reason...))))
	}
	if len(h.server) == 0 {
		h.server = h.agent
	}
	if len(h.server) > 0 {
		Server.Set(v, clip(h.server))
	}
}

// dialog sets what request and response have in common.
func (h *head) dialog(m *dissector.Message) {
	v := &m.Values
	if len(h.callID) > 0 {
		CallID.Set(v, clip(h.callID))
	}
	digits, _, _ := bytes.Cut(h.cseq, []byte(" "))
	if n, ok := wire.Digits(digits, 10); ok {
		CSeq.Set(v, n)
	}
	if branch := parameter(h.via, "branch"); len(branch) > 0 {
		Branch.Set(v, clip(branch))
	}
	uri, parameters := address(h.from)
	if len(uri) > 0 {
		From.Set(v, clip(withoutPassword(uri)))
	}
	if tag := parameter(parameters, "tag"); len(tag) > 0 {
		FromTag.Set(v, clip(tag))
	}
}

// userOf returns the name in the credentials of Digest (RFC 7616 section 3.4).
func userOf(credentials []byte) []byte {
	scheme, rest, _ := bytes.Cut(credentials, []byte(" "))
	if !bytes.EqualFold(scheme, []byte("Digest")) {
		return nil
	}
	for {
		i := outside(rest, ',')
		key, value, _ := bytes.Cut(rest[:i], []byte("="))
		if bytes.EqualFold(bytes.TrimSpace(key), []byte("username")) {
			return bytes.Trim(bytes.TrimSpace(value), `"`)
		}
		if i == len(rest) {
			return nil
		}
		rest = rest[i+1:]
	}
}
