package memcached

import (
	"encoding/binary"

	"shark/dissector"
)

// The header of the binary protocol, 24 bytes: magic, opcode, key length, extras
// length, data type, vbucket or status, body length, opaque, cas.
const (
	magicRequest  = 0x80
	magicResponse = 0x81
	headerSize    = 24
)

// opcode is what an opcode stands for.
type opcode struct {
	name   string
	extras uint32 // lengths of extras that a request may have, as bits
	key    bool   // a request has a key
	value  bool   // a request may have a value
	quiet  bool   // answered only with what is worth it
	finds  bool   // answered with an item
}

var opcodes = map[byte]opcode{
	0x00:   {name: "get", extras: 1, key: true, finds: true},
	0x01:   {name: "set", extras: 1 << 8, key: true, value: true},
	0x02:   {name: "add", extras: 1 << 8, key: true, value: true},
	0x03:   {name: "replace", extras: 1 << 8, key: true, value: true},
	0x04:   {name: "delete", extras: 1, key: true},
	0x05:   {name: "increment", extras: 1 << 20, key: true},
	0x06:   {name: "decrement", extras: 1 << 20, key: true},
	0x07:   {name: "quit", extras: 1},
	0x08:   {name: "flush", extras: 1 | 1<<4},
	0x09:   {name: "getq", extras: 1, key: true, quiet: true, finds: true},
	0x0a:   {name: "noop", extras: 1},
	0x0b:   {name: "version", extras: 1},
	0x0c:   {name: "getk", extras: 1, key: true, finds: true},
	0x0d:   {name: "getkq", extras: 1, key: true, quiet: true, finds: true},
	0x0e:   {name: "append", extras: 1, key: true, value: true},
	0x0f:   {name: "prepend", extras: 1, key: true, value: true},
	opStat: {name: "stat", extras: 1},
	0x11:   {name: "setq", extras: 1 << 8, key: true, value: true, quiet: true},
	0x12:   {name: "addq", extras: 1 << 8, key: true, value: true, quiet: true},
	0x13:   {name: "replaceq", extras: 1 << 8, key: true, value: true, quiet: true},
	0x14:   {name: "deleteq", extras: 1, key: true, quiet: true},
	0x15:   {name: "incrementq", extras: 1 << 20, key: true, quiet: true},
	0x16:   {name: "decrementq", extras: 1 << 20, key: true, quiet: true},
	0x17:   {name: "quitq", extras: 1, quiet: true},
	0x18:   {name: "flushq", extras: 1 | 1<<4, quiet: true},
	0x19:   {name: "appendq", extras: 1, key: true, value: true, quiet: true},
	0x1a:   {name: "prependq", extras: 1, key: true, value: true, quiet: true},
	0x1b:   {name: "verbosity", extras: 1 << 4},
	0x1c:   {name: "touch", extras: 1 << 4, key: true},
	0x1d:   {name: "gat", extras: 1 << 4, key: true, finds: true},
	0x1e:   {name: "gatq", extras: 1 << 4, key: true, quiet: true, finds: true},
	0x20:   {name: "sasl_list_mechs", extras: 1},
	0x21:   {name: "sasl_auth", extras: 1, key: true, value: true},
	0x22:   {name: "sasl_step", extras: 1, key: true, value: true},
	0x23:   {name: "gatk", extras: 1 << 4, key: true, finds: true},
	0x24:   {name: "gatkq", extras: 1 << 4, key: true, quiet: true, finds: true},
}

const opStat = 0x10

// statuses are the names of the statuses, as protocol_binary.h has them.
var statuses = map[uint16]string{
	0x00: "SUCCESS", 0x01: "KEY_ENOENT", 0x02: "KEY_EEXISTS", 0x03: "E2BIG", 0x04: "EINVAL", 0x05: "NOT_STORED",
	0x06: "DELTA_BADVAL", 0x07: "NOT_MY_VBUCKET", 0x20: "AUTH_ERROR", 0x21: "AUTH_CONTINUE", 0x81: "UNKNOWN_COMMAND",
	0x82: "ENOMEM", 0x83: "NOT_SUPPORTED", 0x84: "EINTERNAL", 0x85: "EBUSY", 0x86: "ETMPFAIL",
}

