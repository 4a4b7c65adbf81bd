package ldap

import (
	"strconv"

	"shark/dissector"
	"shark/dissector/ber"
	"shark/dissector/wire"
)

// request reads what a client says.
func (p *parser) request(e *envelope, m *dissector.Message) error {
	name := operations[e.op.Tag]
	if name == "" || e.op.Tag == tagIntermediate {
		return errMalformed
	}
	dissector.Operation.SetString(&m.Values, name)
	MessageID.Set(&m.Values, e.id)
	p.line.Reset(limit(m, maxText))
	q := pending{tag: e.op.Tag, gaps: p.gaps}
	r := &e.op.Reader
	switch e.op.Tag {
	case tagBindRequest:
		q.sasl = p.bind(r, m)
	case tagSearchRequest:
		p.search(r, m)
	case tagModifyRequest:
		p.modify(r, m)
	case tagAddRequest:
		p.add(r, m)
	case tagDelRequest:
		p.set(m, DN, *r)
		p.line.octets(*r, "")
	case tagModifyDNRequest:
		p.modifyDN(r, m)
	case tagCompareRequest:
		p.compare(r, m)
	case tagExtendedRequest:
		q.tls = p.extended(r, m)
	case tagAbandonRequest:
		if n, ok := r.Number(); ok {
			p.line.Add("message " + strconv.FormatInt(n, 10))
		}
		m.Role = dissector.OneWay
	case tagUnbindRequest:
		m.Role = dissector.OneWay
	}
	if r.Bad {
		return errMalformed
	}
	if s := p.line.Bytes(); len(s) > 0 {
		dissector.Summary.Set(&m.Values, s)
	}
	if m.Role == dissector.BySide {
		p.await(e.id, q, m)
	}
	if q.tls {
		m.Next = nextTLS
	}
	return nil
}

// await remembers a request. One whose id is taken again before its response was
// seen will get none: the response is lost, or never comes, as after an abandon.
func (p *parser) await(id int64, q pending, m *dissector.Message) {
	p.reuses = p.reuses || id <= p.last
	p.last = id
	if _, taken := p.pending[id]; taken {
		p.gen++
	} else if len(p.pending) >= maxPending {
		p.forget()
	}
	q.gen = p.gen
	p.pending[id] = q
	m.SetKey(key(id, q.tag, q.gen))
}

// bind reads a BindRequest (RFC 4511 section 4.2): version, name and credentials,
// which are left alone.
func (p *parser) bind(r *ber.Reader, m *dissector.Message) (sasl bool) {
	r.Take(ber.Integer)
	name, ok := r.Take(ber.OctetString)
	if !ok {
		return false
	}
	p.set(m, DN, name.Reader)
	p.line.octets(name.Reader, "")
	auth, ok := r.Next()
	if !ok {
		return false
	}
	how := "simple"
	switch auth.Tag {
	case 0x80:
		if name.Left == 0 {
			how = "anonymous"
		} else if auth.Left == 0 {
			how = "simple without a password" // RFC 4513 section 5.1.2
		}
		Mechanism.SetString(&m.Values, "simple")
	case 0xa3:
		mechanism, _ := auth.Take(ber.OctetString)
		p.mech.Reset(maxText)
		p.mech.octets(mechanism.Reader, "")
		Mechanism.Set(&m.Values, p.mech.Bytes())
		how, sasl = "SASL "+string(p.mech.Bytes()), true
	case 0x89, 0x8a, 0x8b: // [MS-ADTS] section 5.1.1.1.3
		how = "Sicily"
		Mechanism.SetString(&m.Values, how)
	default:
		how = "unknown authentication"
	}
	p.word(how)
	return sasl
}

// word appends a word to the summary.
func (p *parser) word(s string) {
	if len(p.line.B) > 0 {
		p.line.Add(" ")
	}
	p.line.Add(s)
}

// search reads a SearchRequest (RFC 4511 section 4.5.1).
func (p *parser) search(r *ber.Reader, m *dissector.Message) {
	base, _ := r.Take(ber.OctetString)
	p.set(m, BaseDN, base.Reader)
	if p.line.octets(base.Reader, ""); base.Left == 0 {
		p.line.Add(`""`)
	}
	scope, _ := r.Take(ber.Enumerated)
	if n, ok := scope.Number(); ok && n < int64(len(scopes)) {
		Scope.SetString(&m.Values, scopes[n])
		p.word(scopes[n])
	}
	r.Take(ber.Enumerated) // how aliases are followed
	r.Take(ber.Integer)    // limits of size and time
	r.Take(ber.Integer)
	r.Take(ber.Boolean) // types only
	if filter, ok := r.Next(); ok {
		p.text.Reset(limit(m, maxFilter))
		p.text.filter(filter, 1)
		Filter.Set(&m.Values, p.text.Bytes())
		p.line.Add(" ")
		shown := p.text.Bytes()
		p.line.octets(ber.Reader{B: shown, Left: int64(len(shown))}, "")
	}
	if list, ok := r.Take(ber.Sequence); ok {
		p.list(&list.Reader, m, func(e *ber.Element) (ber.Reader, bool) { return e.Reader, e.Tag == ber.OctetString }, nil)
	}
}

