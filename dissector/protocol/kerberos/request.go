package kerberos

import (
	"shark/dissector"
	"shark/dissector/ber"
	"shark/dissector/field"
	"shark/dissector/wire"
)

// tagString is GeneralString, which all names and texts are (RFC 4120 section 5.2.1).
const tagString = 0x1b

// tagTime is GeneralizedTime.
const tagTime = 0x18

// request reads a KDC-REQ (RFC 4120 section 5.4.1).
func (p *parser) request(k *message, m *dissector.Message) error {
	r := k.body
	dissector.Operation.SetString(&m.Values, names[k.tag])
	if e, ok := r.Maybe(context(3)); ok {
		list := inner(e, ber.Sequence)
		p.padata(&list, m, Padata)
	}
	e, ok := r.Take(context(4))
	if !ok {
		return partly(&r, m)
	}
	body := inner(e, ber.Sequence)
	p.body(&body, m)
	if r.Bad || body.Bad {
		return errMalformed
	}
	return nil
}

// partly ends a message of which the rest is not at hand: what it asks for is unknown,
// which its summary shows.
func partly(r *ber.Reader, m *dissector.Message) error {
	if r.Bad || !r.Cut() {
		return errMalformed
	}
	dissector.Summary.SetString(&m.Values, wire.CutMark)
	return nil
}

// padata lists the types of PA-DATA (RFC 4120 section 5.2.7).
func (p *parser) padata(list *ber.Reader, m *dissector.Message, f field.ListField) {
	for i := 0; ; i++ {
		e, ok := list.Next()
		if !ok || e.Tag != ber.Sequence {
			break
		}
		kind, _ := e.Take(context(1))
		n, ok := integer(kind)
		if !ok {
			break
		}
		if i == maxListed {
			f.AddString(&m.Values, wire.CutMark)
			return
		}
		f.AddString(&m.Values, named(padataTypes, n))
	}
}

// body reads a KDC-REQ-BODY. A server's realm is the one that is asked; in an AS-REQ it
// is the client's too.
func (p *parser) body(r *ber.Reader, m *dissector.Message) {
	v := &m.Values
	if e, ok := r.Take(context(0)); ok {
		p.options(inner(e, ber.BitString), m)
	}
	client, known := r.Maybe(context(1))
	e, ok := r.Take(context(2))
	realm := inner(e, tagString)
	if ok {
		p.set(m, Realm, realm)
	}
	p.line.Reset(maxText)
	if known {
		p.name(m, ClientName, client, realm)
		p.line.Add(string(ClientName.Get(v)))
		p.line.Add(" for ")
	}
	if e, ok := r.Maybe(context(3)); ok {
		p.name(m, ServerName, e, realm)
		p.line.Add(string(ServerName.Get(v)))
	}
	dissector.Summary.Set(v, p.line.Bytes())
	r.Maybe(context(4)) // from
	if e, ok := r.Take(context(5)); ok {
		p.till(inner(e, tagTime), m)
	}
	r.Maybe(context(6)) // rtime
	r.Maybe(context(7)) // nonce
	if e, ok := r.Take(context(8)); ok {
		p.etypes(inner(e, ber.Sequence), m)
	}
}

// set sets a field to a text.
func (p *parser) set(m *dissector.Message, f field.TextField, r ber.Reader) {
	p.text.Reset(maxText)
	p.text.octets(r, false)
	f.Set(&m.Values, p.text.Bytes())
}

// name sets a field to a principal with its realm.
func (p *parser) name(m *dissector.Message, f field.TextField, e ber.Element, realm ber.Reader) {
	p.text.Reset(maxText)
	p.text.principal(e)
	p.text.realm(realm)
	f.Set(&m.Values, p.text.Bytes())
}

// options lists KDCOptions: a bit string, whose first byte counts unused bits.
func (p *parser) options(r ber.Reader, m *dissector.Message) {
	if len(r.B) < 1 {
		return
	}
	for i, name := range kdcOptions {
		if at := 1 + i/8; name != "" && at < len(r.B) && r.B[at]>>(7-i%8)&1 != 0 {
			Options.AddString(&m.Values, name)
		}
	}
}

// till sets until when a ticket shall hold: YYYYMMDDHHMMSSZ.
func (p *parser) till(r ber.Reader, m *dissector.Message) {
	if len(r.B) != len("20060102150405Z") || r.B[14] != 'Z' {
		return
	}
	for _, c := range r.B[:14] {
		if c < '0' || c > '9' {
			return
		}
	}
	s := string(r.B)
	Till.SetString(&m.Values, s[:4]+"-"+s[4:6]+"-"+s[6:8]+"T"+s[8:10]+":"+s[10:12]+":"+s[12:])
}

// etypes lists the encryption types that a client offers.
func (p *parser) etypes(r ber.Reader, m *dissector.Message) {
	for i := 0; ; i++ {
		e, ok := r.Take(ber.Integer)
		if !ok {
			return
		}
		n, ok := signed(e.Reader)
		if !ok {
			return
		}
		if i == maxListed {
			Etypes.AddString(&m.Values, wire.CutMark)
			return
		}
		Etypes.AddString(&m.Values, named(etypes, n))
	}
}
