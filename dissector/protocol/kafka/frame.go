package kafka

import (
	"encoding/binary"

	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	body body
	// tokens is how many SASL tokens of the client, sent bare after a handshake
	// of version 0, the server has not answered yet.
	tokens int
	bare   bool // such tokens may come
}

// What a request's Notes hold for its response: known, API key, version.
const known = 1 << 32

const (
	keyProduce       = 0
	keySaslHandshake = 17
	keyApiVersions   = 18
)

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < 4 {
		m.Need = 4
		return 0, dissector.ErrShort
	}
	size := int64(binary.BigEndian.Uint32(buf))
	if size > maxSize || size < 4 && !p.bare {
		return 0, errMalformed
	}
	span := 4 + size
	if head := min(span, maxHead); int64(len(buf)) < head {
		m.Need = int(head)
		return 0, dissector.ErrShort
	}
	frame := buf[4:min(span, maxHead)]
	if from == dissector.Client {
		return span, p.request(frame, size, m)
	}
	return span, p.response(frame, size, m)
}

// header is a request's header.
type header struct {
	key, version int
	correlation  uint32
	client       []byte
	body         int // offset in the frame
}

// readHeader reads the header of a request of size bytes: api key, version, correlation id, client
// id (all but ControlledShutdown v0) and, in flexible versions, tagged fields. It
// wants them plausible, and says short when b ends before that is known.
func readHeader(b []byte, size int64) (h header, short, ok bool) {
	if len(b) < 4 {
		return h, true, true
	}
	h.key, h.version = int(int16(binary.BigEndian.Uint16(b))), int(int16(binary.BigEndian.Uint16(b[2:])))
	if h.key < 0 || h.key >= len(apis) || h.version < 0 || h.version > int(apis[h.key].max)+newer {
		return h, false, false
	}
	if len(b) < 8 {
		return h, true, true
	}
	h.correlation, h.body = binary.BigEndian.Uint32(b[4:]), 8
	if int32(h.correlation) < 0 {
		return h, false, false
	}
	if h.key == 7 && h.version == 0 {
		return h, false, true
	}
	r := body{b: b, off: 8}
	n := r.i16()
	if r.bad {
		return h, true, true
	}
	if n < -1 || n > maxClient || int64(r.off+n) > size {
		return h, false, false
	}
	h.client = r.take(max(0, n))
	for _, c := range h.client {
		if c < ' ' || c > '~' {
			return h, false, false
		}
	}
	if apis[h.key].flexible(h.version) {
		r.flex = true
		r.tags()
	}
	h.body = r.off
	return h, r.bad, true
}

func (p *parser) request(frame []byte, size int64, m *dissector.Message) error {
	h, short, ok := readHeader(frame, size)
	if !ok || short {
		if p.bare {
			p.tokens++
			m.Skip = true
			return nil
		}
		return errMalformed
	}
	p.bare = h.key == keySaslHandshake && h.version == 0
	api, v := &apis[h.key], &m.Values
	m.SetKey(uint64(h.correlation))
	m.Notes = known | uint64(h.key)<<16 | uint64(h.version)
	APIKey.Set(v, int64(h.key))
	APIName.SetString(v, api.name)
	APIVersion.Set(v, int64(h.version))
	Correlation.Set(v, int64(h.correlation))
	ClientID.Set(v, h.client)
	Size.Set(v, size)
	dissector.Operation.SetString(v, api.name)
	b := &p.body
	b.begin(frame, h.body, h.version, api.flexible(h.version), m)
	if api.request != nil && h.version <= int(api.max) {
		api.request(b)
	}
	b.summarise(h.client)
	if b.unacknowledged {
		m.Role = dissector.OneWay
	}
	return nil
}

func (p *parser) response(frame []byte, size int64, m *dissector.Message) error {
	if len(frame) >= 4 {
		m.SetKey(uint64(binary.BigEndian.Uint32(frame)))
	}
	peer := (*dissector.Message)(nil)
	if len(frame) >= 4 {
		peer = m.Peer()
	}
	if peer == nil && p.tokens > 0 || len(frame) < 4 {
		p.tokens = max(0, p.tokens-1)
		m.Skip = true
		return nil
	}
	v := &m.Values
	correlation := binary.BigEndian.Uint32(frame)
	if int32(correlation) < 0 {
		return errMalformed
	}
	Correlation.Set(v, int64(correlation))
	Size.Set(v, size)
	if peer == nil || peer.Notes&known == 0 {
		return nil
	}
	key, version := int(peer.Notes>>16&0xffff), int(peer.Notes&0xffff)
	api := &apis[key]
	if version > int(api.max) {
		return nil
	}
	b := &p.body
	b.begin(frame, 4, version, api.flexible(version), m)
	if b.flex && key != keyApiVersions { // KIP-511: its response has the old header always
		b.tags()
	}
	b.answer(api)
	return nil
}
