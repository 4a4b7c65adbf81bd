package mysql

import (
	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	session
	offered uint64 // capabilities of the server's greeting
	greeted bool   // that was seen
	caps    uint64 // that both sides have
	known   bool   // caps are: the login was seen
	eof     dialect
	phase   phase
	up      upstream
	down    reply
	// file is the file that the server asked for, while its data is due.
	file   []byte
	upload bool
	scrap  []byte
}

// phase is where a connection is in its life.
type phase uint8

const (
	unseen   phase = iota // nothing of the login was seen
	greeted               // the server's greeting was: the login is next
	deciding              // a login or change of user was asked for
	ready
)

// dialect says whether EOF packets end column definitions and rows.
type dialect uint8

const (
	eofUnknown dialect = iota
	eofPackets
	eofNone // CLIENT_DEPRECATE_EOF
)

// upstream is what is known of the client's packet or message under way.
type upstream struct {
	open   bool // a command of 16 MB or more goes on
	silent bool
	file   bool // so does a file
	seq    byte // of the last packet
}

// What a request's Notes hold for its answer: known, the command and the sequence
// number of the last packet.
const known = 1 << 16

func notes(cmd, seq byte) uint64 { return known | uint64(cmd)<<8 | uint64(seq) }

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.lose(from)
	}
	if from == dissector.Server {
		return p.server(buf, m)
	}
	if len(buf) < headerSize {
		m.Need = headerSize
		return 0, dissector.ErrShort
	}
	return p.client(buf, m)
}

// lose forgets what bytes that were not seen may have changed.
func (p *parser) lose(from dissector.Side) {
	if from == dissector.Server {
		p.down = reply{}
		p.loseAnswer()
		return
	}
	p.up, p.upload = upstream{}, false
	p.session.lose()
	if p.phase == deciding {
		p.phase = ready
	}
}

// client reads a packet of the client.
func (p *parser) client(buf []byte, m *dissector.Message) (int64, error) {
	h := readHeader(buf)
	next := p.up.seq + 1
	switch {
	case p.up.open:
		if h.seq != next {
			return 0, errMalformed
		}
		return p.more(h, m), nil
	case p.upload && (!p.up.file && h.seq != 0 || p.up.file && h.seq == next):
		return p.data(h, m), nil
	case p.phase == greeted || p.phase == unseen && h.seq == 1:
		return p.login(buf, h, m)
	case p.phase == deciding && h.seq != 0:
		if h.n > maxLogin {
			return 0, errMalformed
		}
		m.Skip = true // what proves the password
		return int64(headerSize + h.n), nil
	}
	return p.command(buf, h, m)
}

// more reads a packet that goes on with a command.
func (p *parser) more(h header, m *dissector.Message) int64 {
	p.up.seq, p.up.open = h.seq, h.n == maxPacket
	m.Open = p.up.open
	if p.up.silent {
		m.Role = dissector.OneWay
	}
	m.Notes = m.Notes&^0xff | uint64(h.seq)
	return int64(headerSize + h.n)
}

// data reads a packet of a file that the server asked for: an empty one ends it.
func (p *parser) data(h header, m *dissector.Message) int64 {
	if !p.up.file {
		p.setSession(m)
		dissector.Operation.SetString(&m.Values, "LOCAL INFILE")
		dissector.Summary.Set(&m.Values, p.file)
	}
	m.Role, m.Open = dissector.OneWay, h.n > 0
	m.SetBody(headerSize, int64(h.n))
	p.upload, p.up.file, p.up.seq = m.Open, m.Open, h.seq
	return int64(headerSize + h.n)
}
