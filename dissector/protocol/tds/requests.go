package tds

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"shark/dissector"
	"shark/dissector/secret"
	"shark/dissector/wire"
)

// procedures are those called by number (section 2.2.6.6).
var procedures = map[int]string{
	1: "sp_cursor", 2: "sp_cursoropen", 3: "sp_cursorprepare", 4: "sp_cursorexecute", 5: "sp_cursorprepexec", 6: "sp_cursorunprepare",
	7: "sp_cursorfetch", 8: "sp_cursoroption", 9: "sp_cursorclose", 10: "sp_executesql", 11: "sp_prepare", 12: "sp_execute",
	13: "sp_prepexec", 14: "sp_prepexecrpc", 15: "sp_unprepare",
}

// Which parameter of a procedure is the statement, counted from 1, and which, if it is the
// first, the number of a statement prepared before.
var (
	statementAt = map[string]int{"sp_executesql": 1, "sp_cursoropen": 2, "sp_cursorprepare": 3, "sp_cursorprepexec": 4, "sp_prepare": 3, "sp_prepexec": 3, "sp_prepexecrpc": 2}
	takesHandle = map[string]bool{"sp_execute": true, "sp_unprepare": true, "sp_cursorexecute": true, "sp_cursorunprepare": true}
)

// prepares is a note on a request of which the answer holds the number of a statement.
const prepares = 1

// transactions are the requests of type TRANSACTION_MANAGER (section 2.2.6.9).
var transactions = map[int]string{0: "get DTC address", 1: "propagate", 5: "begin", 6: "promote", 7: "commit", 8: "rollback", 9: "save"}

// name sets what a call is named by.
func (p *parser) name(m *dissector.Message, s string) {
	Message.SetString(&m.Values, s)
	dissector.Operation.SetString(&m.Values, s)
	p.setSession(m)
}

func (p *parser) summary(m *dissector.Message, text []byte) {
	dissector.Summary.Set(&m.Values, wire.AppendLine(nil, text, maxSummary))
}

// request takes a packet of the client: a message or a part of one. Its fields are set
// from the first packet and again when enough of it is there.
func (p *parser) request(h header, payload []byte, m *dissector.Message) error {
	u := &p.up
	first := !u.open || u.kind != h.kind
	if first {
		if p.waiting && h.kind != typeAttention {
			p.doubt() // the answer before was lost
		}
		u.kind, u.head, u.told = h.kind, u.head[:0], false
	}
	u.open = !h.last()
	m.Open = u.open
	if h.kind == typePrelogin && (isTLS(payload) || p.secret == encryptLogin) {
		return p.handshake(dissector.Client, m)
	}
	if h.kind == typeAttention {
		m.Role = dissector.OneWay
	} else {
		p.waiting = true
	}
	u.head = append(u.head, payload[:min(len(payload), maxHead-len(u.head))]...)
	if !first && (u.told || u.open && len(u.head) < maxHead) {
		return nil
	}
	u.told = !u.open || len(u.head) == maxHead
	m.Reset()
	p.name(m, names[h.kind])
	p.describe(h.kind, u.head, m)
	return nil
}

// handshake takes a packet that holds TLS (section 3.2.5.2). Where only the login is
// encrypted, or nobody knows what is, the handshake is passed over; else the first packet of each side ends what
// can be read.
func (p *parser) handshake(from dissector.Side, m *dissector.Message) error {
	switch {
	case p.secret != encryptAll:
		m.Skip, m.Open = true, false
	case from == dissector.Client:
		p.name(m, "TLS")
		m.Open, m.Next = false, dissector.Opaque
	default:
		dissector.Status.SetString(&m.Values, "encrypted from here on")
		m.Open, m.Next = false, dissector.Opaque
	}
	return nil
}

// describe sets the fields of a request whose first bytes are b.
func (p *parser) describe(kind byte, b []byte, m *dissector.Message) {
	r := &reader{wire.Reader{B: b}}
	switch kind {
	case typeBatch:
		p.headers(r)
		p.query(m, r.B, p.up.open)
	case typeRPC:
		p.headers(r)
		p.call(r, m)
	case typeTransaction:
		p.headers(r)
		if what := transactions[r.u16()]; !r.Bad {
			dissector.Summary.SetString(&m.Values, what)
		}
	case typeLogin:
		p.login7(b, m)
	case typePrelogin:
		if encrypt, ok := options(b); ok {
			p.offered = encrypt
		}
	}
}

// headers passes over what begins requests since version 7.2 (section 2.2.5.3): a total
// length, and in it headers each with a length and a type.
func (p *parser) headers(r *reader) {
	if n := headersLen(r.B); n > 0 {
		r.Take(n)
		p.known, p.old, p.older = true, false, false
		return
	}
	if !p.known {
		p.known, p.old = true, true
	}
}

func headersLen(b []byte) int {
	if len(b) < 10 {
		return 0
	}
	total, first, kind := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint16(b[8:])
	if total < 10 || total > maxPacket || first < 6 || first > total-4 || kind < 1 || kind > 3 || int(total) > len(b) {
		return 0
	}
	return int(total)
}

