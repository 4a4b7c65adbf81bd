package mysql

import (
	"encoding/binary"

	"shark/dissector"
)

// reply is what was seen of an answer so far.
type reply struct {
	open    bool
	stage   stage
	seq     byte // of the next packet
	more    bool // the packet goes on in the next
	stray   bool // an EOF packet may follow an answer that is complete
	left    int  // column definitions still to come
	behind  int  // of a prepared statement: columns, behind the parameters
	cmd     byte
	asked   bool // the request is known, and with it cmd
	columns int
	rows    int64
	sets    int // results with rows
	changed int64
	done    bool // some statement was without rows
	insert  uint64
}

// stage is what comes next in an answer.
type stage uint8

const (
	first       stage = iota // of a result
	definitions              // of columns, or of parameters
	metaEnd                  // the EOF packet behind them
	rows
)

// verdict is what a packet means for its answer.
type verdict uint8

const (
	goesOn verdict = iota
	ends
	interim // a packet of the login that is not the last
	wrong
)

// server reads packets of the server as far as they are at hand: one message, or as
// much of it as there is.
func (p *parser) server(buf []byte, m *dissector.Message) (int64, error) {
	if !p.down.open {
		if span, err := p.lone(buf, m); span > 0 || err != nil {
			return span, err
		}
	}
	pos := 0
	for {
		b, h, need := p.packet(buf[pos:])
		if need > 0 {
			if pos > 0 {
				break
			}
			m.Need = need
			return 0, dissector.ErrShort
		}
		if !p.down.open {
			if err := p.open(b, h, m); err != nil {
				return 0, err
			}
		} else if h.seq != p.down.seq {
			return p.broken(pos, m)
		}
		switch p.take(b, h, m) {
		case wrong:
			return p.broken(pos, m)
		case ends:
			p.down.open = false
			return int64(pos + headerSize + h.n), nil
		case interim:
			p.down.open, m.Role = false, dissector.Interim
			return int64(pos + headerSize + h.n), nil
		}
		if pos += headerSize + h.n; pos >= len(buf) {
			break
		}
	}
	m.Open = true
	p.countRows(m)
	return int64(pos), nil
}

// broken ends an answer before a packet that is not its next one.
func (p *parser) broken(pos int, m *dissector.Message) (int64, error) {
	if pos == 0 {
		p.down = reply{}
		return 0, errMalformed
	}
	m.Open = true // the next try is told
	return int64(pos), nil
}

// lone reads what is no answer: the greeting, and the EOF packet that ends an answer
// which was thought to be complete.
func (p *parser) lone(buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < headerSize+1 {
		m.Need = headerSize + 1
		return 0, dissector.ErrShort
	}
	h := readHeader(buf)
	c := buf[headerSize]
	if p.down.stray {
		p.down.stray = false
		if c == 0xfe && h.n == 5 && h.seq == p.down.seq {
			p.eof, m.Skip = eofPackets, true
			return int64(headerSize + h.n), nil
		}
		p.eof = eofNone
	}
	if h.seq != 0 || c != 9 && c != 10 || p.phase != unseen {
		return 0, nil
	}
	if h.n > maxText {
		return 0, errMalformed
	}
	if len(buf) < headerSize+h.n {
		m.Need = headerSize + h.n
		return 0, dissector.ErrShort
	}
	g, ok := readGreeting(buf[headerSize:headerSize+h.n], true)
	if !ok {
		return 0, errMalformed
	}
	p.offered, p.greeted, p.phase = g.caps, true, greeted
	m.Role, m.Begins = dissector.Interim, true
	Command.SetString(&m.Values, commands[comConnect])
	dissector.Operation.SetString(&m.Values, commands[comConnect])
	dissector.Status.SetString(&m.Values, "greeting")
	return int64(headerSize + h.n), nil
}

