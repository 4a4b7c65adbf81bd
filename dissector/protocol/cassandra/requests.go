package cassandra

import (
	"bytes"
	"encoding/hex"
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/wire"
)

// Flags of a request's parameters (section 4.1.4).
const (
	withValues = 1 << iota
	skipMetadata
	withPageSize
	withPagingState
	withSerial
	withTimestamp
	withNames
	withKeyspace
)

// request takes the body of a request. Its notes are its opcode.
func (p *parser) request(h header, r *reader, m *dissector.Message) {
	v := &m.Values
	m.SetKey(p.uses.ask(h.stream))
	m.Notes = uint64(h.opcode)
	Opcode.SetString(v, opcodes[h.opcode].name)
	dissector.Operation.SetString(v, opcodes[h.opcode].name)
	if h.flags&flagPayload != 0 {
		r.list(func() { r.string(); r.bytes() })
	}
	switch h.opcode {
	case opStartup:
		p.startup(r, m)
	case opQuery:
		query, cut := r.longString()
		p.query(m, query, cut)
		p.use(query, m)
		p.parameters(h, r, m)
	case opPrepare:
		p.prepare(h, r, m)
	case opExecute:
		id := r.shortBytes()
		if h.version >= 5 {
			r.shortBytes() // the id of the metadata of the result
		}
		p.named(m, id)
		p.parameters(h, r, m)
	case opBatch:
		p.batch(h, r, m)
	case opRegister:
		p.register(r, m)
	case opAuthResponse:
		p.authenticate(r, m)
	}
}

// startup takes the options of a session that begins (section 4.1.1).
func (p *parser) startup(r *reader, m *dissector.Message) {
	p.keyspace, p.user, p.algorithm = p.keyspace[:0], p.user[:0], unknown
	p.unsure, p.nobody, p.choosing, p.preparing = false, false, false, 0
	var name, version []byte
	r.list(func() {
		key, value := r.string(), r.string()
		switch string(key) {
		case "COMPRESSION":
			p.algorithm = map[string]algorithm{"lz4": algorithmLZ4, "snappy": algorithmSnappy}[string(value)]
		case "DRIVER_NAME":
			name = value
		case "DRIVER_VERSION":
			version = value
		}
	})
	if len(name) > 0 {
		p.line = append(p.line[:0], wire.Cut(name, maxText)...)
		if len(version) > 0 {
			p.line = append(append(p.line, ' '), wire.Cut(version, maxText)...)
		}
		Driver.Set(&m.Values, p.line)
		p.summary(m, p.line)
	}
}

// summary sets the one line that a request is about.
func (p *parser) summary(m *dissector.Message, text []byte) {
	dissector.Summary.Set(&m.Values, wire.AppendLine(nil, text, maxSummary))
}

// query sets the text of a statement.
func (p *parser) query(m *dissector.Message, text []byte, cut bool) {
	limit := maxQuery
	if m.Detail {
		limit = maxDetail
	}
	p.line = appendQuery(p.line[:0], text, limit, cut)
	Query.Set(&m.Values, p.line)
	p.summary(m, p.line)
}

// chooses is a note on a request that chooses the keyspace.
const chooses = 1 << 8

// use notes that a statement chooses the keyspace: until it is answered, that of others
// is in doubt.
func (p *parser) use(query []byte, m *dissector.Message) {
	if first := skipComments(query); len(first) > 4 && bytes.EqualFold(first[:3], []byte("use")) && first[3] <= ' ' {
		p.choosing = true
		m.Notes |= chooses
	}
}

// named sets the id of a prepared statement, and its text if that is known.
func (p *parser) named(m *dissector.Message, id []byte) {
	if len(id) == 0 || len(id) > maxID {
		return
	}
	digits := hex.AppendEncode(nil, id)
	PreparedID.Set(&m.Values, digits)
	if text, ok := p.statements.texts[string(id)]; ok {
		Query.Set(&m.Values, text)
		p.summary(m, text)
	} else {
		p.summary(m, digits)
		m.Resumed = m.Resumed || p.lost || p.preparing > 0
	}
}

// prepare takes the statement that is to be prepared (section 4.1.5).
func (p *parser) prepare(h header, r *reader, m *dissector.Message) {
	text, cut := r.longString()
	p.query(m, text, cut)
	p.preparing++
	if h.version >= 5 && r.int()&1 != 0 {
		p.setKeyspace(m, r.string())
	}
}

func (p *parser) setKeyspace(m *dissector.Message, name []byte) {
	if len(name) > 0 {
		Keyspace.Set(&m.Values, wire.Cut(name, maxText))
	}
}

