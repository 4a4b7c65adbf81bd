package ldap

import (
	"shark/dissector"
	"shark/dissector/ber"
	"shark/dissector/wire"
)

// The tags in responses that depend on where they stand.
const (
	tagReferral          = 0xa3
	tagExtendedName      = 0x8a
	tagIntermediateName  = 0x80
	tagServerCredentials = 0x87
)

// response reads what a server says.
func (p *parser) response(e *envelope, m *dissector.Message) error {
	tag := e.op.Tag
	asked := requestOf(tag)
	if asked == 0 && tag != tagIntermediate {
		return errMalformed
	}
	q, known := p.pending[e.id]
	switch {
	case e.id == 0 && tag == tagExtendedResponse, tag == tagIntermediate && !known:
		return p.notification(e, m)
	case known && (q.tag == asked || tag == tagIntermediate):
		m.SetKey(key(e.id, q.tag, q.gen))
	default:
		known, q = false, pending{tag: asked}
		m.SetKey(key(e.id, asked, 0) | unasked)
	}
	if q.pieces == 0 {
		dissector.Operation.SetString(&m.Values, operations[q.tag])
		MessageID.Set(&m.Values, e.id)
	}
	q.pieces++
	switch tag {
	case tagSearchEntry:
		q.entries++
		m.Open = true
	case tagSearchReference:
		q.references++
		m.Open = true
		p.uris(&e.op.Reader, m, q.references-1)
	case tagIntermediate:
		m.Open = true
		p.oid(&e.op.Reader, tagIntermediateName, m)
	default:
		delete(p.pending, e.id)
		return p.result(e, &q, known, m)
	}
	if known {
		p.pending[e.id] = q
	}
	if e.op.Bad {
		return errMalformed
	}
	return nil
}

// notification reads what a server says of itself (RFC 4511 section 4.4), and an
// intermediate response of which nobody knows what it belongs to.
func (p *parser) notification(e *envelope, m *dissector.Message) error {
	m.Role = dissector.OneWay
	MessageID.Set(&m.Values, e.id)
	r := &e.op.Reader
	if e.op.Tag == tagIntermediate {
		dissector.Operation.SetString(&m.Values, operationIntermediate)
		p.oid(r, tagIntermediateName, m)
	} else {
		dissector.Operation.SetString(&m.Values, operations[tagExtendedRequest])
		p.outcome(r, m)
		p.oid(r, tagExtendedName, m)
	}
	if oid := OID.Get(&m.Values); len(oid) > 0 {
		dissector.Summary.SetString(&m.Values, oidName(string(oid)))
	}
	if r.Bad {
		return errMalformed
	}
	return nil
}

// result reads the response, or the last piece of it, that ends a call.
func (p *parser) result(e *envelope, q *pending, known bool, m *dissector.Message) error {
	r := &e.op.Reader
	code := p.outcome(r, m)
	if r.Bad || code < 0 {
		return errMalformed
	}
	switch e.op.Tag {
	case tagBindResponse:
		r.Maybe(tagServerCredentials)
		p.layer = p.layer || code == 0 && q.sasl
	case tagExtendedResponse:
		p.oid(r, tagExtendedName, m)
		if code == 0 && (q.tls || string(OID.Get(&m.Values)) == oidStartTLS) {
			m.Next = nextTLS
		}
	case tagSearchDone:
		switch {
		case known && q.gaps == p.gaps:
			Entries.Set(&m.Values, q.entries)
			References.Set(&m.Values, q.references)
		case known:
			m.Resumed = true
		}
	}
	return nil
}

// outcome reads the fields of an LDAPResult (RFC 4511 section 4.1.9) and returns
// its code, -1 when it has none.
func (p *parser) outcome(r *ber.Reader, m *dissector.Message) int64 {
	e, _ := r.Take(ber.Enumerated)
	code, ok := e.Number()
	if !ok {
		return -1
	}
	name := resultName(code)
	Result.SetString(&m.Values, name)
	ResultCode.Set(&m.Values, code)
	dissector.Status.SetString(&m.Values, name)
	dissector.StatusCode.Set(&m.Values, code)
	dissector.Failed.Set(&m.Values, failed(code))
	if matched, ok := r.Take(ber.OctetString); ok && matched.Left > 0 {
		p.set(m, MatchedDN, matched.Reader)
	}
	if message, ok := r.Take(ber.OctetString); ok && message.Left > 0 {
		p.set(m, Diagnostic, message.Reader)
	}
	if referral, ok := r.Maybe(tagReferral); ok {
		p.uris(&referral.Reader, m, 0)
	}
	return code
}

// uris adds the URIs of a referral or of a reference; before is how many may have
// been added already.
func (p *parser) uris(r *ber.Reader, m *dissector.Message, before int64) {
	for i := before; ; i++ {
		uri, ok := r.Take(ber.OctetString)
		switch {
		case !ok || i > maxListed:
			return
		case i == maxListed:
			Referrals.AddString(&m.Values, wire.CutMark)
			return
		}
		p.text.Reset(maxText)
		p.text.octets(uri.Reader, "")
		Referrals.Add(&m.Values, p.text.Bytes())
	}
}

// oid sets the object identifier of a response, if it has one: what is in between,
// such as a referral, has been read.
func (p *parser) oid(r *ber.Reader, tag byte, m *dissector.Message) {
	if name, ok := r.Maybe(tag); ok {
		p.set(m, OID, name.Reader)
	}
}
