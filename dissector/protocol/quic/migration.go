package quic

import (
	"net/netip"

	"shark/dissector"
)

// Packets with a short header (RFC 9000 section 17.3.1) begin with a byte of flags and the
// connection ID of whom they are for. How long that is they do not say: a server's is as long
// as the one that it gave in the handshake, since it reads it back without knowing more.

// shortID returns what a packet with a short header has in place of a connection ID and
// behind it, nil if b is no such packet.
func shortID(b []byte) []byte {
	if len(b) == 0 || b[0]&(longHeader|fixedBit) != fixedBit {
		return nil
	}
	return b[1:]
}

// short reads a client's packet with a short header: which connection ID of the server's it
// uses. Whose that is of several connections between the same ports is not known.
func (s *parser) short(buf []byte, m *dissector.Message) {
	m.Skip = true
	var c *connection
	for _, x := range s.connections {
		if !x.known {
			continue
		}
		if c != nil {
			return
		}
		c = x
	}
	rest := shortID(buf)
	if c == nil || len(rest) < int(c.server.n) {
		return
	}
	used := connectionID{n: c.server.n}
	copy(used.b[:], rest)
	c.leave(used, m)
	if s.before.IsValid() {
		c.server = used
		c.migrated(s.before, m)
		s.before = netip.AddrPort{}
	}
}

// leave says by which connection ID of the server's a client that goes on from another port
// is known again, if it is a new one.
func (c *connection) leave(used connectionID, m *dissector.Message) {
	if c.used == used {
		return
	}
	c.used = used
	m.Trail = &dissector.Trail{Name: used.bytes(), Follow: func(before netip.AddrPort) dissector.Parse {
		there := &connection{
			id: 1, version: c.version, origin: c.origin, derive: c.derive, client: c.client, server: c.server, known: true, negotiated: c.negotiated,
			name: c.name, asked: true, answered: true, session: c.session,
		}
		return (&parser{connections: []*connection{there}, begun: 1, before: before}).parse
	}}
}

// migrated makes the one-way message of a client that goes on from here.
func (c *connection) migrated(before netip.AddrPort, m *dissector.Message) {
	v := &m.Values
	m.Skip, m.Role = false, dissector.OneWay
	dissector.Operation.SetString(v, "Migration")
	if len(c.name) > 0 {
		dissector.Summary.Set(v, c.name)
		serverName.Set(v, c.name)
	}
	c.describe(m)
	setID(v, ServerID, &c.server)
	MigratedFrom.SetString(v, before.String())
}
