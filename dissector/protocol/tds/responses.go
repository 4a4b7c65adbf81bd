package tds

import (
	"encoding/binary"
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/wire"
)

// result is what is known of a response.
type result struct {
	columns                  int
	rows                     int64
	counted                  bool
	returned                 int64
	hasReturn                bool
	handle                   int64
	failed                   bool // an error was reported
	stopped                  bool // because of ATTENTION
	number, info             int64
	class                    int64
	message, note            []byte
	server                   []byte
	version                  string
	transaction              string
	challenged, loggedIn     bool
	hasError, hasInfo, moved bool
	ended                    bool // DONE was seen
}

// take takes a token with a length.
func (d *result) take(kind byte, b []byte, s *session) {
	r := &reader{wire.Reader{B: b}}
	switch kind {
	case tokenError, tokenInfo:
		number := int64(int32(r.Little32()))
		r.Take(1)
		class := int64(r.u8())
		text := r.text16()
		switch {
		case r.Bad:
		case kind == tokenInfo && !d.hasInfo:
			d.hasInfo, d.info, d.note = true, number, decode(text)
		case kind == tokenError && !d.hasError:
			d.hasError, d.failed, d.number, d.class, d.message = true, true, number, class, decode(text)
		}
	case tokenLoginAck:
		d.acknowledge(r, s)
	case tokenEnv:
		d.change(r, s)
	case tokenSSPI:
		d.challenged = true
	}
}

// acknowledge takes LOGINACK (section 2.2.7.14).
func (d *result) acknowledge(r *reader, s *session) {
	r.Take(1)
	version := r.Take(4)
	name, number := r.text8(), r.Take(4)
	if r.Bad {
		return
	}
	d.loggedIn = true
	s.setVersion(binary.BigEndian.Uint32(version))
	d.version = versions[version[0]]
	for len(name) > 1 && name[len(name)-1] == 0 && name[len(name)-2] == 0 {
		name = name[:len(name)-2]
	}
	d.server = append(decode(name), ' ')
	d.server = strconv.AppendInt(d.server, int64(number[0]), 10)
	d.server = strconv.AppendInt(append(d.server, '.'), int64(number[1]), 10)
	d.server = strconv.AppendInt(append(d.server, '.'), int64(binary.BigEndian.Uint16(number[2:])), 10)
}

// change takes ENVCHANGE (section 2.2.7.9).
func (d *result) change(r *reader, s *session) {
	switch r.u8() {
	case 1:
		if name := r.text8(); !r.Bad {
			s.database, s.unsure, d.moved = append(s.database[:0], decode(name)...), false, true
		}
	case 8:
		d.transaction = "began"
	case 9:
		d.transaction = "committed"
	case 10:
		d.transaction = "rolled back"
	}
}

// response takes a packet of the server: a message or a part of one.
func (p *parser) response(h header, payload []byte, m *dissector.Message) error {
	if h.kind == typePrelogin && (isTLS(payload) || p.secret == encryptLogin) {
		return p.handshake(dissector.Server, m)
	}
	first := !p.open
	if first {
		p.tokens.reset()
	}
	p.open = !h.last()
	m.Open = p.open
	if !p.open {
		p.waiting = false
	}
	if peer := m.Peer(); first && (peer == nil || string(dissector.Operation.Get(&peer.Values)) == names[typePrelogin]) {
		if encrypt, ok := options(payload); ok && h.last() {
			p.agreed(encrypt, m)
			return nil
		}
	}
	if first && !p.known && !fits(payload, h.last(), false) {
		p.old = fits(payload, h.last(), true)
	}
	t := &p.tokens
	t.feed(payload, h.last())
	if first && h.last() && t.result.stopped && len(payload) <= 13 && m.Peer() == nil {
		m.Skip = true // the request was answered before the server saw ATTENTION
		return nil
	}
	p.setResult(h, m)
	return nil
}

// agreed takes the server's PRELOGIN.
func (p *parser) agreed(encrypt byte, m *dissector.Message) {
	p.secret, p.login = agree(p.offered, encrypt), false
	Encryption.SetString(&m.Values, encryptions[p.secret])
	dissector.Status.SetString(&m.Values, "OK")
}

// setResult sets the fields of a response, or of what was seen of it so far: how it is
// cut into packets makes no difference.
func (p *parser) setResult(h header, m *dissector.Message) {
	d, v := &p.tokens.result, &m.Values
	v.Reset()
	if h.spid != 0 {
		SPID.Set(v, int64(h.spid))
	}
	if d.columns > 0 {
		Columns.Set(v, int64(d.columns))
	}
	if d.counted {
		Rows.Set(v, d.rows)
	}
	if d.hasReturn {
		ReturnStatus.Set(v, d.returned)
	}
	var query []byte
	if peer := m.Peer(); peer != nil {
		query = Query.Get(&peer.Values)
	}
	setText(v, Server, d.server)
	setText(v, Version, []byte(d.version))
	setText(v, Transaction, []byte(d.transaction))
	if d.moved && d.loggedIn { // what is asked later is asked in the one before
		setText(v, Database, p.database)
	}
	if d.hasInfo {
		InfoNumber.Set(v, d.info)
		setText(v, InfoMessage, secrets.Discreet(d.note, query))
	}
	if peer := m.Peer(); !p.open && d.handle != 0 && peer != nil && peer.Notes == prepares {
		Handle.Set(v, d.handle)
		if peer.Has(Query) {
			p.statements.add(d.handle, Query.Get(&peer.Values))
		}
	}
	p.setStatus(d, v, query)
}

// setStatus says how a request, whose statement is query, was answered.
func (p *parser) setStatus(d *result, v *field.Values, query []byte) {
	if d.hasError {
		ErrorNumber.Set(v, d.number)
		ErrorClass.Set(v, d.class)
		setText(v, ErrorMessage, secrets.Discreet(d.message, query))
		dissector.StatusCode.Set(v, d.number)
	}
	status := "OK"
	switch {
	case d.hasError:
		status = "ERROR " + strconv.FormatInt(d.number, 10)
	case d.failed:
		status = "ERROR"
	case d.stopped:
		status = "ATTENTION"
	case d.challenged && !d.loggedIn:
		status = "CHALLENGE"
	case p.open:
		return
	case p.tokens.bad:
		status = "UNKNOWN"
	}
	dissector.Status.SetString(v, status)
	if d.failed {
		dissector.Failed.Set(v, true)
	}
}

// setText sets a text that is there.
func setText(v *field.Values, f field.TextField, b []byte) {
	if len(b) > 0 {
		f.Set(v, b)
	}
}