// list adds the attributes that name finds in the elements of a sequence, the first
// of them to the summary too, if say is given.
func (p *parser) list(r *ber.Reader, m *dissector.Message, name func(*ber.Element) (ber.Reader, bool), say func(i int, attribute []byte)) {
	for i := 0; ; i++ {
		e, ok := r.Next()
		if !ok {
			break
		}
		attribute, ok := name(&e)
		if !ok {
			break
		}
		if i == maxListed && !m.Detail {
			Attributes.AddString(&m.Values, wire.CutMark)
			return
		}
		p.text.Reset(maxText)
		p.text.octets(attribute, "")
		Attributes.Add(&m.Values, p.text.Bytes())
		if say != nil && i < maxSummary {
			say(i, p.text.Bytes())
		} else if say != nil && i == maxSummary {
			p.line.Add(", " + wire.CutMark)
		}
	}
	if r.Left > 0 && !r.Bad { // values of several kilobytes: the rest is out of sight
		Attributes.AddString(&m.Values, wire.CutMark)
	}
}

// named begins an operation on an entry: with its name.
func (p *parser) named(r *ber.Reader, m *dissector.Message) {
	name, ok := r.Take(ber.OctetString)
	if ok {
		p.set(m, DN, name.Reader)
		p.line.octets(name.Reader, "")
	}
}

// modify reads a ModifyRequest (RFC 4511 section 4.6).
func (p *parser) modify(r *ber.Reader, m *dissector.Message) {
	p.named(r, m)
	list, ok := r.Take(ber.Sequence)
	if !ok {
		return
	}
	kind := ""
	p.list(&list.Reader, m, func(e *ber.Element) (ber.Reader, bool) {
		n, _ := e.Take(ber.Enumerated)
		if i, ok := n.Number(); ok && i < int64(len(changes)) {
			kind = changes[i]
		}
		change, _ := e.Take(ber.Sequence)
		attribute, ok := change.Take(ber.OctetString)
		return attribute.Reader, ok
	}, func(i int, attribute []byte) {
		if i > 0 {
			p.line.Add(",")
		}
		p.line.Add(" " + kind + " " + string(attribute))
	})
}

// add reads an AddRequest (RFC 4511 section 4.7).
func (p *parser) add(r *ber.Reader, m *dissector.Message) {
	p.named(r, m)
	if list, ok := r.Take(ber.Sequence); ok {
		p.list(&list.Reader, m, func(e *ber.Element) (ber.Reader, bool) {
			attribute, ok := e.Take(ber.OctetString)
			return attribute.Reader, ok
		}, nil)
	}
}

// modifyDN reads a ModifyDNRequest (RFC 4511 section 4.9).
func (p *parser) modifyDN(r *ber.Reader, m *dissector.Message) {
	p.named(r, m)
	name, ok := r.Take(ber.OctetString)
	if !ok {
		return
	}
	r.Take(ber.Boolean) // whether the old one is deleted
	p.line.Add(" to ")
	p.line.octets(name.Reader, "")
	if parent, ok := r.Maybe(0x80); ok {
		p.line.Add(",")
		p.line.octets(parent.Reader, "")
	}
}

// compare reads a CompareRequest (RFC 4511 section 4.10).
func (p *parser) compare(r *ber.Reader, m *dissector.Message) {
	p.named(r, m)
	pair, _ := r.Take(ber.Sequence)
	attribute, ok := pair.Take(ber.OctetString)
	if !ok {
		return
	}
	value, _ := pair.Take(ber.OctetString)
	p.text.Reset(maxText)
	p.text.octets(attribute.Reader, "")
	Attributes.Add(&m.Values, p.text.Bytes())
	p.line.Add(" ")
	p.line.octets(attribute.Reader, "")
	p.line.Add("=")
	p.line.value(attribute.Reader, value.Reader)
}

// extended reads an ExtendedRequest (RFC 4511 section 4.12); its value may hold a
// password and is left alone.
func (p *parser) extended(r *ber.Reader, m *dissector.Message) (tls bool) {
	name, ok := r.Take(0x80)
	if !ok {
		return false
	}
	p.set(m, OID, name.Reader)
	oid := string(OID.Get(&m.Values))
	p.line.Add(oidName(oid))
	return oid == oidStartTLS
}