// packet returns what is needed of the packet at the front of buf: its first byte,
// and all of it, up to a limit, where it is not a row or a definition. need is how
// many bytes that takes when they are not at hand.
func (p *parser) packet(buf []byte) (b []byte, h header, need int) {
	if len(buf) < headerSize {
		return nil, h, headerSize
	}
	h = readHeader(buf)
	see := min(h.n, 1)
	if len(buf) < headerSize+see {
		return nil, h, headerSize + see
	}
	if p.whole(buf[headerSize:headerSize+see], h) {
		see = min(h.n, maxText)
		if len(buf) < headerSize+see {
			return nil, h, headerSize + see
		}
	}
	return buf[headerSize : headerSize+see], h, 0
}

// whole tells whether more than the first byte of a packet is of use.
func (p *parser) whole(b []byte, h header) bool {
	d := &p.down
	switch {
	case !d.open || d.stage == first && !d.more:
		return true
	case d.more || h.n == 0:
		return false
	}
	return b[0] == 0xff || b[0] == 0xfe && h.n < maxPacket
}

// open begins an answer.
func (p *parser) open(b []byte, h header, m *dissector.Message) error {
	p.down = reply{open: true, seq: h.seq}
	peer := m.Peer()
	if peer == nil || peer.Notes&known == 0 {
		return nil
	}
	p.down.cmd, p.down.asked = byte(peer.Notes>>8), true
	simple := p.phase == ready && !p.upload && len(p.file) == 0
	if simple && h.seq != byte(peer.Notes)+1 && (len(b) == 0 || b[0] != 0xff) {
		p.down = reply{}
		return errMalformed
	}
	p.file = p.file[:0]
	return nil
}

// take reads the answer's next packet.
func (p *parser) take(b []byte, h header, m *dissector.Message) verdict {
	d := &p.down
	d.seq = h.seq + 1
	if d.more {
		d.more = h.n == maxPacket
		return goesOn
	}
	if d.more = h.n == maxPacket; d.more && d.stage == rows {
		d.rows++
		return goesOn
	}
	c := byte(0)
	if len(b) > 0 {
		c = b[0]
	}
	if c == 0xff && (d.stage == rows || d.stage == first) {
		return p.fail(b, m)
	}
	switch d.stage {
	case first:
		if h.n == 0 && (!d.asked || d.cmd != comStatistics) {
			return wrong
		}
		return p.begin(c, b, h, m)
	case definitions:
		return p.definition(c, b, h, m)
	case metaEnd:
		return p.endDefinitions(c, b, h, m)
	}
	if c == 0xfe && h.n > 0 && h.n < maxPacket {
		return p.endRows(b, h, m)
	}
	if d.cmd != comFieldList {
		d.rows++
	}
	return goesOn
}

// begin reads the first packet of an answer, or of one of its results.
func (p *parser) begin(c byte, b []byte, h header, m *dissector.Message) verdict {
	d := &p.down
	if p.phase == deciding && (!d.asked || d.cmd == comConnect || d.cmd == comChangeUser) {
		return p.decide(c, b, m)
	}
	if d.asked {
		switch {
		case d.cmd == comStatistics:
			return p.succeed(m, "OK")
		case replication(d.cmd):
			m.Next = dissector.Opaque
			return p.succeed(m, "OK, events follow")
		case d.cmd == comStmtFetch || d.cmd == comFieldList:
			d.stage = rows
			if c == 0xfe && h.n < maxPacket {
				return p.endRows(b, h, m)
			}
			if d.cmd == comStmtFetch {
				d.rows++
			}
			return goesOn
		}
	}
	switch {
	case c == 0x00 && (d.cmd == comStmtPrepare || !d.asked && likePrepared(b)):
		return p.prepareOK(b, m)
	case c == 0x00 && h.n > 2:
		return p.ok(b, m)
	case c == 0xfe && h.n < maxPacket:
		if h.n > 5 {
			return p.ok(b, m)
		}
		return p.succeed(m, "OK")
	case c == 0xfb && h.n > 1:
		return p.wantFile(b[1:], m)
	}
	return p.count(b)
}

