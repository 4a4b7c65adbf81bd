package cassandra

import (
	"encoding/binary"

	"shark/dissector"
	"shark/dissector/wire"
)

// headerSize is the length of an envelope's header (section 2.4.1).
const headerSize = 9

// The opcodes (section 2.4.1.4).
const (
	opError byte = iota
	opStartup
	opReady
	opAuthenticate
	_
	opOptions
	opSupported
	opQuery
	opResult
	opPrepare
	opExecute
	opRegister
	opEvent
	opBatch
	opAuthChallenge
	opAuthResponse
	opAuthSuccess
)

// opcodes has each opcode's name and who sends it.
var opcodes = [...]struct {
	name string
	from dissector.Side
}{
	opError:         {"ERROR", dissector.Server},
	opStartup:       {"STARTUP", dissector.Client},
	opReady:         {"READY", dissector.Server},
	opAuthenticate:  {"AUTHENTICATE", dissector.Server},
	opOptions:       {"OPTIONS", dissector.Client},
	opSupported:     {"SUPPORTED", dissector.Server},
	opQuery:         {"QUERY", dissector.Client},
	opResult:        {"RESULT", dissector.Server},
	opPrepare:       {"PREPARE", dissector.Client},
	opExecute:       {"EXECUTE", dissector.Client},
	opRegister:      {"REGISTER", dissector.Client},
	opEvent:         {"EVENT", dissector.Server},
	opBatch:         {"BATCH", dissector.Client},
	opAuthChallenge: {"AUTH_CHALLENGE", dissector.Server},
	opAuthResponse:  {"AUTH_RESPONSE", dissector.Client},
	opAuthSuccess:   {"AUTH_SUCCESS", dissector.Server},
}

// Flags of an envelope (section 2.4.1.2).
const (
	flagCompressed = 1 << iota
	flagTracing
	flagPayload
	flagWarning
	flagBeta
	allFlags = 1<<iota - 1
)

// header is an envelope's header.
type header struct {
	from    dissector.Side
	version byte
	flags   byte
	stream  uint16
	opcode  byte
	length  int64
}

func (h *header) size() int64 { return headerSize + h.length }

// readHeader reads a header from as many bytes as there are; ok says that they can be
// one.
func readHeader(b []byte) (h header, ok bool) {
	var full [headerSize]byte
	n := copy(full[:], b)
	h = header{version: full[0] & 0x7f, flags: full[1], stream: binary.BigEndian.Uint16(full[2:]), opcode: full[4], length: int64(binary.BigEndian.Uint32(full[5:]))}
	if full[0]&0x80 != 0 {
		h.from = dissector.Server
	}
	ok = n == 0 || h.version >= 3 && h.version <= 5 && h.flags <= allFlags
	if n >= 5 {
		ok = ok && int(h.opcode) < len(opcodes) && opcodes[h.opcode].name != "" && opcodes[h.opcode].from == h.from &&
			(int16(h.stream) >= 0) == (h.opcode != opEvent)
	}
	return h, ok && h.length <= maxBody
}

// header reads the header of an envelope of one side at the front of buf.
func (p *parser) header(from dissector.Side, buf []byte, m *dissector.Message) (header, error) {
	h, ok := readHeader(buf)
	if !ok || len(buf) > 0 && h.from != from {
		return h, errMalformed
	}
	if len(buf) < headerSize {
		m.Need = headerSize
		return h, dissector.ErrShort
	}
	return h, nil
}

// envelope takes an envelope, of whose body the first bytes are at hand.
func (p *parser) envelope(from dissector.Side, h header, body []byte, m *dissector.Message) error {
	v := &m.Values
	Version.Set(v, int64(h.version))
	Stream.Set(v, int64(int16(h.stream)))
	r := reader{wire.Reader{B: body}, int64(len(body)) == h.length}
	if h.flags&flagCompressed != 0 && h.version < 5 {
		r = p.decompress(body, r.whole, m)
	}
	if from == dissector.Client {
		p.request(h, &r, m)
	} else {
		p.response(h, &r, m)
	}
	p.setSession(m)
	return nil
}

// setSession sets the fields that a request has from its session.
func (p *parser) setSession(m *dissector.Message) {
	if m.From != dissector.Client {
		return
	}
	if len(p.user) > 0 {
		User.Set(&m.Values, p.user)
	}
	if len(p.keyspace) > 0 && !m.Has(Keyspace) {
		Keyspace.Set(&m.Values, p.keyspace)
	}
	m.Resumed = m.Resumed || p.unsure || p.nobody || p.choosing && m.Notes&chooses == 0
}
