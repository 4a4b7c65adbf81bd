package tls

import (
	"errors"

	"shark/dissector"
)

// Protocol is the TLS handshake over TCP.
var Protocol = &dissector.Protocol{
	Name:      "tlsx",
	Label:     "TLS",
	Doc:       "TLS and SSL handshakes: what client and server say before they go on encrypted.",
	Transport: dissector.TCP,
	Ports:     []uint16{443, 8443, 6443, 993, 995, 465, 636, 853, 989, 990, 5671, 8883},
	Fields:    fields,
	Sync:      "\x16",
	Probe:     probe,
	New:       func(dissector.Transport) dissector.Parse { return new(state).parse },
	Open:      open,
	Follow:    follower{},
	Middle:    middle,
}

// The limits of what is read.
const (
	maxRecord       = 1<<14 + 2048 // a record's content, RFC 5246, section 6.2.3
	maxHandshake    = 128 << 10    // a handshake message; a longer one is passed over
	maxCertificate  = 32 << 10
	maxHelloRecords = 1024 // records that a client's hello is cut into
	maxListed       = 256  // names kept of a hello's or certificate's lists
	maxText         = 512  // bytes kept of a certificate's name
)

// Record types, RFC 8446, section 5.1.
const (
	recChange    = 20
	recAlert     = 21
	recHandshake = 22
	recData      = 23
	recHeartbeat = 24
	headerLen    = 5
)

// Handshake message types, RFC 8446, section 4; RFC 5246, section 7.4.
const (
	hsHelloRequest = 0
	hsClientHello  = 1
	hsServerHello  = 2
	hsCertificate  = 11
	hsKeyExchange  = 12
	hsCertRequest  = 13
	hsHelloDone    = 14
	hsHeaderLen    = 4
)

// noteOpen, in Message.Notes, says that an earlier piece of the message was read.
const noteOpen uint64 = 1

var (
	errRecord    = errors.New("malformed record")
	errHandshake = errors.New("unexpected handshake message")
)

// state is what a connection's parser remembers: a handshake message of the
// server that goes on in a further record.
type state struct {
	begun []byte
	skip  int // bytes to come of a message that is too long
	seen  handshakeSeen
}

func (s *state) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if from == dissector.Client && len(buf) > 0 && buf[0]&0x80 != 0 {
		return parseOldHello(buf, m)
	}
	kind, span, err := recordHead(buf, 0, m)
	if err != nil {
		return 0, err
	}
	need := span
	if from == dissector.Client {
		need = min(span, probeLen)
	}
	if len(buf) < need {
		m.Need = need
		return 0, dissector.ErrShort
	}
	if from == dissector.Server {
		return int64(span), s.answer(kind, buf[headerLen:span], m)
	}
	if probe(buf) == dissector.Request {
		return s.parseHello(buf, m)
	}
	m.Skip = true // keys, or what goes on encrypted before the answer is there
	return int64(span), nil
}

// recordHead reads the header of the record at buf[pos:] and returns the
// record's type and where it ends.
func recordHead(buf []byte, pos int, m *dissector.Message) (kind byte, end int, err error) {
	if len(buf) < pos+headerLen {
		m.Need = pos + headerLen
		return 0, 0, dissector.ErrShort
	}
	h := buf[pos:]
	kind, n := h[0], int(h[3])<<8|int(h[4])
	if kind < recChange || kind > recHeartbeat || h[1] != 3 || n > maxRecord || n == 0 && kind != recData {
		return 0, 0, errRecord
	}
	return kind, pos + headerLen + n, nil
}

// parseHello reads a client's hello. It stands in one record as a rule, but may
// be cut over many.
func (s *state) parseHello(buf []byte, m *dissector.Message) (int64, error) {
	var hello []byte
	for n, pos := 0, 0; n < maxHelloRecords; n++ {
		kind, end, err := recordHead(buf, pos, m)
		switch {
		case err != nil:
			return 0, err
		case kind != recHandshake:
			return 0, errRecord
		case len(buf) < end:
			m.Need = end
			return 0, dissector.ErrShort
		}
		if n == 0 {
			hello = buf[headerLen:end:end]
		} else {
			hello = append(hello, buf[pos+headerLen:end]...)
		}
		pos = end
		if len(hello) < hsHeaderLen {
			continue
		}
		size := hsHeaderLen + size24(hello)
		if size > maxHandshake {
			return 0, errClientHello
		}
		if len(hello) < size {
			continue
		}
		h, err := ParseClientHello(hello[hsHeaderLen:size])
		if err != nil {
			return 0, err
		}
		h.Set(m, 't')
		s.seen = handshakeSeen{begun: true, random: [randomSize]byte(h.Random)}
		if h.EarlyData {
			m.Next = dissector.Opaque // a wish: it waits for the answer
		}
		return int64(pos), nil
	}
	return 0, errClientHello
}

