package dissector

import (
	"shark/dissector/field"
	"shark/packet"
)

// Unreadable is why what two sides said encrypted cannot be read, in the words that the field
// conn_tls_reason has.
type Unreadable string

// The reasons.
const (
	NoSecrets       Unreadable = "no secrets"          // of the client's random
	SecretsPartly   Unreadable = "secrets incomplete"  // some that are needed are not there
	HandshakeUnseen Unreadable = "handshake not seen"  // or not all of what tells the keys
	HandshakeFailed Unreadable = "handshake failed"    // nothing was said in it
	NothingSaid     Unreadable = "nothing said"        // behind the handshake in clear
	BytesLost       Unreadable = "bytes lost"          // and no place was found again
	SuiteUnknown    Unreadable = "suite not supported" // or the version
	WrongSecrets    Unreadable = "secrets wrong"       // records do not open with them
	Renegotiated    Unreadable = "renegotiated"        // new keys were made inside
)

func (u Unreadable) Error() string { return string(u) }

// secured is what is known of a connection that goes on encrypted.
type secured struct {
	why    Unreadable // why it cannot be read, or all of it
	proven int64      // records that could
	plain  bool       // the plaintext was taken from a TLS library, too

	library string // that told the secrets it could be read with
}

// The ways in which what was said in TLS could be read, in the words that the field conn_tls has.
const (
	tlsDecrypted = "decrypted"
	tlsPlaintext = "plaintext"
	tlsPartly    = "partly"
	tlsOpaque    = "opaque"
)

// secure returns what is known of the connection's encryption.
func (c *conn) secure() *secured {
	if c.tls == nil {
		c.tls = new(secured)
	}
	return c.tls
}

// middle looks at the front of a segment that no protocol knows: it may be what sides say long
// after their handshake.
func (c *conn) middle(head []byte) {
	if c.tls != nil || len(c.spoken) > 0 || c.key.plain {
		return
	}
	for _, p := range c.p.opts.Protocols {
		if p.Middle != nil && p.Transport&c.transport != 0 && p.Middle(head) {
			c.secure().why = HandshakeUnseen
		}
	}
}

// spoke notes that a protocol is spoken: whether the sides go on encrypted.
func (c *conn) spoke(p *Protocol) {
	switch {
	case p.Open != nil && c.tls == nil:
		c.secure().why = HandshakeUnseen // so far
	case p.Open == nil && c.tls != nil && len(c.spoken) == 0:
		c.tls = nil
	}
}

// reading says how what was said encrypted could be read, and why not; both are empty of a
// connection that is not encrypted.
func (c *conn) reading() (how string, why Unreadable) {
	x := c.tls
	switch {
	case c.key.plain:
		return tlsPlaintext, ""
	case x == nil:
		return "", ""
	case x.proven > 0 && x.why == "":
		return tlsDecrypted, ""
	case x.plain:
		return tlsPlaintext, ""
	case x.proven > 0:
		return tlsPartly, x.why
	}
	return tlsOpaque, x.why
}

// describeTLS sets the fields of the connection that say how it could be read, and counts it.
func (c *conn) describeTLS(e *Entry) {
	how, why := c.reading()
	if how == "" {
		return
	}
	e.TLS, e.Plaintext = how != tlsOpaque, c.key.plain
	if c.key.plain {
		if c.lift(); c.veiled != nil {
			return // that on the wire tells of the connection
		}
	}
	v := &e.Request.Values
	field.ConnTLS.SetString(v, how)
	if why != "" {
		field.ConnTLSReason.SetString(v, string(why))
	}
	if x := c.tls; x != nil && x.library != "" {
		field.ConnTLSLibrary.SetString(v, x.library)
	}
	if c.p.report.TLS == nil {
		c.p.report.TLS = make(map[string]int64)
	}
	if why == "" {
		c.p.report.TLS[how]++
	} else {
		c.p.report.TLS[how+": "+string(why)]++
	}
}

// veil is what a connection taken from a TLS library knows of that on the wire.
type veil struct {
	read bool // it could be read: nothing is to be told twice
}

// lift looks up how far the connection on the wire can be read. That of a connection which is
// over is not forgotten.
func (c *conn) lift() {
	k := c.key
	k.plain = false
	o := c.p.find(k.hash(), &k)
	if o == nil || o.tls == nil {
		return
	}
	if c.veiled == nil {
		c.veiled = new(veil)
	}
	o.tls.plain = true
	c.veiled.read = o.readable()
}

// readable tells whether what the connection says encrypted can be read by now.
func (c *conn) readable() bool {
	if c.over || c.talk == nil || c.talk.tunnel == nil {
		return c.tls.proven > 0 && c.tls.why == ""
	}
	u := c.talk.tunnel
	return u.proven > 0 && u.why == ""
}

// hidden tells whether what is said here is told by the connection on the wire.
func (c *conn) hidden() bool {
	if !c.key.plain {
		return false
	}
	c.lift()
	return c.veiled != nil && c.veiled.read
}

// plainAgain tells whether a packet taken from a TLS library begins another connection of the
// same ends: their numbers begin anew.
func (c *conn) plainAgain(p *packet.Packet) bool {
	return c.key.plain && p.Seq == 1 && p.PayloadLen > 0 && c.tcp.order.Offset(c.dirOf(p)) > 0
}
