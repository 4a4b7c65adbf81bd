package ws

import (
	"encoding/binary"
	"slices"
	"strconv"

	"shark/dissector"
)

// ping is one that waits for its pong.
type ping struct {
	key  uint64
	sum  uint64 // of its payload
	sure bool   // its payload tells it from others
}

// control reads a control frame (RFC 6455, section 5.5).
func (p *parser) control(from dissector.Side, f *frame, buf []byte, m *dissector.Message) (int64, error) {
	span := f.size + int(f.length)
	if len(buf) < span {
		m.Need = span
		return 0, dissector.ErrShort
	}
	if f.opcode == opClose && f.length == 1 {
		return 0, errFrame
	}
	s := &p.sides[from]
	inside := s.open && s.aside == nil
	if inside {
		s.put(m)
	}
	var room [maxControl]byte
	payload := f.unmask(room[:0], buf[f.size:span], 0)
	name := opcodes[f.opcode]
	v := &m.Values
	Opcode.SetString(v, name)
	dissector.Operation.SetString(v, name)
	setSide(from, f, m)
	setLength(from, m, f.length)
	m.SetBody(f.size, f.length)
	m.Role = dissector.OneWay
	if f.opcode == opClose {
		p.close(m, payload)
		return int64(span), nil
	}
	if len(payload) > 0 {
		setData(from, m, payload, f.length)
	}
	switch {
	case f.opcode == opPong:
		p.pong(from, payload, m, inside)
	case !inside: // else the engine pairs it no more
		p.ping(from, payload, m)
	}
	return int64(span), nil
}

// ping makes m a request, whoever sent it.
func (p *parser) ping(from dissector.Side, payload []byte, m *dissector.Message) {
	p.pings++
	s := &p.sides[from]
	if len(s.pings) == maxPings {
		s.pings = slices.Delete(s.pings, 0, 1)
	}
	s.pings = append(s.pings, ping{p.pings, sum(payload), len(payload) >= sureLength})
	m.Role, m.From = dissector.BySide, dissector.Client
	m.SetKey(p.pings)
}

// pong makes m the response to the oldest ping with its payload. Those before that one
// will have none: a pong may answer the latest of several (RFC 6455, section 5.5.3).
func (p *parser) pong(from dissector.Side, payload []byte, m *dissector.Message, inside bool) {
	s := &p.sides[from.Other()]
	h := sum(payload)
	i := slices.IndexFunc(s.pings, func(x ping) bool { return x.sum == h })
	if i < 0 {
		return
	}
	key := s.pings[i].key
	if inside {
		s.pings = slices.Delete(s.pings, 0, i+1)
		return
	}
	m.From = dissector.Server
	m.SetKey(key)
	if peer := m.Peer(); peer == nil || peer.First > m.First { // it was sent before that ping
		m.From = from
		return
	}
	m.Role = dissector.BySide
	s.pings = slices.Delete(s.pings, 0, i+1)
}

// doubt forgets the pings that a pong can no longer be told to answer.
func (s *side) doubt() {
	s.pings = slices.DeleteFunc(s.pings, func(x ping) bool {
		again := func(y ping) bool { return y.sum == x.sum && y.key != x.key }
		return !x.sure || slices.ContainsFunc(s.pings, again)
	})
}

func sum(b []byte) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// noStatus is the code of a close that gives none (RFC 6455, section 7.1.5).
const noStatus = 1005

// close reads the payload of a close (RFC 6455, section 5.5.1). The other side's is but
// an answer.
func (p *parser) close(m *dissector.Message, payload []byte) {
	code, reason := noStatus, []byte(nil)
	if len(payload) >= 2 {
		code, reason = int(binary.BigEndian.Uint16(payload)), payload[2:]
	}
	v := &m.Values
	CloseCode.Set(v, int64(code))
	text := strconv.Itoa(code)
	if name := closeNames[code]; name != "" {
		text += " " + name
	}
	dissector.Status.SetString(v, text)
	if len(reason) > 0 {
		CloseReason.Set(v, reason)
		text += ": " + string(reason)
	}
	dissector.Summary.SetString(v, text)
	if !p.closed && code > 1001 && code != noStatus && code < 3000 {
		dissector.Failed.Set(v, true)
	}
	p.closed = true
}

// closeNames are the codes of the IANA registry "WebSocket Close Code Number".
var closeNames = map[int]string{
	1000: "normal closure", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
	1005: "no status", 1006: "abnormal closure", 1007: "invalid payload data", 1008: "policy violation",
	1009: "message too big", 1010: "mandatory extension", 1011: "internal error", 1012: "service restart",
	1013: "try again later", 1014: "bad gateway", 1015: "TLS handshake", 3000: "unauthorized", 3003: "forbidden", 3008: "timeout",
}
