package xmpp

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/wire"
)

// parse reads a header, the end of a stream, or an element or a piece of one. The white
// space before it, by which a connection is kept alive (RFC 6120 section 4.6.1), goes
// with it.
func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	s := &p.scan[from]
	if m.Gap > 0 {
		*s = scanner{}
		clear(p.asked) // an answer may be missing, and a question that took its id again
	}
	if s.active() {
		n, done, ok := s.feed(buf)
		if !ok {
			*s = scanner{}
			return 0, errMalformed
		}
		g := &p.goes[from]
		m.Role, m.Next, m.Open = g.role, g.next, !done
		if g.keyed {
			m.SetKey(g.key)
		}
		return int64(n), nil
	}
	pad, ok := prolog(buf)
	if !ok {
		return 0, errMalformed
	}
	text := buf[pad:]
	if len(text) == 0 && m.Notes == kindOther && len(bytes.TrimLeft(buf, space)) == 0 && len(buf) > 0 {
		m.Skip = true
		return int64(len(buf)), nil
	}
	if len(text) == 0 {
		if len(buf) >= maxTag {
			return 0, errMalformed
		}
		return 0, dissector.ErrShort
	}
	t, size, ok := readTag(text)
	switch {
	case text[0] != '<' || !ok && len(text) >= maxTag:
		return 0, errMalformed
	case !ok:
		m.Need = len(buf) + 1
		return 0, dissector.ErrShort
	case t.closing:
		if string(local(t.name)) != "stream" {
			return 0, errMalformed
		}
		m.Role = dissector.OneWay
		dissector.Operation.SetString(&m.Values, "close")
		return int64(pad + size), nil
	case isHeader(&t):
		p.header(from, &t, m)
		return int64(pad + size), nil
	}
	n, done, ok := s.feed(text)
	if !ok || !done && len(text) < maxHead {
		*s = scanner{}
		if !ok {
			return 0, errMalformed
		}
		m.Need = len(buf) + 1
		return 0, dissector.ErrShort
	}
	p.goes[from] = goesOn{}
	p.element(from, &t, text[:min(n, maxHead)], m)
	p.goes[from].role, p.goes[from].next, m.Open = m.Role, m.Next, !done
	return int64(pad + n), nil
}

// prolog returns how long the white space and the XML declaration at the front of b are,
// all of b where they are not whole.
func prolog(b []byte) (n int, ok bool) {
	rest := bytes.TrimLeft(b, space)
	if declaration := []byte("<?xml "); bytes.HasPrefix(rest, declaration) {
		end := bytes.Index(rest[:min(len(rest), maxText)], []byte("?>"))
		if end < 0 {
			return len(b), len(rest) < maxText
		}
		rest = bytes.TrimLeft(rest[end+2:], space)
	} else if bytes.HasPrefix(declaration, rest) && len(rest) > 1 {
		return len(b), true
	}
	return len(b) - len(rest), true
}

// isHeader tells whether a tag opens a stream (RFC 6120 section 4.8.1).
func isHeader(t *tag) bool {
	return string(local(t.name)) == "stream" && !t.empty && bytes.Contains(t.attributes, []byte("http://etherx.jabber.org/streams"))
}

// header takes the header of a stream. Features follow the server's, if it speaks
// version 1.0.
func (p *parser) header(from dissector.Side, t *tag, m *dissector.Message) {
	v := &m.Values
	p.names(t, m)
	m.Notes = kindHeader
	if from == dissector.Server {
		dissector.Status.SetString(v, "stream")
		_, m.Open = t.attribute("version")
		return
	}
	dissector.Operation.SetString(v, "stream")
	dissector.Summary.Set(v, To.Get(v))
}

// names sets who speaks with whom.
func (p *parser) names(t *tag, m *dissector.Message) {
	if to, ok := t.attribute("to"); ok {
		To.Set(&m.Values, to)
	}
	if from, ok := t.attribute("from"); ok {
		From.Set(&m.Values, from)
	}
}

// element takes an element that is no header, of which b is the beginning.
func (p *parser) element(from dissector.Side, t *tag, b []byte, m *dissector.Message) {
	name := string(local(t.name))
	if m.Notes == kindHeader { // what follows the server's header
		switch name {
		case "features":
			p.features(b, m)
		case "error":
			p.failed(b, 1, m)
		}
		return
	}
	switch {
	case name == "iq" || name == "message" || name == "presence":
		p.stanza(from, name, t, b, m)
	case from == dissector.Client:
		p.negotiate(name, t, m)
	default:
		p.granted(name, b, m)
	}
}

// negotiate takes what a client asks for before there are stanzas.
func (p *parser) negotiate(name string, t *tag, m *dissector.Message) {
	v := &m.Values
	dissector.Operation.SetString(v, name)
	switch name {
	case "starttls":
		m.Notes, m.Next = kindTLS, "tlsx"
	case "auth":
		if mechanism, ok := t.attribute("mechanism"); ok {
			Mechanism.Set(v, mechanism)
			dissector.Summary.Set(v, mechanism)
		}
		m.Notes = kindSASL
	case "response", "abort":
		m.Notes = kindSASL
	case "compress":
		m.Notes, m.Next = kindCompress, dissector.Opaque
	default:
		m.Role = dissector.OneWay
	}
}

// granted takes what a server answers to that.
func (p *parser) granted(name string, b []byte, m *dissector.Message) {
	v := &m.Values
	peer := m.Peer()
	kind := kindOther
	if peer != nil {
		kind = peer.Notes
	}
	switch {
	case name == "features":
		p.features(b, m)
	case name == "error":
		p.failed(b, 1, m)
	case name == "failure" && (kind == kindSASL || kind == kindTLS || kind == kindCompress):
		p.failed(b, 1, m)
		return
	case name == "challenge" && kind == kindSASL, name == "success" && kind == kindSASL:
		dissector.Status.SetString(v, name)
		return
	case name == "proceed" && kind == kindTLS:
		dissector.Status.SetString(v, name)
		m.Next = "tlsx"
		return
	case name == "compressed" && kind == kindCompress:
		dissector.Status.SetString(v, name)
		m.Next = dissector.Opaque
		return
	}
	m.Role = dissector.OneWay
	dissector.Operation.SetString(v, name)
}

// failed sets the condition of an error: the child at a depth.
func (p *parser) failed(b []byte, depth int, m *dissector.Message) {
	v := &m.Values
	dissector.Failed.Set(v, true)
	dissector.Status.SetString(v, "error")
	for d, t := range children(b) {
		if name := local(t.name); d == depth && string(name) != "text" && (depth == 1 || !bytes.Equal(name, []byte("error"))) {
			Condition.Set(v, wire.Clip(name, maxText))
			dissector.Status.Set(v, wire.Clip(name, maxText))
			return
		}
	}
}

// list adds the nth item to a list.
func list(f field.ListField, n int, item []byte, m *dissector.Message) {
	switch {
	case n <= maxFeatures:
		f.Add(&m.Values, wire.Clip(item, maxText))
	case n == maxFeatures+1:
		f.AddString(&m.Values, wire.CutMark)
	}
}

// features lists what a server offers.
func (p *parser) features(b []byte, m *dissector.Message) {
	v := &m.Values
	dissector.Status.SetString(v, "features")
	features, mechanisms := 0, 0
	for depth, t := range children(b) {
		name := local(t.name)
		switch {
		case depth == 1:
			features++
			list(Features, features, name, m)
		case depth == 2 && string(name) == "mechanism":
			mechanisms++
			text, _, _ := bytes.Cut(t.after, []byte("<"))
			list(Mechanisms, mechanisms, text, m)
		}
	}
}
