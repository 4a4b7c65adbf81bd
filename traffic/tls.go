package traffic

import "encoding/binary"

// tlsHello appends the ClientHello of a TLS 1.3 client, RFC 8446, section 4.1.2.
func tlsHello(b []byte, r *random, session []byte, name string, protocols ...string) []byte {
	return handshake(b, 0x0301, 1, func(b []byte) []byte {
		b = append(b, 3, 3)
		b = noise(b, r, 32)
		b = append(append(b, byte(len(session))), session...)
		b = append(b, 0, 8, 0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2f, 1, 0)
		return counted(b, 2, func(b []byte) []byte {
			b = extension(b, 0, func(b []byte) []byte { // server_name
				return counted(b, 2, func(b []byte) []byte {
					return counted(append(b, 0), 2, func(b []byte) []byte { return append(b, name...) })
				})
			})
			b = append(b, 0, 10, 0, 6, 0, 4, 0, 29, 0, 23)     // supported_groups: X25519, P-256
			b = append(b, 0, 11, 0, 2, 1, 0)                   // ec_point_formats
			b = append(b, 0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1) // signature_algorithms
			b = append(b, 0, 43, 0, 5, 4, 3, 4, 3, 3)          // supported_versions: 1.3, 1.2
			b = append(b, 0, 45, 0, 2, 1, 1)                   // psk_key_exchange_modes
			b = extension(b, 16, func(b []byte) []byte {       // ALPN
				return counted(b, 2, func(b []byte) []byte {
					for _, p := range protocols {
						b = append(append(b, byte(len(p))), p...)
					}
					return b
				})
			})
			b = append(b, 0, 51, 0, 38, 0, 36, 0, 29, 0, 32) // key_share: X25519
			return noise(b, r, 32)
		})
	})
}

// tlsServerHello appends the ServerHello, and what comes with it in the first
// flight: change_cipher_spec and encrypted records.
func tlsServerHello(b []byte, r *random, session []byte) []byte {
	b = handshake(b, 0x0303, 2, func(b []byte) []byte {
		b = append(b, 3, 3)
		b = noise(b, r, 32)
		b = append(append(b, byte(len(session))), session...)
		b = append(b, 0x13, 1, 0)
		return counted(b, 2, func(b []byte) []byte {
			b = append(b, 0, 43, 0, 2, 3, 4)
			return noise(append(b, 0, 51, 0, 36, 0, 29, 0, 32), r, 32)
		})
	})
	b = append(b, 20, 3, 3, 0, 1, 1)
	return tlsData(b, r, 900+r.below(2600))
}

// tlsData appends a record of n encrypted bytes.
func tlsData(b []byte, r *random, n int) []byte {
	return noise(append(b, 23, 3, 3, byte(n>>8), byte(n)), r, n)
}

// handshake appends a handshake message in a record of its own.
func handshake(b []byte, version uint16, kind byte, f func([]byte) []byte) []byte {
	b = binary.BigEndian.AppendUint16(append(b, 22), version)
	return counted(b, 2, func(b []byte) []byte { return counted(append(b, kind), 3, f) })
}

func extension(b []byte, kind uint16, f func([]byte) []byte) []byte {
	return counted(binary.BigEndian.AppendUint16(b, kind), 2, f)
}

// counted appends what f does behind its length in n bytes.
func counted(b []byte, n int, f func([]byte) []byte) []byte {
	at := len(b)
	b = f(append(b, make([]byte, n)...))
	size := len(b) - at - n
	for i := range n {
		b[at+i] = byte(size >> (8 * (n - 1 - i)))
	}
	return b
}

// noise appends n bytes that mean nothing.
func noise(b []byte, r *random, n int) []byte {
	for ; n >= 8; n -= 8 {
		b = binary.LittleEndian.AppendUint64(b, r.next())
	}
	for range n {
		b = append(b, byte(r.next()))
	}
	return b
}

// secure plays a TLS handshake.
func (c *conversation) secure(name string, protocols ...string) {
	session := noise(nil, &c.random, 32)
	hello := c.say(client, func(b []byte) []byte { return tlsHello(b, &c.random, session, name, protocols...) })
	c.wait(c.skewed(200*microsecond, 3*millisecond))
	// The answer ends with the ServerHello, which its first segment holds.
	answer := c.say(server, func(b []byte) []byte { return tlsServerHello(b, &c.random, session) })
	c.say(client, func(b []byte) []byte { return tlsData(append(b, 20, 3, 3, 0, 1, 1), &c.random, 69) })
	c.report(Call{
		Protocol: "tlsx", Method: "ClientHello", Status: "TLS 1.3",
		Start: hello.first, Elapsed: answer.first - hello.first,
	}, []byte(name))
}

// exchange plays an encrypted request and response.
func (c *conversation) exchange(request, response int, delay int64) {
	c.say(client, func(b []byte) []byte { return tlsData(b, &c.random, request) })
	c.wait(delay)
	c.say(server, func(b []byte) []byte {
		for ; response > 16000; response -= 16000 {
			b = tlsData(b, &c.random, 16000)
		}
		return tlsData(b, &c.random, response)
	})
}

// maxExchanges is the most exchanges of a connection: they are no calls, and
// would take most of a capture.
const maxExchanges = 4

// tlsScript is a TLS connection with some exchanges that nobody can read.
type tlsScript struct {
	left   int
	opened bool
}

func (s *tlsScript) step(c *conversation) bool {
	if !s.opened {
		s.opened = true
		c.open()
		c.secure(c.ends[server].host.name, "h2", "http/1.1")
	}
	c.wait(c.skewed(200*microsecond, 30*millisecond))
	c.exchange(80+c.below(600), 100+c.below(9000), c.skewed(500*microsecond, 40*millisecond))
	s.left--
	if s.left > 0 && !c.world.full() {
		return true
	}
	c.close(client)
	return false
}