// parameters takes those of QUERY and EXECUTE (section 4.1.4).
func (p *parser) parameters(h header, r *reader, m *dissector.Message) {
	v := &m.Values
	level := r.short()
	flags := p.flags(h, r)
	if r.Bad {
		return
	}
	Consistency.SetString(v, consistency(level))
	if flags&withValues != 0 {
		n := r.short()
		if r.Bad {
			return
		}
		p.values(r, m, n, flags&withNames != 0)
	}
	if flags&withPageSize != 0 {
		if n := r.int(); !r.Bad {
			PageSize.Set(v, int64(n))
		}
	}
	if flags&withPagingState != 0 {
		r.bytes()
	}
	p.ends(r, m, flags)
}

func (p *parser) flags(h header, r *reader) int {
	if h.version >= 5 {
		return r.int()
	}
	return int(r.Byte())
}

// ends takes what ends the parameters of all requests.
func (p *parser) ends(r *reader, m *dissector.Message, flags int) {
	if flags&withSerial != 0 {
		if n := r.short(); !r.Bad {
			SerialConsistency.SetString(&m.Values, consistency(n))
		}
	}
	if flags&withTimestamp != 0 {
		r.Take(8)
	}
	if flags&withKeyspace != 0 {
		p.setKeyspace(m, r.string())
	}
}

// values passes over n values and sets how many there are, in detail what they are.
func (p *parser) values(r *reader, m *dissector.Message, n int, names bool) {
	var out []byte
	for i := 0; i < n && !r.Bad; i++ {
		var name []byte
		if names {
			name = r.string()
		}
		size := r.int()
		value := r.Take(max(0, size))
		if !m.Detail || r.Bad || len(out) >= maxDetail {
			continue
		}
		if i > 0 {
			out = append(out, ", "...)
		}
		if names {
			out = append(append(out, name...), '=')
		}
		out = appendValue(out, value, size)
	}
	if !m.Detail {
		out = strconv.AppendInt(nil, int64(n), 10)
	}
	Parameters.Set(&m.Values, out)
}

// appendValue appends a bound value: as text if it looks so, else its bytes in
// hexadecimal digits, since nothing tells its type.
func appendValue(dst, value []byte, size int) []byte {
	switch {
	case size == -1:
		return append(dst, "null"...)
	case size < -1:
		return append(dst, "not set"...)
	case printable(value):
		return append(append(append(dst, '\''), wire.Cut(value, maxText)...), '\'')
	}
	return hex.AppendEncode(append(dst, "0x"...), value[:min(len(value), maxText)])
}

// batch takes a batch (section 4.1.7). Its text is that of the first statement.
func (p *parser) batch(h header, r *reader, m *dissector.Message) {
	v := &m.Values
	if kind := r.Byte(); int(kind) < len(batches) && !r.Bad {
		BatchType.SetString(v, batches[kind])
	}
	n, bound := r.short(), 0
	if r.Bad {
		return
	}
	BatchSize.Set(v, int64(n))
	for i := 0; i < n && !r.Bad; i++ {
		prepared := r.Byte() == 1
		switch {
		case prepared && i == 0:
			p.named(m, r.shortBytes())
		case prepared:
			r.shortBytes()
		default:
			text, cut := r.longString()
			if i == 0 {
				p.query(m, text, cut)
			}
		}
		for k := r.short(); k > 0 && !r.Bad; k-- {
			r.bytes()
			bound++
		}
	}
	level := r.short()
	flags := p.flags(h, r)
	if r.Bad {
		return
	}
	Parameters.Set(v, strconv.AppendInt(nil, int64(bound), 10))
	Consistency.SetString(v, consistency(level))
	p.ends(r, m, flags)
}

// register takes the types of events that the client wants (section 4.1.8).
func (p *parser) register(r *reader, m *dissector.Message) {
	p.line = p.line[:0]
	r.list(func() {
		if len(p.line) > 0 {
			p.line = append(p.line, ", "...)
		}
		p.line = append(p.line, wire.Cut(r.string(), maxText)...)
	})
	p.summary(m, p.line)
}

// authenticate takes what proves who the client is (section 4.1.2). With a password
// (SASL PLAIN, RFC 4616) it is: identity, zero, user, zero, password.
func (p *parser) authenticate(r *reader, m *dissector.Message) {
	token := reader{Reader: wire.Reader{B: r.bytes()}}
	var parts [2][]byte
	for i := range parts {
		n := 0
		for n < len(token.B) && token.B[n] != 0 {
			n++
		}
		if n == len(token.B) {
			return
		}
		parts[i] = token.Take(n + 1)[:n]
	}
	if user := parts[1]; len(user) > 0 && printable(user) {
		p.user = append(p.user[:0], wire.Cut(user, maxText)...)
		p.summary(m, p.user)
	}
}

// setText sets a text that is there.
func setText(v *field.Values, f field.TextField, b []byte) {
	if len(b) > 0 {
		f.Set(v, wire.Cut(b, maxText))
	}
}
