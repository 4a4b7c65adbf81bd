package mysql

import (
	"bytes"

	"shark/dissector"
)

// greeting is what a server says first: Protocol::HandshakeV10, or V9 of servers
// before 3.21.
type greeting struct {
	caps  uint64
	short bool // more of the bytes are needed to tell
}

// readGreeting reads a packet that begins as a greeting does and tells whether it is
// one. whole says that b is all of the payload.
func readGreeting(b []byte, whole bool) (g greeting, ok bool) {
	r := newReader(b)
	version := r.int(1)
	if len(b) == 0 {
		return greeting{short: true}, true
	}
	if version != 9 && version != 10 {
		return g, false
	}
	name := r.B[:min(len(r.B), maxVersion+1)]
	end := bytes.IndexByte(name, 0)
	if end < 0 {
		return greeting{short: true}, !whole && len(name) <= maxVersion && plain(name)
	}
	if end < 3 || !plain(name[:end]) || bytes.IndexByte(name[:end], '.') < 1 || !digit(name[0]) {
		return g, false
	}
	r.cstring()
	r.int(4) // connection id
	if version == 9 {
		scramble := r.cstring()
		return greeting{short: r.Bad && !whole}, !whole || !r.Bad && len(scramble) == 8 && len(r.B) == 0
	}
	r.int(8)
	zero := r.int(1)
	g.caps = r.int(2)
	r.int(1 + 2) // character set, status
	g.caps |= r.int(2) << 16
	r.int(1 + 6) // length of the scramble, filler
	extended := r.int(4)
	if zero != 0 || r.Bad && (whole && len(b) < 24) {
		return g, false
	}
	if g.caps&capMySQL == 0 {
		g.caps |= extended << 32
	}
	g.short = r.Bad && !whole
	return g, true
}

// maxVersion is how long a server's version may be, in bytes.
const maxVersion = 128

// login reads the client's first packet: SSLRequest or the handshake response.
func (p *parser) login(buf []byte, h header, m *dissector.Message) (int64, error) {
	if h.n > maxLogin || h.n < 5 || h.seq == 0 {
		if p.phase = ready; h.seq == 0 { // the login was not seen
			return p.command(buf, h, m)
		}
		return 0, errMalformed
	}
	if len(buf) < headerSize+h.n {
		m.Need = headerSize + h.n
		return 0, dissector.ErrShort
	}
	b := buf[headerSize : headerSize+h.n]
	l, ok := readLogin(b)
	if !ok {
		return 0, errMalformed
	}
	span := int64(len(b) + headerSize)
	v := &m.Values
	if l.ssl {
		m.Role, m.Next = dissector.OneWay, "tlsx" // nothing answers it
		dissector.Operation.SetString(v, "SSLRequest")
		return span, nil
	}
	if p.greeted {
		l.caps &= p.offered
	}
	p.caps, p.known, p.phase = l.caps, true, deciding
	if p.eof = eofPackets; p.caps&capDeprecateEOF != 0 {
		p.eof = eofNone
	}
	p.session.begin(l.user, l.database)
	p.describe(m, comConnect)
	m.Notes = notes(comConnect, h.seq)
	p.summariseLogin(m)
	return span, nil
}

// summariseLogin says who wants in where.
func (p *parser) summariseLogin(m *dissector.Message) {
	p.scrap = append(append(p.scrap[:0], "user "...), p.user...)
	if len(p.database) > 0 {
		p.scrap = append(append(p.scrap, " database "...), p.database...)
	}
	dissector.Summary.Set(&m.Values, p.scrap)
}

// login is the head of a Protocol::HandshakeResponse or of an SSLRequest.
type login struct {
	caps           uint64
	ssl            bool
	user, database []byte
}

// readLogin reads the payload of one.
func readLogin(b []byte) (l login, ok bool) {
	r := newReader(b)
	l.caps = r.int(2)
	if l.caps&capProtocol41 == 0 {
		return readLogin320(l, r)
	}
	l.caps |= r.int(2) << 16
	r.int(4 + 1) // longest packet, character set
	filler := r.Take(19)
	extended := r.int(4)
	if r.Bad || !zeros(filler) {
		return l, false
	}
	if l.caps&capMySQL == 0 {
		l.caps |= extended << 32
	}
	if len(r.B) == 0 {
		l.ssl = l.caps&capSSL != 0
		return l, l.ssl
	}
	l.user = r.cstring()
	switch { // the answer to the scramble, or the password itself
	case l.caps&capAuthLenenc != 0:
		r.text()
	case l.caps&capSecureConnection != 0:
		r.TakeLong(r.int(1))
	default:
		r.cstring()
	}
	if l.caps&capConnectWithDB != 0 && len(r.B) > 0 {
		l.database = r.cstring()
	}
	return l, !r.Bad && plain(l.user)
}

// readLogin320 reads the login of clients before 4.1.
func readLogin320(l login, r reader) (login, bool) {
	r.int(3)
	if len(r.B) == 0 {
		l.ssl = l.caps&capSSL != 0
		return l, l.ssl
	}
	l.user = r.cstring()
	if l.caps&capConnectWithDB != 0 {
		r.cstring()
		if l.database = r.rest(); len(l.database) > 0 && l.database[len(l.database)-1] == 0 {
			l.database = l.database[:len(l.database)-1]
		}
	}
	return l, !r.Bad && plain(l.user)
}

// changeUser reads COM_CHANGE_USER: user, the answer to the scramble and database.
func (p *parser) changeUser(r reader) {
	user := r.cstring()
	if !p.known || p.caps&capSecureConnection != 0 {
		r.TakeLong(r.int(1))
	} else {
		r.cstring()
	}
	p.session.begin(user, r.cstring())
	p.phase = deciding
}

// decided reads what the server says to a login: whether it is granted, or what
// else it wants to know. It returns false for none of these.
func (p *parser) decided(first byte, m *dissector.Message) (interim, ok bool) {
	switch first {
	case 0x00:
		p.phase = ready
		if p.compression() != "" {
			m.Next = dissector.Opaque
		}
		return false, true
	case 0xff:
		p.phase = ready
		return false, true
	case 0xfe, 0x01: // AuthSwitchRequest, AuthMoreData
		return true, true
	}
	return false, false
}

// compression names how the packets behind the login are compressed; empty where they are not, or
// the login was not seen.
func (p *parser) compression() string {
	switch {
	case !p.known || p.caps&(capCompress|capZstd) == 0:
		return ""
	case p.caps&capCompress != 0:
		return "zlib"
	}
	return "zstd"
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// plain tells whether b may be a name: no control characters.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
