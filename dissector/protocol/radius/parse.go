package radius

import (
	"encoding/binary"
	"encoding/hex"

	"shark/dissector"
)

// headerLen is the length of code, identifier, length and authenticator.
const headerLen = 20

// parser reads what two ports say to each other.
type parser struct {
	latest map[byte]latest // by identifier
	gen    uint64          // tells requests apart that have the same identifier
	text   []byte
}

// latest is the latest request of an identifier.
type latest struct {
	code     byte
	auth     [16]byte
	gen      uint64
	repeats  int64 // how often it was sent again before the answer
	answered bool
	reply    [16]byte // authenticator of the answer
}

// unasked marks the key of a response whose request was not seen.
const unasked = 1 << 63

// probe wants a packet with a known code that its attributes fill to the last byte.
// One without attributes, with padding behind it (RFC 2865 section 3) or with a
// malformed attribute says too little of itself.
func probe(head []byte) dissector.Guess {
	if len(head) < headerLen || codes[head[0]] == "" {
		return dissector.No
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	if size < headerLen || size > maxPacket || size > len(head) {
		return dissector.No
	}
	weak := size == headerLen || size < len(head) // without attributes, or padded
	for b := head[headerLen:size]; len(b) > 0; {
		kind, value, rest, ok := attribute(b)
		if !ok || kind == 0 || fixed[kind] != 0 && len(value) != int(fixed[kind]) || kind == attrVendorSpecific && (len(value) < 5 || value[0] != 0) {
			weak = true
			break
		}
		b = rest
	}
	switch {
	case weak && asks(head[0]):
		return dissector.MaybeRequest
	case weak:
		return dissector.MaybeResponse
	case asks(head[0]):
		return dissector.Request
	}
	return dissector.Response
}

// attribute takes the next attribute (RFC 2865 section 5). One without a value is
// not legal, but is sent.
func attribute(b []byte) (kind byte, value, rest []byte, ok bool) {
	if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
		return 0, nil, nil, false
	}
	return b[0], b[2:b[1]], b[b[1]:], true
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < headerLen {
		return 0, dissector.ErrShort
	}
	size := int(binary.BigEndian.Uint16(buf[2:]))
	if codes[buf[0]] == "" || asks(buf[0]) != (from == dissector.Client) || size < headerLen || size > maxPacket {
		return 0, errMalformed
	}
	b := buf[:min(size, len(buf))] // what is behind it is padding (RFC 2865 section 3)
	if from == dissector.Client {
		p.request(b, m)
	} else {
		p.response(b, m)
	}
	if m.Skip {
		return int64(len(buf)), nil
	}
	Code.Set(&m.Values, int64(b[0]))
	CodeName.SetString(&m.Values, codes[b[0]])
	Identifier.Set(&m.Values, int64(b[1]))
	whole := p.attributes(b[headerLen:], m)
	if from == dissector.Client {
		p.summary(m)
	}
	switch {
	case size > len(buf):
		return 0, dissector.ErrShort
	case !whole:
		return 0, errMalformed
	}
	return int64(len(buf)), nil
}

// key is what a request and its response have in common.
func key(identifier byte, gen uint64) uint64 { return uint64(identifier) | gen<<8&^unasked }

// request takes a request, unless it is one that is sent again.
func (p *parser) request(b []byte, m *dissector.Message) {
	id, auth := b[1], [16]byte(b[4:headerLen])
	q, known := p.latest[id]
	if known && q.code == b[0] && q.auth == auth {
		if !q.answered {
			q.repeats++
			p.latest[id] = q
		}
		m.Skip = true
		return
	}
	p.gen++
	p.latest[id] = latest{code: b[0], auth: auth, gen: p.gen}
	m.SetKey(key(id, p.gen))
	dissector.Operation.SetString(&m.Values, codes[b[0]])
	Authenticator.SetString(&m.Values, hex.EncodeToString(auth[:]))
}

// response takes a response, unless it is one that is sent again.
func (p *parser) response(b []byte, m *dissector.Message) {
	id, auth := b[1], [16]byte(b[4:headerLen])
	q, known := p.latest[id]
	switch {
	case known && q.answered && q.reply == auth:
		m.Skip = true
		return
	case known && !q.answered && answers(q.code, b[0]):
		q.answered, q.reply = true, auth
		p.latest[id] = q
		m.SetKey(key(id, q.gen))
		if q.repeats > 0 {
			Retransmissions.Set(&m.Values, q.repeats)
		}
	default:
		m.SetKey(key(id, 0) | unasked)
	}
	dissector.Status.SetString(&m.Values, codes[b[0]])
	dissector.StatusCode.Set(&m.Values, int64(b[0]))
	dissector.Failed.Set(&m.Values, failed(b[0]))
}
