package postgresql

import (
	"encoding/binary"
	"strconv"

	"shark/dissector"
)

// The codes of the packets that have no type (section 54.7): a version, or a
// request in the place of one.
const (
	codeCancel = 1234<<16 | 5678
	codeTLS    = 1234<<16 | 5679
	codeGSS    = 1234<<16 | 5680
)

// What a single byte answers.
const (
	askedTLS byte = iota + 1
	askedGSS
)

// packetHead reads the head of a packet without a type.
func packetHead(buf []byte) (size int, code uint32, ok bool) {
	n, code := binary.BigEndian.Uint32(buf), binary.BigEndian.Uint32(buf[4:])
	switch code {
	case codeTLS, codeGSS:
		ok = n == 8
	case codeCancel:
		ok = n >= 16 && n <= 268
	default:
		ok = code>>16 == 3 && n > 8 && n <= maxStartup
	}
	return int(n), code, ok
}

// packet reads a packet without a type.
func (p *parser) packet(buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < 8 {
		m.Need = 8
		return 0, dissector.ErrShort
	}
	size, code, ok := packetHead(buf)
	if !ok {
		return 0, errMalformed
	}
	if len(buf) < size {
		m.Need = size
		return 0, dissector.ErrShort
	}
	switch code {
	case codeTLS:
		p.asked, m.Next = askedTLS, "tlsx"
		name(m, "SSL_REQUEST")
	case codeGSS:
		p.asked, m.Next = askedGSS, dissector.Opaque
		name(m, "GSSENC_REQUEST")
	case codeCancel: // the connection is closed without an answer (section 54.2.8)
		m.Role = dissector.OneWay
		name(m, "CANCEL")
		pid := binary.BigEndian.Uint32(buf[8:])
		PID.Set(&m.Values, int64(pid))
		dissector.Summary.SetString(&m.Values, "process "+strconv.FormatUint(uint64(pid), 10))
	default:
		*p = *newParser()
		m.Notes = kindStartup
		if !p.startup(buf[8:size], m) {
			return 0, errMalformed
		}
	}
	return int64(size), nil
}

// startup takes the parameters of a session that begins (section 54.2.1).
func (p *parser) startup(b []byte, m *dissector.Message) bool {
	var replication bool
	for {
		key, rest, ok := text(b)
		if !ok {
			return false
		}
		if len(key) == 0 {
			break
		}
		value, rest, ok := text(rest)
		if !ok {
			return false
		}
		switch string(key) {
		case "user":
			p.user = append(p.user[:0], shorten(value, maxText, false)...)
		case "database":
			p.database = append(p.database[:0], shorten(value, maxText, false)...)
		case "application_name":
			Application.Set(&m.Values, shorten(value, maxText, false))
		case "replication":
			replication = string(value) != "database"
		}
		b = rest
	}
	if len(p.database) == 0 && !replication {
		p.database = append(p.database, p.user...)
	}
	name(m, "STARTUP")
	p.session(m)
	summary := append([]byte(nil), p.user...)
	if len(p.database) > 0 {
		summary = append(append(summary, '@'), p.database...)
	}
	dissector.Summary.Set(&m.Values, line(summary))
	return true
}

// granted takes the byte that answers a request for encryption (sections 54.2.10 and
// 54.2.11). A server that knows no such request answers with an error instead, which
// more is for.
func (p *parser) granted(b byte, m *dissector.Message) (more bool, err error) {
	asked := p.asked
	p.asked = 0
	switch {
	case b == 'E':
		return true, nil
	case b == 'S' && asked == askedTLS:
		m.Next = "tlsx"
		dissector.Status.SetString(&m.Values, "accepted")
	case b == 'G' && asked == askedGSS:
		m.Next = dissector.Opaque
		dissector.Status.SetString(&m.Values, "accepted, encrypted from here on")
	case b == 'N':
		dissector.Status.SetString(&m.Values, "refused")
	default:
		return false, errMalformed
	}
	return false, nil
}

// authentication names the method that the server asks for (AuthenticationRequest in
// section 54.7).
func authentication(code uint32, body []byte) string {
	switch code {
	case 2:
		return "Kerberos 5"
	case 3:
		return "password"
	case 5:
		return "md5"
	case 7:
		return "GSS"
	case 9:
		return "SSPI"
	case 10: // the mechanisms, the preferred one first
		if mechanism, _, ok := text(body); ok && len(mechanism) <= maxName {
			return string(mechanism)
		}
		return "SASL"
	}
	return ""
}
