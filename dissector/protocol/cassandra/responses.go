package cassandra

import (
	"encoding/hex"
	"net/netip"

	"shark/dissector"
	"shark/dissector/wire"
)

// response takes the body of a response.
func (p *parser) response(h header, r *reader, m *dissector.Message) {
	v := &m.Values
	if h.opcode == opEvent {
		p.event(r, m)
		return
	}
	m.SetKey(p.uses.peek(h.stream))
	peer := m.Peer()
	p.uses.answered(h.stream)
	if peer != nil && peer.Notes == uint64(opPrepare) {
		p.preparing--
	}
	p.choosing = p.choosing && (peer == nil || peer.Notes&chooses == 0)
	var query []byte
	if peer != nil {
		query = Query.Get(&peer.Values)
	}
	if h.flags&flagTracing != 0 {
		if id := r.Take(16); id != nil {
			Tracing.Set(v, uuid(id))
		}
	}
	if h.flags&flagWarning != 0 {
		n := 0
		r.list(func() {
			if s := r.string(); !r.Bad && n < maxWarnings {
				Warnings.Add(v, wire.Cut(secrets.Discreet(s, query), maxText))
				n++
			}
		})
	}
	if h.flags&flagPayload != 0 {
		r.list(func() { r.string(); r.bytes() })
	}
	dissector.Status.SetString(v, opcodes[h.opcode].name)
	switch h.opcode {
	case opError:
		p.failed(r, m, query)
	case opResult:
		p.result(h, r, m, peer)
	case opAuthenticate:
		setText(v, dissector.Status, append([]byte("AUTHENTICATE "), r.string()...))
	}
}

// uuid writes an id in the form of RFC 9562.
func uuid(id []byte) []byte {
	b := make([]byte, 0, 36)
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, id[:n])
		id = id[n:]
	}
	return b
}

// failed takes an error for a statement (section 4.2.1).
func (p *parser) failed(r *reader, m *dissector.Message, query []byte) {
	v := &m.Values
	dissector.Failed.Set(v, true)
	code, text := r.int(), r.string()
	if r.Bad {
		return
	}
	name := errorName(code)
	ErrorCode.Set(v, int64(code))
	Error.SetString(v, name)
	setText(v, ErrorMessage, secrets.Discreet(text, query))
	dissector.Status.SetString(v, name)
	dissector.StatusCode.Set(v, int64(code))
}

// result takes the result of a statement (section 4.2.5).
func (p *parser) result(h header, r *reader, m *dissector.Message, peer *dissector.Message) {
	v := &m.Values
	kind := r.int()
	if r.Bad || kind < kindVoid || kind > kindSchema {
		return
	}
	dissector.Status.SetString(v, kinds[kind])
	switch kind {
	case kindRows:
		if p.metadata(r, m) {
			if n := r.int(); !r.Bad {
				Rows.Set(v, int64(n))
			}
		}
	case kindKeyspace:
		if name := r.string(); !r.Bad {
			p.keyspace, p.unsure = append(p.keyspace[:0], wire.Cut(name, maxText)...), false
			setText(v, Keyspace, name)
		}
	case kindPrepared:
		id := r.shortBytes()
		if r.Bad || len(id) > maxID {
			return
		}
		PreparedID.Set(v, hex.AppendEncode(nil, id))
		if peer != nil && peer.Notes == uint64(opPrepare) && peer.Has(Query) {
			p.statements.add(id, Query.Get(&peer.Values))
		}
		p.prepared(h, r, m)
	case kindSchema:
		p.line = p.change(append(p.line[:0], "Schema_change "...), r)
		dissector.Status.Set(v, p.line)
	}
}

// Flags of the metadata of rows (section 4.2.5.2).
const (
	globalTable = 1 << iota
	morePages
	noMetadata
	metadataChanged
)

