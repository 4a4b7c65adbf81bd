package tds

import (
	"encoding/binary"

	"shark/dissector"
)

// headerSize is the length of a packet's header (section 2.2.3.1).
const headerSize = 8

// Types of packets (section 2.2.3.1.1).
const (
	typeBatch       = 1
	typeRPC         = 3
	typeResponse    = 4
	typeAttention   = 6
	typeBulk        = 7
	typeFedAuth     = 8
	typeTransaction = 14
	typeLogin       = 16
	typeSSPI        = 17
	typePrelogin    = 18
)

var names = map[byte]string{
	typeBatch:       "SQL_BATCH",
	typeRPC:         "RPC",
	typeAttention:   "ATTENTION",
	typeBulk:        "BULK_LOAD",
	typeFedAuth:     "FEDAUTH_TOKEN",
	typeTransaction: "TRANSACTION_MANAGER",
	typeLogin:       "LOGIN7",
	typeSSPI:        "SSPI",
	typePrelogin:    "PRELOGIN",
}

// Bits of a packet's status (section 2.2.3.1.2).
const (
	statusEnd = 1
	allStatus = 0x1f
)

// header is a packet's header.
type header struct {
	kind, status byte
	length       int
	spid         uint16
	id, window   byte
}

func (h *header) last() bool { return h.status&statusEnd != 0 }

func readHeader(b []byte) (h header, ok bool) {
	h = header{kind: b[0], status: b[1], length: int(binary.BigEndian.Uint16(b[2:])), spid: binary.BigEndian.Uint16(b[4:]), id: b[6], window: b[7]}
	return h, h.status&^allStatus == 0 && h.length >= headerSize && h.length <= maxPacket
}

// of tells whether a side sends packets of this type: both do while TLS is set up.
func (h *header) of(from dissector.Side) bool {
	if from == dissector.Server {
		return h.kind == typeResponse || h.kind == typePrelogin
	}
	return names[h.kind] != ""
}

// encryption is what PRELOGIN agrees on (section 2.2.6.5).
type encryption uint8

const (
	encryptUnknown encryption = iota
	encryptNothing
	encryptLogin
	encryptAll
)

var encryptions = [...]string{"", "nothing", "login", "all"}

// Values of PRELOGIN's option ENCRYPTION.
const (
	optionEncryption = 1
	encryptOff       = 0
	encryptOn        = 1
	encryptNot       = 2
	encryptRequired  = 3
)

// agree says what is encrypted after what both sides said.
func agree(client, server byte) encryption {
	client, server = client&0x7f, server&0x7f // 0x80: with a certificate of the client
	switch {
	case client == encryptNot && server == encryptNot:
		return encryptNothing
	case client == encryptOn, server == encryptOn, client == encryptRequired, server == encryptRequired:
		return encryptAll
	case client == encryptNot, server == encryptNot:
		return encryptNothing
	}
	return encryptLogin
}

// options reads PRELOGIN: a table of options, each with its offset and length, and their
// data.
func options(b []byte) (encrypt byte, ok bool) {
	encrypt = encryptNot
	for i := 0; i+1 <= len(b); i += 5 {
		if b[i] == 0xff {
			return encrypt, i > 0
		}
		if i+5 > len(b) || b[i] > 16 || i == 0 && b[0] != 0 {
			return encrypt, false
		}
		off, n := int(binary.BigEndian.Uint16(b[i+1:])), int(binary.BigEndian.Uint16(b[i+3:]))
		if off+n > len(b) || off < 6 {
			return encrypt, false
		}
		if b[i] == optionEncryption && n == 1 {
			encrypt = b[off]
		}
	}
	return encrypt, false
}

// isTLS tells whether a payload is a record of TLS.
func isTLS(b []byte) bool {
	return len(b) >= 5 && b[0] >= 0x14 && b[0] <= 0x17 && b[1] == 3 && b[2] <= 4
}

// record takes a record of TLS that stands outside of packets: an encrypted login. What
// else of it comes on its own is passed over, and so is all of it where PRELOGIN was lost.
func (p *parser) record(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < 5 {
		m.Need = 5
		return 0, dissector.ErrShort
	}
	if !isTLS(buf) {
		return 0, errMalformed
	}
	span := 5 + int64(binary.BigEndian.Uint16(buf[3:]))
	if from == dissector.Server || buf[0] != 0x17 || p.login || p.secret != encryptLogin {
		m.Skip = true
		return span, nil
	}
	p.login, p.waiting = true, true
	p.name(m, names[typeLogin])
	dissector.Summary.SetString(&m.Values, "encrypted")
	return span, nil
}
