package ldap

import (
	"strconv"

	"shark/dissector"
)

// request reads what a client says.
func (p *parser) request(e *envelope, m *dissector.Message) error {
	name := operations[e.op.tag]
	if name == "" || e.op.tag == tagIntermediate {
		return errMalformed
	}
	dissector.Operation.SetString(&m.Values, name)
	MessageID.Set(&m.Values, e.id)
	p.line.reset(limit(m, maxText))
	q := pending{tag: e.op.tag, gaps: p.gaps}
	r := &e.op.reader
	switch e.op.tag {
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
		if n, ok := r.number(); ok {
			p.line.add("message " + strconv.FormatInt(n, 10))
		}
		m.Role = dissector.OneWay
	case tagUnbindRequest:
		m.Role = dissector.OneWay
	}
	if r.bad {
		return errMalformed
	}
	if s := p.line.bytes(); len(s) > 0 {
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
func (p *parser) bind(r *reader, m *dissector.Message) (sasl bool) {
	r.take(tagInteger)
	name, ok := r.take(tagOctetString)
	if !ok {
		return false
	}
	p.set(m, DN, name.reader)
	p.line.octets(name.reader, "")
	auth, ok := r.next()
	if !ok {
		return false
	}
	how := "simple"
	switch auth.tag {
	case 0x80:
		if name.left == 0 {
			how = "anonymous"
		} else if auth.left == 0 {
			how = "simple without a password" // RFC 4513 section 5.1.2
		}
		Mechanism.SetString(&m.Values, "simple")
	case 0xa3:
		mechanism, _ := auth.take(tagOctetString)
		p.mech.reset(maxText)
		p.mech.octets(mechanism.reader, "")
		Mechanism.Set(&m.Values, p.mech.bytes())
		how, sasl = "SASL "+string(p.mech.bytes()), true
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
	if len(p.line.b) > 0 {
		p.line.add(" ")
	}
	p.line.add(s)
}

// search reads a SearchRequest (RFC 4511 section 4.5.1).
func (p *parser) search(r *reader, m *dissector.Message) {
	base, _ := r.take(tagOctetString)
	p.set(m, BaseDN, base.reader)
	if p.line.octets(base.reader, ""); base.left == 0 {
		p.line.add(`""`)
	}
	scope, _ := r.take(tagEnumerated)
	if n, ok := scope.number(); ok && n < int64(len(scopes)) {
		Scope.SetString(&m.Values, scopes[n])
		p.word(scopes[n])
	}
	r.take(tagEnumerated) // how aliases are followed
	r.take(tagInteger)    // limits of size and time
	r.take(tagInteger)
	r.take(tagBoolean) // types only
	if filter, ok := r.next(); ok {
		p.text.reset(limit(m, maxFilter))
		p.text.filter(filter, 1)
		Filter.Set(&m.Values, p.text.bytes())
		p.line.add(" ")
		shown := p.text.bytes()
		p.line.octets(reader{b: shown, left: int64(len(shown))}, "")
	}
	if list, ok := r.take(tagSequence); ok {
		p.list(&list.reader, m, func(e *element) (reader, bool) { return e.reader, e.tag == tagOctetString }, nil)
	}
}

// list adds the attributes that name finds in the elements of a sequence, the first
// of them to the summary too, if say is given.
func (p *parser) list(r *reader, m *dissector.Message, name func(*element) (reader, bool), say func(i int, attribute []byte)) {
	for i := 0; ; i++ {
		e, ok := r.next()
		if !ok {
			break
		}
		attribute, ok := name(&e)
		if !ok {
			break
		}
		if i == maxListed && !m.Detail {
			Attributes.AddString(&m.Values, cutMark)
			return
		}
		p.text.reset(maxText)
		p.text.octets(attribute, "")
		Attributes.Add(&m.Values, p.text.bytes())
		if say != nil && i < maxSummary {
			say(i, p.text.bytes())
		} else if say != nil && i == maxSummary {
			p.line.add(", " + cutMark)
		}
	}
	if r.left > 0 && !r.bad { // values of several kilobytes: the rest is out of sight
		Attributes.AddString(&m.Values, cutMark)
	}
}

// named begins an operation on an entry: with its name.
func (p *parser) named(r *reader, m *dissector.Message) {
	name, ok := r.take(tagOctetString)
	if ok {
		p.set(m, DN, name.reader)
		p.line.octets(name.reader, "")
	}
}

// modify reads a ModifyRequest (RFC 4511 section 4.6).
func (p *parser) modify(r *reader, m *dissector.Message) {
	p.named(r, m)
	list, ok := r.take(tagSequence)
	if !ok {
		return
	}
	kind := ""
	p.list(&list.reader, m, func(e *element) (reader, bool) {
		n, _ := e.take(tagEnumerated)
		if i, ok := n.number(); ok && i < int64(len(changes)) {
			kind = changes[i]
		}
		change, _ := e.take(tagSequence)
		attribute, ok := change.take(tagOctetString)
		return attribute.reader, ok
	}, func(i int, attribute []byte) {
		if i > 0 {
			p.line.add(",")
		}
		p.line.add(" " + kind + " " + string(attribute))
	})
}

// add reads an AddRequest (RFC 4511 section 4.7).
func (p *parser) add(r *reader, m *dissector.Message) {
	p.named(r, m)
	if list, ok := r.take(tagSequence); ok {
		p.list(&list.reader, m, func(e *element) (reader, bool) {
			attribute, ok := e.take(tagOctetString)
			return attribute.reader, ok
		}, nil)
	}
}

// modifyDN reads a ModifyDNRequest (RFC 4511 section 4.9).
func (p *parser) modifyDN(r *reader, m *dissector.Message) {
	p.named(r, m)
	name, ok := r.take(tagOctetString)
	if !ok {
		return
	}
	r.take(tagBoolean) // whether the old one is deleted
	p.line.add(" to ")
	p.line.octets(name.reader, "")
	if parent, ok := r.maybe(0x80); ok {
		p.line.add(",")
		p.line.octets(parent.reader, "")
	}
}

// compare reads a CompareRequest (RFC 4511 section 4.10).
func (p *parser) compare(r *reader, m *dissector.Message) {
	p.named(r, m)
	pair, _ := r.take(tagSequence)
	attribute, ok := pair.take(tagOctetString)
	if !ok {
		return
	}
	value, _ := pair.take(tagOctetString)
	p.text.reset(maxText)
	p.text.octets(attribute.reader, "")
	Attributes.Add(&m.Values, p.text.bytes())
	p.line.add(" ")
	p.line.octets(attribute.reader, "")
	p.line.add("=")
	p.line.value(attribute.reader, value.reader)
}

// extended reads an ExtendedRequest (RFC 4511 section 4.12); its value may hold a
// password and is left alone.
func (p *parser) extended(r *reader, m *dissector.Message) (tls bool) {
	name, ok := r.take(0x80)
	if !ok {
		return false
	}
	p.set(m, OID, name.reader)
	oid := string(OID.Get(&m.Values))
	p.line.add(oidName(oid))
	return oid == oidStartTLS
}