// metadata takes what describes rows, and tells whether the number of rows comes next.
func (p *parser) metadata(r *reader, m *dissector.Message) bool {
	flags, columns := r.int(), r.int()
	if r.Bad || columns < 0 {
		return false
	}
	Columns.Set(&m.Values, int64(columns))
	if flags&morePages != 0 {
		MorePages.Set(&m.Values, true)
		r.bytes()
	}
	if flags&metadataChanged != 0 {
		r.shortBytes()
	}
	if flags&noMetadata != 0 {
		return true
	}
	if columns > maxColumns {
		return false
	}
	p.columns(r, m, flags, columns)
	return !r.Bad
}

// columns passes over the description of columns, and takes the table of the first.
func (p *parser) columns(r *reader, m *dissector.Message, flags, n int) {
	for i := range n {
		if r.Bad {
			return
		}
		if flags&globalTable == 0 || i == 0 {
			keyspace, table := r.string(), r.string()
			if i == 0 && !r.Bad {
				p.line = append(append(append(p.line[:0], wire.Cut(keyspace, maxText)...), '.'), wire.Cut(table, maxText)...)
				Table.Set(&m.Values, p.line)
			}
		}
		r.string()
		skipType(r, 0)
	}
}

// skipType passes over the type of a column (section 4.2.5.2). depth bounds how deep
// types of types go.
func skipType(r *reader, depth int) {
	if depth > 32 {
		r.Fail()
	}
	if r.Bad {
		return
	}
	switch r.short() {
	case 0x00:
		r.string()
	case 0x20, 0x22:
		skipType(r, depth+1)
	case 0x21:
		skipType(r, depth+1)
		skipType(r, depth+1)
	case 0x30:
		r.string()
		r.string()
		r.list(func() { r.string(); skipType(r, depth+1) })
	case 0x31:
		r.list(func() { skipType(r, depth+1) })
	}
}

// prepared takes the table of a prepared statement from the description of what is to
// be bound (section 4.2.5.4).
func (p *parser) prepared(h header, r *reader, m *dissector.Message) {
	if h.version >= 5 {
		r.shortBytes() // the id of the metadata of the result
	}
	flags, columns := r.int(), r.int()
	if h.version >= 4 {
		n := r.int()
		r.Take(2 * min(max(n, 0), maxColumns))
	}
	if columns > 0 && columns <= maxColumns {
		p.columns(r, m, flags, 1)
	}
}

// change appends a change of the schema: what was done to what (section 4.2.6).
func (p *parser) change(dst []byte, r *reader) []byte {
	done, target, keyspace := r.string(), r.string(), r.string()
	dst = append(append(append(dst, wire.Cut(done, maxText)...), ' '), wire.Cut(target, maxText)...)
	dst = append(append(dst, ' '), wire.Cut(keyspace, maxText)...)
	if string(target) == "KEYSPACE" || r.Bad {
		return dst
	}
	return append(append(dst, '.'), wire.Cut(r.string(), maxText)...)
}

// event takes what the server tells by itself (section 4.2.6).
func (p *parser) event(r *reader, m *dissector.Message) {
	v := &m.Values
	m.Role = dissector.OneWay
	Opcode.SetString(v, "EVENT")
	dissector.Operation.SetString(v, "EVENT")
	kind := r.string()
	if r.Bad {
		return
	}
	Event.Set(v, wire.Cut(kind, maxText))
	p.line = append(append(p.line[:0], wire.Cut(kind, maxText)...), ' ')
	if string(kind) == "SCHEMA_CHANGE" {
		p.line = p.change(p.line, r)
	} else {
		p.line = append(append(p.line, wire.Cut(r.string(), maxText)...), ' ')
		if addr, ok := netip.AddrFromSlice(r.Take(int(r.Byte()))); ok {
			if port := r.int(); !r.Bad {
				p.line = netip.AddrPortFrom(addr, uint16(port)).AppendTo(p.line)
			}
		}
	}
	p.summary(m, p.line)
}
