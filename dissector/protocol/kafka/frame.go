package kafka

import (
	"encoding/binary"
	"strconv"

	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	walks [2]walk // of the sides
	// tokens is how many SASL tokens of the client, sent bare after a handshake
	// of version 0, the server has not answered yet.
	tokens int
	bare   bool // such tokens may come
}

// What a request's Notes hold for its response, and then that one's: known, API key, version.
const known = 1 << 32

func noted(m *dissector.Message) (key, version int) {
	return int(m.Notes >> 16 & 0xffff), int(m.Notes & 0xffff)
}

const (
	keyProduce       = 0
	keySaslHandshake = 17
	keyApiVersions   = 18
)

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	w := &p.walks[from]
	if m.Gap > 0 {
		w.active = false
	}
	if w.active {
		return w.goOn(from, buf, m)
	}
	if len(buf) < prefix {
		m.Need = prefix
		return 0, dissector.ErrShort
	}
	size := int64(binary.BigEndian.Uint32(buf))
	if size > maxSize || size < 4 && !p.bare {
		return 0, errMalformed
	}
	span := prefix + size
	if head := min(span, maxHead); int64(len(buf)) < head {
		m.Need = int(head)
		return 0, dissector.ErrShort
	}
	frame := buf[prefix:min(span, maxHead)]
	read := p.response
	if from == dissector.Client {
		read = p.request
	}
	off, err := read(w, frame, size, m)
	if err != nil || off == 0 {
		return span, err
	}
	w.begin(frame, off, m)
	span = prefix + w.read(from, len(frame), size, m)
	w.before += prefix
	return span, nil
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
	if h.key < 0 || h.key >= len(apis)+newerKeys || h.version < 0 || h.version > int(apiOf(h.key).max)+newer {
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
	if apiOf(h.key).flexible(h.version) {
		r.flex = true
		r.tags()
	}
	h.body = r.off
	return h, r.bad, true
}

// request reads the header of a request, and says where its body begins; 0: it has none.
func (p *parser) request(w *walk, frame []byte, size int64, m *dissector.Message) (body int, err error) {
	h, short, ok := readHeader(frame, size)
	if !ok || short {
		if p.bare {
			p.tokens++
			m.Skip = true
			return 0, nil
		}
		return 0, errMalformed
	}
	p.bare = h.key == keySaslHandshake && h.version == 0
	api, v := apiOf(h.key), &m.Values
	m.Notes = known | uint64(h.key)<<16 | uint64(h.version)
	APIKey.Set(v, int64(h.key))
	name := api.name
	if api == &unknown {
		name = "API_" + strconv.Itoa(h.key)
	}
	APIName.SetString(v, name)
	APIVersion.Set(v, int64(h.version))
	Correlation.Set(v, int64(h.correlation))
	ClientID.Set(v, h.client)
	Size.Set(v, size)
	dissector.Operation.SetString(v, name)
	w.correlation, w.key, w.version = h.correlation, h.key, h.version
	w.client = append(w.client[:0], h.client...)
	return h.body, nil
}

// response does the same for a response.
func (p *parser) response(w *walk, frame []byte, size int64, m *dissector.Message) (body int, err error) {
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
		return 0, nil
	}
	v := &m.Values
	correlation := binary.BigEndian.Uint32(frame)
	if int32(correlation) < 0 {
		return 0, errMalformed
	}
	Correlation.Set(v, int64(correlation))
	Size.Set(v, size)
	if peer == nil || peer.Notes&known == 0 {
		return 0, nil
	}
	m.Notes = peer.Notes
	w.correlation = correlation
	w.key, w.version = noted(m)
	if w.version > int(apiOf(w.key).max) {
		return 0, nil
	}
	return 4, nil
}
