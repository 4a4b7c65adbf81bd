package quic

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/tls"
)

// refusal is an answer that ends a connection's attempt: a Version Negotiation or a
// CONNECTION_CLOSE.
type refusal struct {
	versions []byte
	closing  *closing
}

// clone returns a copy that outlives the datagram.
func (r *refusal) clone() *refusal {
	out := &refusal{versions: bytes.Clone(r.versions)}
	if r.closing != nil {
		out.closing = &closing{r.closing.code, bytes.Clone(r.closing.reason)}
	}
	return out
}

// request makes the request of the datagram that completes the client's hello.
func (s *parser) request(d *said, m *dissector.Message) error {
	c := d.c
	if d.repeat && !c.retried {
		c.again++
	}
	hello, long := c.hello[dissector.Client].message(0)
	if c.asked || c.answered || hello == nil && !long {
		s.close(d, m)
		return nil
	}
	c.asked = true
	c.hello[dissector.Client].drop()
	m.SetKey(c.id)
	if long {
		dissector.Operation.SetString(&m.Values, "ClientHello")
		c.describe(m)
		return errTooLong
	}
	h, err := tls.ParseClientHello(hello[typeLen:])
	if err != nil || hello[0] != typeClientHello {
		return errMalformed
	}
	h.Set(m, 'q')
	c.name = bytes.Clone(h.ServerName[:min(len(h.ServerName), maxText)])
	c.describe(m)
	c.offers(&h)
	c.session = open(c, m.Secrets)
	setOffers(&h, c.version, m)
	if c.early != nil {
		s.refuse(c.early, m)
	}
	if d.end != nil {
		c.closed = true
		s.refuse(d.end, m)
	}
	return nil
}

// offers keeps what of the client's hello is needed to read on behind the handshake.
func (c *connection) offers(h *tls.ClientHello) {
	c.hasRandom = copy(c.random[:], h.Random) == len(c.random)
	h.EachALPN(func(name []byte) {
		if len(c.offered) < maxOffered {
			c.offered = append(c.offered, string(name))
		}
	})
}

// describe sets what the client's packets say in the clear.
func (c *connection) describe(m *dissector.Message) {
	v := &m.Values
	Version.Set(v, int64(c.version.number))
	VersionName.SetString(v, versionName(c.version.number))
	setID(v, Destination, &c.origin)
	setID(v, ClientID, &c.client)
	if c.token > 0 {
		Token.Set(v, int64(c.token))
	}
	if c.zeroRTT {
		ZeroRTT.Set(v, true)
	}
}

// setID sets the field, unless the connection ID is an empty one.
func setID(v *field.Values, f field.TextField, id *connectionID) {
	if id.n == 0 {
		return
	}
	var mem [2 * maxIDLen]byte
	f.Set(v, hex.AppendEncode(mem[:0], id.bytes()))
}

// close makes a one-way message of a CONNECTION_CLOSE that answers nothing, and nothing
// of a datagram without one or when a side said so before.
func (s *parser) close(d *said, m *dissector.Message) {
	if d.end == nil || d.end.closing == nil || d.c.closed {
		m.Skip = true
		return
	}
	d.c.closed = true
	m.Role = dissector.OneWay
	s.refuse(d.end, m)
	d.c.describe(m)
	dissector.Summary.Set(&m.Values, dissector.Status.Get(&m.Values))
	dissector.Failed.Set(&m.Values, d.end.closing.code != 0)
}