// decide reads what the server says to a login.
func (p *parser) decide(c byte, b []byte, m *dissector.Message) verdict {
	more, ok := p.decided(c, m)
	switch {
	case !ok:
		return wrong
	case more:
		return interim
	}
	status := "OK"
	if how := p.compression(); how != "" {
		Compression.SetString(&m.Values, how)
		status += ", compressed by " + how + " from here on"
	}
	p.ok(b, m)
	return p.succeed(m, status)
}

// wantFile is LOCAL INFILE Request: the client sends a file, and then comes the
// result.
func (p *parser) wantFile(name []byte, m *dissector.Message) verdict {
	p.file, p.upload, p.up.file = append(p.file[:0], name...), true, false
	if p.down.done || p.down.sets > 0 {
		return goesOn // the first packet of the statement's result is still to come
	}
	return interim
}

// count reads the number of columns of a result.
func (p *parser) count(b []byte) verdict {
	d, r := &p.down, newReader(b)
	follow := true
	if p.known && p.caps&capOptionalMetadata != 0 && len(b) > 1 {
		follow = r.int(1) != 0
	}
	n := r.lenenc()
	if len(r.B) == 1 { // MARIADB_CLIENT_CACHE_METADATA
		follow = r.int(1) != 0
	}
	if r.Bad || len(r.B) > 0 || n == 0 || n > maxColumns {
		return wrong
	}
	if d.sets++; d.sets == 1 {
		d.columns = int(n)
	}
	d.left, d.stage = int(n), definitions
	if !follow {
		d.left = 0
		p.defined()
	}
	return goesOn
}

// defined is called when all definitions of a kind have come.
func (p *parser) defined() {
	if p.down.stage = metaEnd; p.eof == eofNone {
		p.down.stage = rows
	}
}

// definition passes over the definition of a column or parameter.
func (p *parser) definition(c byte, b []byte, h header, m *dissector.Message) verdict {
	d := &p.down
	if c == 0xff {
		return p.fail(b, m)
	}
	if c == 0xfe && h.n == 5 && d.cmd == comStmtPrepare && p.eof == eofUnknown {
		p.eof = eofPackets // it ended the parameters
		return goesOn
	}
	if d.left--; d.left > 0 {
		return goesOn
	}
	if d.cmd != comStmtPrepare {
		p.defined()
		return goesOn
	}
	if p.eof == eofPackets {
		d.stage = metaEnd
		return goesOn
	}
	return p.nextGroup(m)
}

// endDefinitions reads the EOF packet behind definitions.
func (p *parser) endDefinitions(c byte, b []byte, h header, m *dissector.Message) verdict {
	d := &p.down
	if c != 0xfe || h.n != 5 && h.n != 1 {
		if p.eof != eofUnknown {
			return wrong
		}
		p.eof, d.stage = eofNone, rows
		if c == 0xff {
			return p.fail(b, m)
		}
		if c == 0xfe && h.n > 0 && h.n < maxPacket {
			return p.endRows(b, h, m)
		}
		d.rows++
		return goesOn
	}
	p.eof = eofPackets
	if d.cmd == comStmtPrepare {
		return p.nextGroup(m)
	}
	if d.stage = rows; h.n == 5 && binary.LittleEndian.Uint16(b[3:])&statusCursor != 0 {
		return p.succeed(m, "OK") // COM_STMT_FETCH asks for the rows
	}
	return goesOn
}

// endRows reads the packet that ends a result: EOF, or OK with another first byte.
func (p *parser) endRows(b []byte, h header, m *dissector.Message) verdict {
	status := uint16(0)
	if h.n > 5 {
		r := newReader(b[1:])
		r.lenenc()
		r.lenenc()
		status = uint16(r.int(2))
	} else if h.n == 5 {
		status = binary.LittleEndian.Uint16(b[3:])
	}
	return p.ended(status, m)
}

// ended is called at the end of a result, with the server's status.
func (p *parser) ended(status uint16, m *dissector.Message) verdict {
	if status&statusMoreResults != 0 {
		p.down.stage = first
		return goesOn
	}
	return p.succeed(m, "OK")
}
