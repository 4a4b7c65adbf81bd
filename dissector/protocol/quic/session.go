package quic

import (
	"slices"
	"strings"

	"shark/dissector"
	"shark/dissector/protocol/tls"
	"shark/packet/keylog"
)

// session is what is said behind the handshake of a connection, as far as the secrets open it.
type session struct {
	version *version
	secrets *keylog.Session // nil: none
	suite   cipherSuite
	half    [2]half
	early   []*keys // of 0-RTT packets, those that may be
	shake   *keys   // of the server's handshake; nil: not known, or all is known that it says
	hello   stream  // the handshake
	due     uint64  // packet number of the handshake
	wrong   int     // packets in a row that did not open
	sealed  dissector.Sealed
	reader  *parser // that read it last: of the ports that the client is at
}

// half is what one side says.
type half struct {
	keys    *keys // whose header key is that of all; nil: not known
	secret  []byte
	phase   byte       // of keys, as packets have it
	next    *packetKey // that comes after
	nextOf  []byte     // its secret
	before  *packetKey // that was in use
	due     uint64     // packet number
	size    int        // of datagrams of which the kernel was given several as one; 0: not known
	streams streams
}

// The bit of a short header that says which key is in use (RFC 9000 section 17.3.1).
const keyPhase = 0x04

// open begins the session of a connection whose client's hello was read. There is one whatever
// the secrets, to say why nothing can be read.
func open(c *connection, secrets *keylog.Table) *session {
	x := &session{version: c.version}
	x.sealed = dissector.Sealed{Session: c.id, Protocol: agreed(c.offered), Why: dissector.NoSecrets}
	if !c.hasRandom || secrets == nil {
		return x
	}
	if x.secrets = secrets.Find(c.random); x.secrets == nil {
		return x
	}
	x.sealed.Library, x.sealed.Why = x.secrets.Library, dissector.NothingSaid
	for _, suite := range earlySuites {
		if k := newKeys(c.version, suite, x.secrets.Secret(keylog.ClientEarlyTraffic)); k != nil {
			x.early = append(x.early, k)
		}
	}
	return x
}

// earlySuites are what 0-RTT packets may be encrypted with: which of them the session that is
// resumed had, the client does not say. The length of the secret tells those of SHA-384.
var earlySuites = func() (out []cipherSuite) {
	for _, id := range []uint16{0x1301, 0x1303, 0x1302} {
		suite, _ := suiteOf(id)
		out = append(out, suite)
	}
	return out
}()

// agree takes the cipher suite that the server's hello chose.
func (x *session) agree(c *connection, suite uint16) {
	if v := readable[c.negotiated]; v != nil {
		x.version = v
	}
	if x.secrets == nil {
		return
	}
	var ok bool
	if x.suite, ok = suiteOf(suite); !ok {
		x.sealed.Why = dissector.SuiteUnknown
		return
	}
	x.shake = newKeys(x.version, x.suite, x.secrets.Secret(keylog.ServerHandshake))
	for side, label := range [2]string{keylog.ClientTraffic, keylog.ServerTraffic} {
		h := &x.half[side]
		if h.keys = newKeys(x.version, x.suite, x.secrets.Secret(label)); h.keys == nil {
			x.sealed.Why = dissector.SecretsPartly
		} else {
			h.secret = x.secrets.Secret(label)
		}
	}
}

// agreed returns the protocol that all of those offered stand for, empty if they do not stand
// for one.
func agreed(offered []string) string {
	name := ""
	for i, alpn := range offered {
		p := ""
		if alpn == "h3" || strings.HasPrefix(alpn, "h3-") {
			p = "http3"
		}
		if i > 0 && p != name {
			return ""
		}
		name = p
	}
	return name
}

// handshake opens a Handshake packet of the server: which protocol it chose.
func (x *session) handshake(o *opener, p *packet) {
	if x.shake == nil {
		return
	}
	number, body := o.unmask(&x.shake.headerKey, p.b, p.number, x.due)
	b := o.unseal(&x.shake.packetKey, number, p.b[body:])
	if b == nil {
		return
	}
	x.due = max(x.due, number+1)
	if frames(b, func(offset uint64, b []byte) { x.hello.add(offset, b) }, func(closing) {}) != nil {
		return
	}
	const typeEncryptedExtensions = 8
	m, long := x.hello.message(0)
	if m == nil && !long {
		return
	}
	x.shake, x.hello = nil, stream{}
	if len(m) > 0 && m[0] == typeEncryptedExtensions {
		if alpn, _ := tls.EncryptedExtensions(m[typeLen:]); len(alpn) > 0 {
			x.sealed.Protocol = agreed([]string{string(alpn)})
		}
	}
}