// response makes the response of the datagram that completes the server's hello or ends
// the connection.
func (s *parser) response(d *said, m *dissector.Message) error {
	c := d.c
	if c.answered {
		s.close(d, m)
		return nil
	}
	m.SetKey(c.id)
	hello, long := c.hello[dissector.Server].message(c.passed)
	switch {
	case long:
		dissector.Operation.SetString(&m.Values, "ServerHello")
		c.answer(m)
		return errTooLong
	case hello != nil:
		if again, err := s.serverHello(c, hello, m); again || err != nil {
			return err
		}
		if c.session == nil { // the client's was not read
			c.session = open(c, nil)
		}
		c.session.agree(c, uint16(suite.Get(&m.Values)))
		d.in = c
	case d.end == nil:
		m.Skip = true
		return nil
	case !c.asked: // the server did not wait for the rest of the hello
		c.early = d.end.clone()
		m.Skip = true
		return nil
	}
	if d.end != nil {
		c.closed = d.end.closing != nil
		s.refuse(d.end, m)
	}
	c.answer(m)
	return nil
}

// answer sets what is known of the connection once it is answered.
func (c *connection) answer(m *dissector.Message) {
	v := &m.Values
	c.answered, c.hello, c.early = true, [2]stream{}, nil
	if c.known {
		setID(v, ServerID, &c.server)
		Negotiated.SetString(v, versionName(c.negotiated))
	}
	if c.retried {
		Retry.Set(v, true)
	}
	if c.zeroRTT {
		ZeroRTT.Set(v, true)
	}
	if c.again > 0 {
		Retransmissions.Set(v, c.again)
	}
	if c.helloRetry {
		helloRetry.Set(v, true)
	}
}

// serverHello reads the server's hello as TLS does, which takes it in a record. again
// says that the server wishes for another hello of the client, which is interim here.
func (s *parser) serverHello(c *connection, hello []byte, m *dissector.Message) (again bool, err error) {
	const recHandshake, version13 = 22, 0x0304
	if hello[0] != typeServerHello {
		return false, errMalformed
	}
	if err := s.tls(recHandshake, hello, m); err != nil {
		return false, err
	}
	if tlsVersion.Get(&m.Values) != version13 { // RFC 9001 section 4.2
		m.Reset()
		return false, errMalformed
	}
	if !helloRetry.Get(&m.Values) {
		return false, nil
	}
	c.helloRetry, m.Role = true, dissector.Interim
	c.passed += len(hello)
	return true, nil
}

// tls gives what a server says to TLS's parser, in a record.
func (s *parser) tls(kind byte, body []byte, m *dissector.Message) error {
	s.record = append(s.record[:0], kind, 3, 3)
	s.record = binary.BigEndian.AppendUint16(s.record, uint16(len(body)))
	s.record = append(s.record, body...)
	_, err := tls.Protocol.New(dissector.TCP)(dissector.Server, s.record, m)
	m.Next, m.Open, m.Notes = "", false, 0 // what follows in TCP does not here
	if err != nil {
		m.Reset()
		return errMalformed
	}
	return nil
}

// refuse sets what an end of the connection says.
func (s *parser) refuse(r *refusal, m *dissector.Message) {
	v := &m.Values
	dissector.Failed.Set(v, true)
	if r.closing == nil {
		dissector.Status.SetString(v, "Version Negotiation")
		for n := 0; n < len(r.versions)/4 && n < maxVersions; n++ {
			Offered.AddString(v, versionName(binary.BigEndian.Uint32(r.versions[4*n:])))
		}
		return
	}
	const recAlert, fatal = 21, 2
	code, name := r.closing.code, errorName(r.closing.code)
	status := name
	if code >= cryptoErrors && code < cryptoErrors+256 {
		if s.tls(recAlert, []byte{fatal, byte(code)}, m) == nil {
			status += " " + string(dissector.Status.Get(v))
		}
	}
	if !m.Has(tlsVersion) && !m.Has(Version) {
		dissector.Operation.SetString(v, "CONNECTION_CLOSE")
	}
	dissector.Status.SetString(v, status)
	dissector.StatusCode.Set(v, int64(code))
	ErrorCode.Set(v, int64(code))
	ErrorName.SetString(v, name)
	if len(r.closing.reason) > 0 {
		Reason.Set(v, r.closing.reason)
	}
}