// header is the header of a binary message.
type header struct {
	magic, op   byte
	key, extras int
	status      uint16
	body        int64
	opaque      uint32
	known       bool
	opcode
}

// readHeader reads a header and wants it plausible.
func readHeader(b []byte) (h header, ok bool) {
	h.magic, h.op = b[0], b[1]
	h.key, h.extras = int(binary.BigEndian.Uint16(b[2:])), int(b[4])
	h.status = binary.BigEndian.Uint16(b[6:])
	h.body = int64(binary.BigEndian.Uint32(b[8:]))
	h.opaque = binary.BigEndian.Uint32(b[12:])
	h.opcode, h.known = opcodes[h.op]
	return h, b[5] == 0 && h.key <= maxKey && int64(h.key+h.extras) <= h.body && h.body <= maxBody
}

// strict tells whether the header is just what its opcode or status asks for.
func (h *header) strict() bool {
	if !h.known {
		return false
	}
	if h.magic == magicResponse {
		_, ok := statuses[h.status]
		return ok && (h.extras == 0 || h.extras == 4 && h.finds)
	}
	fits := h.extras < 32 && h.opcode.extras>>h.extras&1 == 1
	return fits && (h.key > 0) == h.opcode.key || fits && h.op == opStat && h.body == int64(h.key)
}

func (h *header) value() int64 { return h.body - int64(h.key+h.extras) }

func (p *parser) binary(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < headerSize {
		m.Need = headerSize
		return 0, dissector.ErrShort
	}
	h, ok := readHeader(buf)
	if !ok || (h.magic == magicRequest) != (from == dissector.Client) {
		return 0, errMalformed
	}
	front := headerSize + h.extras + h.key
	head := front
	if h.magic == magicResponse && h.status != 0 {
		head += int(min(h.value(), maxError))
	}
	if len(buf) < head {
		m.Need = head
		return 0, dissector.ErrShort
	}
	if p.pair(from, &h, m) {
		return headerSize, nil
	}
	if h.value() > 0 {
		m.SetBody(front, h.value())
	}
	key := buf[headerSize+h.extras : front]
	if from == dissector.Client {
		h.request(key, m)
	} else {
		h.response(key, buf[front:head], m)
	}
	return headerSize + h.body, nil
}

// request sets the fields of a request.
func (h *header) request(key []byte, m *dissector.Message) {
	v := &m.Values
	h.name(m)
	if len(key) > 0 {
		shown := escape(key, maxKey)
		dissector.Summary.Set(v, shown)
		if h.opcode.key && h.op != 0x21 && h.op != 0x22 { // SASL: the mechanism
			Key.Set(v, shown)
			Keys.Set(v, 1)
		}
	}
	if h.opcode.value && h.op != 0x21 && h.op != 0x22 {
		ValueSize.Set(v, h.value())
	}
}

func (h *header) name(m *dissector.Message) {
	if h.known {
		dissector.Operation.SetString(&m.Values, h.opcode.name)
		return
	}
	const digits = "0123456789abcdef"
	dissector.Operation.SetString(&m.Values, "opcode_0x"+string([]byte{digits[h.op>>4], digits[h.op&15]}))
}

// response sets the fields of a response; text is what it says of an error.
func (h *header) response(key, text []byte, m *dissector.Message) {
	v := &m.Values
	if h.op == opStat && h.status == 0 && h.body > 0 { // one of several, an empty one ends them
		m.Role = dissector.Interim
		return
	}
	name, ok := statuses[h.status]
	if !ok {
		name = "UNKNOWN"
	}
	Status.SetString(v, name)
	dissector.Status.SetString(v, name)
	dissector.StatusCode.Set(v, int64(h.status))
	if m.Role == dissector.OneWay {
		h.name(m)
		if len(key) > 0 {
			Key.Set(v, escape(key, maxKey))
		}
	}
	switch {
	case h.status == 0 && h.finds:
		Hits.Set(v, 1)
		ValueSize.Set(v, h.value())
	case h.finds && h.status == 1:
		Hits.Set(v, 0)
	}
	switch name {
	case "SUCCESS", "KEY_ENOENT", "KEY_EEXISTS", "NOT_STORED", "AUTH_CONTINUE":
	default:
		if len(text) == 0 {
			text = []byte(name)
		}
		setError(v, text)
	}
}
