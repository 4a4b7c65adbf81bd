package postgresql

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"shark/dissector"
)

// client is where the client stands.
type client struct {
	statements, portals holder

	pipeline uint64 // number, from 1 on, of the current one: what lies between two Syncs
	calls    uint64 // in it, the open one counted
	keyed    uint64 // number of the last pipeline with more than one
	partial  bool   // some of what the client said in the session is unknown
	lone     bool   // bytes of it were lost: what is left of it pairs with nothing

	open bool // a call has begun
	unit unit
}

// unit is a call of the extended protocol as far as it was seen.
type unit struct {
	command    string
	query      []byte
	statement  []byte
	parameters []byte
	bound      bool
	known      bool // query is that of the statement
	unsure     bool // what the statement is was lost, or may have changed
}

// reset empties a unit and keeps its memory.
func (u *unit) reset() {
	*u = unit{query: u.query[:0], statement: u.statement[:0], parameters: u.parameters[:0]}
}

// name sets the name of the statement.
func (u *unit) name(b []byte) {
	u.statement = append(u.statement[:0], shorten(b, maxName, false)...)
}

// lose is called where bytes of the client are missing.
func (c *client) lose() {
	c.open, c.lone, c.partial = false, true, true
	c.pipeline++
	c.calls = 0
	c.statements.lose()
	c.portals.init()
	c.portals.bytes = 0
}

// next begins a new pipeline.
func (c *client) next() {
	c.open, c.lone = false, false
	c.pipeline++
	c.calls = 0
}

// key is that of a call which is not the first of its pipeline. No answer has the
// key of one whose number in its pipeline is unknown.
func (c *client) key() uint64 {
	if c.lone {
		return 1<<63 | c.pipeline<<20 | c.calls
	}
	return key(c.pipeline, c.calls)
}

func key(pipeline, call uint64) uint64 { return pipeline<<24 | call }

func (p *parser) request(buf []byte, m *dissector.Message) (int64, error) {
	if buf[0] == 0 && !p.client.open {
		return p.packet(buf, m)
	}
	if p.client.open {
		return p.more(buf, m)
	}
	p.middle = p.middle || len(p.user) == 0 && !p.headless
	p.client.partial = p.client.partial || p.middle
	return p.begin(buf, m)
}

// wanted is how much of a client's message is looked at.
func wanted(detail bool) func(kind byte) int {
	return func(kind byte) int {
		switch kind {
		case 'd', 'p', 'f', 'X':
			return 0
		}
		if detail {
			return maxSeenDetail
		}
		return maxSeen
	}
}

// begin reads a message that begins a call, or is no part of one.
func (p *parser) begin(buf []byte, m *dissector.Message) (int64, error) {
	f, need, err := read(buf, wanted(m.Detail))
	if err != nil {
		m.Need = need
		return 0, err
	}
	c := &p.client
	switch f.kind {
	case 'Q':
		query, _, ok := text(f.body)
		c.next()
		p.copyIn = copyIn{}
		c.unit.reset()
		c.unit.known, c.unit.command = true, verb(query)
		c.unit.setQuery(query, m.Detail, !ok)
		if c.unit.command == "" {
			c.unit.command = "QUERY"
		}
		m.Notes = kindSimple | c.pipeline<<kindBits
		p.describe(m)
	case 'F': // FunctionCall: the function's number
		c.next()
		if len(f.body) < 4 {
			return 0, errMalformed
		}
		m.Notes = kindSimple | c.pipeline<<kindBits
		name(m, "FUNCTION_CALL")
		dissector.Summary.SetString(&m.Values, "function "+strconv.FormatUint(uint64(binary.BigEndian.Uint32(f.body)), 10))
		p.session(m)
	case 'S':
		if f.size != 5 {
			return 0, errMalformed
		}
		m.Skip = true
		c.next()
	case 'd':
		m.Skip = true
		p.copyIn.bytes += f.size - 5
	case 'c', 'f':
		m.Skip = true
		p.copyIn.ended = true
	case 'H', 'X', 'p': // Flush, Terminate, the answers to requests for authentication
		m.Skip = true
	case 'P', 'B', 'D', 'E', 'C':
		c.unit.reset()
		p.copyIn = copyIn{}
		c.calls++
		return p.more(buf, m)
	default:
		return 0, errMalformed
	}
	return f.size, nil
}

// more reads on in a call of the extended protocol.
func (p *parser) more(buf []byte, m *dissector.Message) (int64, error) {
	c := &p.client
	if c.lone || c.calls > 1 {
		m.SetKey(c.key())
		m.Resumed = m.Resumed || c.lone
		if !c.lone {
			c.keyed = c.pipeline
		}
	}
	m.Notes = kindExtended | c.pipeline<<kindBits
	for pos := int64(0); ; {
		if pos >= int64(len(buf)) {
			return p.piece(pos, m), nil
		}
		f, need, err := read(buf[pos:], wanted(m.Detail))
		if err == dissector.ErrShort && pos > 0 {
			return p.piece(pos, m), nil
		}
		if err == nil && !c.take(&f, m.Detail) {
			err = errMalformed
		}
		if err != nil {
			if m.Need = need; err == errMalformed {
				c.open = false
			}
			return 0, err
		}
		pos += f.size
		switch f.kind {
		case 'E':
			c.open = false
		case 'S':
			c.next()
		default:
			continue
		}
		p.describe(m)
		return pos, nil
	}
}

// piece ends a piece of a call that goes on.
func (p *parser) piece(span int64, m *dissector.Message) int64 {
	p.client.open, m.Open = true, true
	if p.client.calls == 1 && !p.client.lone {
		p.describe(m)
	}
	return span
}

