package quic

import (
	"slices"

	"shark/dissector"
	"shark/packet/keylog"
)

// connection is a handshake of a conversation.
type connection struct {
	id      uint64 // tells connections of the conversation apart
	version *version
	origin  connectionID // that the client made up
	client  connectionID
	server  connectionID // known is set once it is
	known   bool
	derive  connectionID // what the keys derive from: origin, or what a Retry gave
	keys    [2]*keys
	hello   [2]stream

	random    [keylog.RandomSize]byte // of the client's hello
	hasRandom bool
	offered   []string // application protocols, by their names
	session   *session // that the handshake begins; nil until the client's hello

	used connectionID // of the server's: the last one that the client is known by
	name []byte       // that the client's hello asks for

	token      int      // bytes of the token that came with origin
	negotiated uint32   // version of the server's handshake
	asked      bool     // the request was told
	answered   bool     // the response was
	closed     bool     // a side said that it ends
	early      *refusal // came before the hello was complete
	retried    bool
	helloRetry bool
	zeroRTT    bool
	again      int64 // datagrams with pieces of the hello that were there before
	passed     int   // bytes of the server's stream that were read
}

// keysFor returns the keys of a side that derive from id. The server may go on with
// another version than the client's, by keys of the same connection ID (RFC 9369
// section 4).
func (c *connection) keysFor(from dissector.Side, id connectionID, number uint32) *keys {
	v := c.version
	if number != v.number {
		if v = readable[number]; v == nil {
			return nil
		}
	}
	k := c.keys[from]
	if k == nil || k.version != v || k.from != id {
		k = deriveKeys(v, &id, from)
		c.keys[from] = k
	}
	return k
}

// isTo tells whether a client's packet may belong to the connection.
func (c *connection) isTo(p *packet) bool {
	return p.src == c.client && (p.dst == c.derive || p.dst == c.origin || c.known && p.dst == c.server)
}

// fromClient finds the connection of a client's Initial packet, or begins one, and opens
// the packet. Both are nil when no keys open it.
func (s *parser) fromClient(p *packet) (*connection, []byte) {
	for _, c := range slices.Backward(s.connections) {
		if p.src != c.client || !c.known && !c.isTo(p) { // a server may have given another ID since: the keys tell
			continue
		}
		id := c.derive
		if p.dst == c.origin { // it was sent before a Retry arrived
			id = c.origin
		}
		if b := s.opener.open(c.keysFor(dissector.Client, id, p.version), p); b != nil {
			return c, b
		}
	}
	for _, v := range candidates(p.version) {
		k := deriveKeys(v, &p.dst, dissector.Client)
		b := s.opener.open(k, p)
		if b == nil {
			continue
		}
		c := s.unseenRetry(p, v)
		if c == nil {
			c = s.begin(p, v)
		}
		c.keys[dissector.Client] = k
		return c, b
	}
	return nil, nil
}

// unseenRetry finds the connection that a client goes on with after a Retry that was
// not captured, or whose tag is not known: with a token and a connection ID of the
// server's.
func (s *parser) unseenRetry(p *packet, v *version) *connection {
	c := s.find(func(c *connection) bool {
		return p.src.n > 0 && p.src == c.client && len(p.token) > 0 && c.token == 0 && !c.known && !c.answered && c.version.number == v.number
	})
	if c != nil {
		c.retried, c.derive = true, p.dst
	}
	return c
}

// begin remembers a new connection, in place of the oldest one when there are too many.
func (s *parser) begin(p *packet, v *version) *connection {
	if len(s.connections) >= maxConnections {
		s.connections = slices.Delete(s.connections, 0, 1)
	}
	s.begun++
	c := &connection{id: s.begun, version: v, origin: p.dst, derive: p.dst, client: p.src, token: len(p.token)}
	s.connections = append(s.connections, c)
	return c
}

// fromServer finds the connection of a server's Initial packet and opens it.
func (s *parser) fromServer(p *packet) (*connection, []byte) {
	for _, c := range slices.Backward(s.connections) {
		if c.client != p.dst {
			continue
		}
		if b := s.opener.open(c.keysFor(dissector.Server, c.derive, p.version), p); b != nil {
			c.server, c.known, c.negotiated = p.src, true, p.version
			return c, b
		}
	}
	return nil, nil
}

// find returns the latest connection for which is is true, nil when there is none.
func (s *parser) find(is func(*connection) bool) *connection {
	for _, c := range slices.Backward(s.connections) {
		if is(c) {
			return c
		}
	}
	return nil
}