// zeroRTT opens a 0-RTT packet of the client (RFC 9001 section 4.6). What the server does not
// accept of them, the client says again: it is read once.
func (x *session) zeroRTT(at *parser, p *packet, d *said) bool {
	h := &x.half[dissector.Client]
	for i, k := range x.early {
		number, body := at.opener.unmask(&k.headerKey, p.b, p.number, h.due)
		plain := at.opener.unseal(&k.packetKey, number, p.b[body:])
		if plain == nil {
			continue
		}
		x.early = x.early[i : i+1]
		h.due = max(h.due, number+1)
		x.says(at, dissector.Client, plain, d)
		return true
	}
	return false
}

// short opens the packet with a short header that b begins with, which from sent to a connection
// ID of n bytes between the ports of a parser. It is all of b, or b is several datagrams that
// the kernel was given as one, of one size but for the last.
func (x *session) short(at *parser, from dissector.Side, b []byte, n int, d *said) bool {
	h := &x.half[from]
	if h.keys == nil || len(b) < 1+n+minProtect || x.wrong >= maxWrong {
		return false
	}
	size := len(b)
	plain, number := h.open(x, &at.opener, b, n)
	if plain == nil {
		plain, number, size = h.segment(x, &at.opener, b, n)
	}
	if plain == nil {
		x.doubt(b[0]&fixedBit != 0) // without, it may be padding
		return false
	}
	h.due, x.wrong = max(h.due, number+1), 0
	x.says(at, from, plain, d)
	if x.half[from^1].keys != nil {
		x.sealed.Why = ""
	}
	for b = b[size:]; len(b) >= 1+n+minProtect; b = b[min(size, len(b)):] {
		if plain, number = h.open(x, &at.opener, b[:min(size, len(b))], n); plain != nil {
			h.due = max(h.due, number+1)
			x.frames(from, plain)
		}
	}
	return true
}

// open returns what the packet b says, nil if it does not open, and its number.
func (h *half) open(x *session, o *opener, b []byte, n int) ([]byte, uint64) {
	number, body := o.unmask(&h.keys.headerKey, b, 1+n, h.due)
	return h.unseal(x, o, number, b[body:]), number
}

// segment is open for the first of several datagrams, whose size it finds.
func (h *half) segment(x *session, o *opener, b []byte, n int) (plain []byte, number uint64, size int) {
	try := func(size int) bool {
		if size < len(b) {
			plain, number = h.open(x, o, b[:size], n)
		}
		return plain != nil
	}
	if h.size > 0 && try(h.size) {
		return plain, number, h.size
	}
	for size = minSegment; size <= maxSegment; size++ {
		if try(size) {
			h.size = size
			return plain, number, size
		}
	}
	return nil, 0, 0
}

// doubt takes note of what did not open; certain says that it is a packet.
func (x *session) doubt(certain bool) {
	if certain {
		x.wrong++
	}
	switch {
	case x.sealed.Proven == 0:
		x.sealed.Why = dissector.WrongSecrets
	case x.wrong == maxWrong:
		x.sealed.Why = dissector.SecretsPartly
	}
}

// says reads what a packet of a datagram says.
func (x *session) says(at *parser, from dissector.Side, plain []byte, d *said) {
	x.sealed.Proven++
	if x.reader != at { // the client moved
		x.half[0].streams.lapsed, x.half[1].streams.lapsed = x.reader != nil, x.reader != nil
		x.reader = at
	}
	if d.read != x {
		d.read = x
		x.half[from].streams.fresh(d.at)
	}
	x.frames(from, plain)
}

// unseal opens a packet with the key that its phase says, and goes on to the next one where
// that proves to be in use (RFC 9001 section 6).
func (h *half) unseal(x *session, o *opener, number uint64, body []byte) []byte {
	if o.head[0]&keyPhase == h.phase {
		return o.unseal(&h.keys.packetKey, number, body)
	}
	if h.before != nil {
		if b := o.unseal(h.before, number, body); b != nil {
			return b
		}
	}
	if h.next == nil {
		update := strings.TrimSuffix(x.version.labels[0], "key") + "ku"
		h.nextOf = tls.ExpandLabel(x.suite.Hash, h.secret, update, x.suite.Hash.Size())
		if k, ok := newPacketKey(x.version, x.suite, h.nextOf); ok {
			h.next = &k
		} else {
			return nil
		}
	}
	b := o.unseal(h.next, number, body)
	if b != nil {
		was := h.keys.packetKey
		h.before, h.keys.packetKey, h.phase = &was, *h.next, h.phase^keyPhase
		h.secret, h.next = h.nextOf, nil
	}
	return b
}

// told returns what the datagram of from said that was read last.
func (x *session) told(from dissector.Side) *dissector.Sealed {
	x.sealed.Streams = x.half[from].streams.out
	x.sealed.Held = x.half[0].streams.held + x.half[1].streams.held
	return &x.sealed
}

// oneRTT finds the connection of the packet with a short header that a datagram ends with, and
// opens it.
func (s *parser) oneRTT(from dissector.Side, b []byte, d *said) {
	for _, c := range slices.Backward(s.connections) {
		n := int(c.server.n)
		if from == dissector.Server {
			n = int(c.client.n)
		}
		if x := c.session; x != nil && x.short(s, from, b, n, d) {
			d.in = c
			return
		}
	}
}