// take takes a message of a call of the extended protocol (section 54.2.3).
func (c *client) take(f *frame, detail bool) bool {
	u := &c.unit
	first, rest, ok := text(f.body)
	switch f.kind {
	case 'P': // name, query
		if !ok {
			return false
		}
		query, _, ended := text(rest)
		u.command = "PARSE"
		u.name(first)
		u.setQuery(query, detail, !ended)
		u.known = true
		c.statements.put(first, held{statement: string(u.statement), query: string(u.query)})
	case 'B': // portal, statement, formats, values
		stmt, rest, ok2 := text(rest)
		if !ok || !ok2 {
			return false
		}
		if !u.find(&c.statements, stmt) {
			u.forget(stmt, c.partial)
		}
		u.bind(rest, detail)
		if c.portals.drop(first); u.known {
			c.portals.put(first, held{statement: string(u.statement), query: string(u.query), old: u.unsure})
		}
		u.rank("BIND")
	case 'D', 'C': // statement or portal, name
		if len(first) < 1 || !ok || first[0] != 'S' && first[0] != 'P' {
			return false
		}
		names := &c.statements
		if first[0] == 'P' {
			names = &c.portals
		}
		if f.kind == 'D' {
			c.look(names, first)
			u.rank("DESCRIBE")
			break
		}
		if u.command == "" {
			c.look(names, first)
			u.command = "CLOSE"
		}
		names.drop(first[1:])
	case 'E': // portal, most rows
		if !ok || len(rest) != 4 {
			return false
		}
		if !u.find(&c.portals, first) && !u.bound {
			u.forget(nil, c.partial)
		}
		if u.command = verb(u.query); u.command == "" {
			u.command = "EXECUTE"
		}
	case 'S', 'H':
		return f.size == 5
	case 'd', 'c', 'f', 'X':
	default:
		return false
	}
	return true
}

// look finds the statement or portal that Describe and Close name.
func (c *client) look(names *holder, named []byte) {
	if c.unit.find(names, named[1:]) || named[0] == 'P' && c.unit.bound {
		return
	}
	if named[0] == 'P' {
		named = named[:1]
	}
	c.unit.forget(named[1:], c.partial)
}

// rank names the call, unless a message with more to say did.
func (u *unit) rank(command string) {
	if u.command != "PARSE" && u.command != "BIND" {
		u.command = command
	}
}

// find sets the statement behind a name.
func (u *unit) find(names *holder, name []byte) bool {
	s, ok := names.get(name)
	if !ok {
		return false
	}
	u.statement, u.query = append(u.statement[:0], s.statement...), append(u.query[:0], s.query...)
	u.known, u.unsure = true, s.old
	return true
}

// forget is for a statement that is not known: it was never prepared, or unseen.
func (u *unit) forget(name []byte, unseen bool) {
	u.name(name)
	u.query, u.known, u.unsure = u.query[:0], false, unseen
}

// setQuery sets the text of the statement; cut says that there is more of it.
func (u *unit) setQuery(b []byte, detail, cut bool) {
	limit := maxQuery
	if detail {
		limit = maxDetail
	}
	u.query = appendQuery(u.query[:0], b, limit, cut)
}

// bind takes what follows the names in Bind: formats and values.
func (u *unit) bind(b []byte, detail bool) {
	u.parameters, u.bound = u.parameters[:0], false
	n, b, ok := number(b)
	if !ok || len(b) < 2*n {
		return
	}
	formats, b := b[:2*n], b[2*n:]
	count, b, ok := number(b)
	if !ok {
		return
	}
	u.bound = true
	if !detail {
		u.parameters = strconv.AppendInt(nil, int64(count), 10)
		return
	}
	for i := range count {
		if len(b) < 4 {
			u.parameters = append(u.parameters, "..."...)
			return
		}
		size := int(int32(binary.BigEndian.Uint32(b)))
		b = b[4:]
		if i > 0 {
			u.parameters = append(u.parameters, ", "...)
		}
		u.parameters = append(strconv.AppendInt(append(u.parameters, '$'), int64(i+1), 10), " = "...)
		if size < 0 {
			u.parameters = append(u.parameters, "NULL"...)
			continue
		}
		value := b[:min(size, len(b))]
		if binaryFormat(formats, i) {
			u.parameters = hex.AppendEncode(append(u.parameters, `'\x`...), value)
		} else {
			u.parameters = append(append(u.parameters, '\''), value...)
		}
		u.parameters = append(u.parameters, '\'')
		b = b[len(value):]
		if len(value) < size || len(u.parameters) > maxDetail {
			u.parameters = shorten(u.parameters, maxDetail, true)
			return
		}
	}
}

// binaryFormat tells the format of value i: none is text, one is that of all.
func binaryFormat(formats []byte, i int) bool {
	if len(formats) == 2 {
		i = 0
	}
	return 2*i+1 < len(formats) && formats[2*i+1] == 1
}

// describe sets the fields of a request, or of what was seen of it so far.
func (p *parser) describe(m *dissector.Message) {
	u := &p.client.unit
	m.Values.Reset()
	if u.command != "" {
		name(m, u.command)
	}
	if u.known {
		Query.Set(&m.Values, u.query)
		dissector.Summary.Set(&m.Values, line(u.query))
	} else if len(u.statement) > 0 {
		dissector.Summary.Set(&m.Values, bytes.ToValidUTF8(u.statement, []byte("?")))
	}
	if len(u.statement) > 0 {
		Statement.Set(&m.Values, u.statement)
	}
	if u.bound {
		Parameters.Set(&m.Values, u.parameters)
	}
	m.Resumed = m.Resumed || u.unsure
	p.session(m)
}