// size24 reads the length in the header of a handshake message.
func size24(b []byte) int { return int(b[1])<<16 | int(b[2])<<8 | int(b[3]) }

// answer reads a record of the server: a piece of its answer.
func (s *state) answer(kind byte, body []byte, m *dissector.Message) error {
	open := m.Notes&noteOpen != 0
	if !open {
		s.begun, s.skip = s.begun[:0], 0
	}
	done := true
	var err error
	switch {
	case kind == recHandshake:
		done, err = s.handshake(body, m)
		m.Ride = &s.seen
	case kind == recAlert:
		done = readAlert(body, m)
		s.seen.failed = s.seen.failed || m.Has(dissector.Failed.Field)
		m.Ride = &s.seen
	case !open: // such as the change that a server sends after a HelloRetryRequest
		m.Skip = true
		return nil
	default:
		// The server goes on encrypted: without a certificate the handshake was short.
		if kind == recChange && m.Has(version) && !m.Has(chainLength) && !m.Has(certError) {
			resumed.Set(&m.Values, true)
		}
		s.seen.changed = kind == recChange
		m.Next, m.Ride = dissector.Opaque, &s.seen
	}
	if err != nil {
		return err
	}
	if done {
		s.begun = nil
		return nil
	}
	m.Open = true
	m.Notes |= noteOpen
	return nil
}

// readAlert reads an alert of the server (RFC 8446, section 6). A warning may
// come before its hello and ends nothing.
func readAlert(body []byte, m *dissector.Message) (done bool) {
	if len(body) != 2 {
		m.Next = dissector.Opaque
		return true
	}
	const warning, closeNotify = 1, 0
	name, v := alertName(body[1]), &m.Values
	alert.SetString(v, name)
	if body[0] == warning {
		alertLevel.SetString(v, "warning")
		if body[1] != closeNotify {
			return false
		}
	} else {
		alertLevel.SetString(v, "fatal")
	}
	if !m.Has(version) {
		dissector.Operation.SetString(v, "Alert")
	}
	dissector.Status.SetString(v, name)
	dissector.StatusCode.Set(v, int64(body[1]))
	dissector.Failed.Set(v, true)
	m.Next = dissector.Opaque
	return true
}

// handshake reads the handshake messages of a record of the server, of which the
// first may have begun in an earlier one and the last may end in a later one.
func (s *state) handshake(body []byte, m *dissector.Message) (done bool, err error) {
	if m.Notes&noteOpen == 0 && body[0] != hsServerHello && body[0] != hsHelloRequest {
		return false, errHandshake
	}
	if k := min(s.skip, len(body)); k > 0 {
		s.skip -= k
		body = body[k:]
	}
	if len(s.begun) > 0 {
		s.begun = append(s.begun, body...)
		body = s.begun
	}
	for len(body) >= hsHeaderLen {
		size := hsHeaderLen + size24(body)
		if size > maxHandshake {
			s.skip = max(0, size-len(body))
			body = body[min(size, len(body)):]
			continue
		}
		if len(body) < size {
			break
		}
		if done, err = s.message(body[0], body[hsHeaderLen:size], m); done || err != nil {
			return done, err
		}
		body = body[size:]
	}
	s.begun = append(s.begun[:0], body...)
	return false, nil
}

// message reads one handshake message of the server; done says that the answer
// has nothing more to say.
func (s *state) message(kind byte, body []byte, m *dissector.Message) (done bool, err error) {
	v := &m.Values
	switch kind {
	case hsServerHello:
		return s.readServerHello(body, m)
	case hsCertificate:
		if !m.Has(chainLength) {
			certificates(v, body, false)
		}
	case hsKeyExchange:
		if g, ok := namedGroup(body); ok {
			group.SetString(v, groupName(g))
		}
	case hsCertRequest:
		clientAuth.Set(v, true)
	case hsHelloDone:
		m.Next = dissector.Opaque
		return true, nil
	}
	return false, nil
}

// readServerHello reads the server's hello, or its wish for another one of the
// client, which ends this exchange and begins a second one.
func (s *state) readServerHello(body []byte, m *dissector.Message) (done bool, err error) {
	if m.Has(version) {
		return false, errHandshake
	}
	h, err := parseServerHello(body)
	if err != nil {
		return false, err
	}
	h.set(m)
	s.seen.answered(&h)
	if h.version < version13 {
		return false, nil
	}
	if !h.retry {
		m.Next = dissector.Opaque
	}
	return true, nil
}

// namedGroup reads the group of a ServerKeyExchange by elliptic curves (RFC
// 8422, section 5.4). That of another key exchange does not begin like one.
func namedGroup(b []byte) (uint16, bool) {
	const namedCurve = 3
	if len(b) < 4 || b[0] != namedCurve {
		return 0, false
	}
	return uint16(b[1])<<8 | uint16(b[2]), int(b[3]) < len(b)-3
}
