package kerberos

import (
	"shark/dissector"
	"shark/dissector/ber"
)

// reply reads a KDC-REP (RFC 4120 section 5.4.2).
func (p *parser) reply(k *message, m *dissector.Message) error {
	v, r := &m.Values, k.body
	dissector.Status.SetString(v, names[k.tag])
	dissector.StatusCode.Set(v, 0)
	dissector.Failed.Set(v, false)
	r.Maybe(context(2)) // padata
	realm, _ := r.Take(context(3))
	if client, ok := r.Take(context(4)); ok {
		p.name(m, ClientName, client, inner(realm, tagString))
	}
	if e, ok := r.Take(context(5)); ok {
		p.ticket(inner(e, tagTicket), m)
	}
	if e, ok := r.Take(context(6)); ok {
		if n, ok := encrypted(e); ok {
			ReplyEtype.SetString(v, named(etypes, n))
		}
	}
	if r.Bad {
		return errMalformed
	}
	return nil
}

// ticket reads what of a ticket (RFC 4120 section 5.3) is not encrypted. It may name
// another server than was asked for: the one to ask next.
func (p *parser) ticket(r ber.Reader, m *dissector.Message) {
	t, _ := r.Take(ber.Sequence)
	t.Take(context(0)) // tkt-vno
	realm, _ := t.Take(context(1))
	if e, ok := t.Take(context(2)); ok {
		p.name(m, ServerName, e, inner(realm, tagString))
	}
	if e, ok := t.Take(context(3)); ok {
		if n, ok := encrypted(e); ok {
			TicketEtype.SetString(&m.Values, named(etypes, n))
		}
	}
}

// encrypted returns the type of EncryptedData (RFC 4120 section 5.2.9).
func encrypted(e ber.Element) (etype int32, ok bool) {
	data := inner(e, ber.Sequence)
	first, ok := data.Take(context(0))
	if !ok {
		return 0, false
	}
	return integer(first)
}

// failure reads a KRB-ERROR (RFC 4120 section 5.9.1).
func (p *parser) failure(r *ber.Reader, m *dissector.Message) error {
	v := &m.Values
	for n := range byte(4) { // the times of both sides, of which some servers leave out theirs
		r.Maybe(context(2 + n))
	}
	e, ok := r.Take(context(6))
	if !ok {
		return partly(r, m)
	}
	code, ok := integer(e)
	switch {
	case !ok && e.Cut(): // of a datagram
		return nil
	case !ok:
		return errMalformed
	}
	name := named(errorNames, code)
	dissector.Status.SetString(v, name)
	dissector.StatusCode.Set(v, int64(code))
	dissector.Failed.Set(v, !goesOn(code))
	Error.SetString(v, name)
	ErrorCode.Set(v, int64(code))
	crealm, _ := r.Maybe(context(7))
	if client, ok := r.Maybe(context(8)); ok {
		p.name(m, ClientName, client, inner(crealm, tagString))
	}
	realm, _ := r.Take(context(9))
	if server, ok := r.Take(context(10)); ok {
		p.name(m, ServerName, server, inner(realm, tagString))
	}
	if e, ok := r.Maybe(context(11)); ok {
		p.set(m, ErrorText, inner(e, tagString))
	}
	if e, ok := r.Maybe(context(12)); ok && (code == preauthRequired || code == morePreauthRequired) {
		data := inner(e, ber.OctetString)
		methods, _ := data.Take(ber.Sequence) // METHOD-DATA, section 5.9.1
		p.padata(&methods.Reader, m, Offered)
	}
	if r.Bad {
		return errMalformed
	}
	return nil
}

// The errors that are none: they say how the client goes on.
const (
	preauthRequired     = 25
	responseTooBig      = 52
	morePreauthRequired = 91
)

func goesOn(code int32) bool {
	return code == 0 || code == preauthRequired || code == responseTooBig || code == morePreauthRequired
}