// query sets the text of a statement.
func (p *parser) query(m *dissector.Message, b []byte, cut bool) {
	limit := maxQuery
	if m.Detail {
		limit = maxDetail
	}
	var more bool
	p.text, more = appendText(p.text[:0], b, maxDetail) // the answer may quote a secret behind limit
	p.line = appendQuery(p.line[:0], p.text, limit, more || cut)
	Query.Set(&m.Values, p.line)
	p.summary(m, p.line)
}

// call takes a call of a procedure (section 2.2.6.6). Of several in one message the
// first is described.
func (p *parser) call(r *reader, m *dissector.Message) {
	var name string
	if n := r.u16(); n == 0xffff {
		id := r.u16()
		if name = procedures[id]; name == "" {
			name = "procedure " + strconv.Itoa(id)
		}
	} else {
		name = string(decode(r.Take(2 * n)))
	}
	r.Take(2)
	if r.Bad {
		return
	}
	v := &m.Values
	Procedure.SetString(v, name)
	p.summary(m, []byte(name))
	if at := statementAt[name]; at > 1 && name != "sp_cursoropen" {
		m.Notes = prepares
	}
	var out []byte
	n := 0
	for len(r.B) > 0 && r.B[0] != 0x80 && r.B[0] < 0xfe {
		title := r.text8()
		r.Take(1)
		c, ok := p.typeInfo(r, false)
		if !ok {
			break
		}
		b, null := c.value(r)
		if r.Bad && b == nil {
			break
		}
		n++
		p.argument(m, name, n, &c, b, r.Bad)
		if m.Detail && len(out) < maxDetail {
			out = appendArgument(out, name, title, &c, b, null)
		}
		if r.Bad {
			break
		}
	}
	if !m.Detail {
		out = strconv.AppendInt(out, int64(n), 10)
	}
	Parameters.Set(v, out)
}

// argument takes parameter n of a procedure if it is a statement or the number of one.
func (p *parser) argument(m *dissector.Message, name string, n int, c *column, b []byte, cut bool) {
	switch {
	case n == statementAt[name] && c.kind != 0x26:
		p.query(m, b, cut)
	case n == 1 && takesHandle[name] && len(b) == 4:
		handle := int64(int32(binary.LittleEndian.Uint32(b)))
		Handle.Set(&m.Values, handle)
		if text, ok := p.statements.texts[handle]; ok {
			Query.Set(&m.Values, text)
			p.summary(m, text)
		} else {
			p.summary(m, []byte(name+" "+strconv.FormatInt(handle, 10)))
		}
	}
}

// appendArgument appends a parameter of a procedure for people.
func appendArgument(dst []byte, procedure string, title []byte, c *column, b []byte, null bool) []byte {
	if len(dst) > 0 {
		dst = append(dst, ", "...)
	}
	name := decode(title)
	if len(name) > 0 {
		dst = append(append(dst, name...), '=')
	}
	b = b[:min(len(b), 2*maxValue)]
	switch {
	case null:
		return append(dst, "null"...)
	case isSecret(name), isSecret([]byte(procedure)):
		return append(dst, secret.Mask...)
	case c.kind == 0xe7 || c.kind == 0xef || c.kind == 0x63:
		text, _ := appendText(nil, b, maxValue)
		return append(appendQuery(append(dst, '\''), text, maxValue, false), '\'')
	case c.kind == 0x26 || c.kind == 0x38 || c.kind == 0x7f || c.kind == 0x34:
		var n int64
		for i, x := range b {
			n |= int64(x) << (8 * i)
		}
		if len(b) > 1 && len(b) < 8 {
			n = n << (64 - 8*len(b)) >> (64 - 8*len(b))
		}
		return strconv.AppendInt(dst, n, 10)
	}
	return hex.AppendEncode(append(dst, "0x"...), b)
}

// login7 takes a login (section 2.2.6.4). Its password is not looked at.
func (p *parser) login7(b []byte, m *dissector.Message) {
	if len(b) < 86 {
		return
	}
	v := &m.Values
	p.user, p.database, p.unsure, p.nobody = p.user[:0], p.database[:0], false, false
	p.setVersion(binary.LittleEndian.Uint32(b[4:]))
	if s := versions[b[7]]; s != "" {
		Version.SetString(v, s)
	}
	text := func(at int) []byte {
		off, n := int(binary.LittleEndian.Uint16(b[at:])), int(binary.LittleEndian.Uint16(b[at+2:]))
		if off+2*n > len(b) {
			return nil
		}
		return decode(b[off : off+2*n])
	}
	setText(v, Host, text(36))
	setText(v, Application, text(48))
	setText(v, Library, text(60))
	p.user = append(p.user, text(40)...)
	p.database = append(p.database, text(68)...)
	p.setSession(m)
	line := append([]byte(nil), p.user...)
	if len(p.database) > 0 {
		line = append(append(line, '@'), p.database...)
	}
	p.summary(m, line)
}
