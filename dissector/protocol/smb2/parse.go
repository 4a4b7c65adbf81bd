package smb2

import (
	"encoding/binary"
	"encoding/hex"

	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	left    [2]int64 // bytes of a side's frame that belong to the next messages of a compound
	trees   recent[tree]
	files   recent[file]
	async   recent[uint64] // ids that were given with STATUS_PENDING
	before  context        // what the client's message before this one was about
	text    []byte
	summary []byte
}

type (
	tree struct {
		session uint64
		id      uint32
	}
	file [16]byte
)

// context is what a related request has from the one before it (section 3.3.5.2.7.2).
type context struct {
	tree
	name  string
	known bool
}

// parse reads one message, the first of a frame with what comes before it.
func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.forget(from)
	}
	off, rest := 0, p.left[from]
	if rest == 0 {
		if len(buf) < prefix {
			m.Need = prefix
			return 0, dissector.ErrShort
		}
		kind, length := frame(buf)
		if kind != sessionMessage {
			return service(kind, length, m)
		}
		off, rest = prefix, length
	}
	if rest < 4 {
		return 0, errMalformed
	}
	if len(buf) < off+4 {
		m.Need = off + 4
		return 0, dissector.ErrShort
	}
	size, err := p.message(from, buf, off, rest, m)
	if err != nil {
		return 0, err
	}
	p.left[from] = rest - size
	return int64(off) + size, nil
}

// service passes over the packets that set up and keep a session of port 139.
func service(kind byte, length int64, m *dissector.Message) (int64, error) {
	if kind < sessionRequest || kind > sessionKeepAlive || length > maxService {
		return 0, errMalformed
	}
	m.Skip = true
	return prefix + length, nil
}

// forget drops what a hole makes uncertain: ids may have been given anew in it.
func (p *parser) forget(from dissector.Side) {
	p.left[from] = 0
	p.trees, p.files, p.before = recent[tree]{}, recent[file]{}, context{}
	p.async = recent[uint64]{}
}

// message reads a message at off, of which rest bytes are at most, and returns its size.
func (p *parser) message(from dissector.Side, buf []byte, off int, rest int64, m *dissector.Message) (int64, error) {
	least := headerOf(buf[off : off+4])
	if least == 0 || rest < least {
		return 0, errMalformed
	}
	if int64(len(buf)-off) < least {
		m.Need = off + int(least)
		return 0, dissector.ErrShort
	}
	size, b := rest, buf[off:]
	var h header
	switch string(b[:4]) {
	case idEncrypted:
		Encrypted.Set(&m.Values, true)
		p.hidden(from, "encrypted", le.Uint64(b[44:]), m)
		return rest, nil
	case idCompressed:
		p.hidden(from, "compressed", 0, m)
		return rest, nil
	case idSMB2:
		var ok bool
		if h, ok = readHeader(b, rest); !ok || h.response != (from == dissector.Server) {
			return 0, errMalformed
		}
		if h.next > 0 {
			size = h.next
		}
	}
	head := min(size, maxHead)
	if int64(len(b)) < head {
		m.Need = off + int(head)
		return 0, dissector.ErrShort
	}
	if least == headerSMB1 {
		return size, p.smb1(from, b[:head], m)
	}
	body := body{b: b[:head], size: size, off: off}
	if from == dissector.Client {
		return size, p.request(&h, &body, off > 0, m)
	}
	return size, p.response(&h, &body, m)
}

// headerOf returns how long the header of a message is, by its first bytes.
func headerOf(id []byte) int64 {
	switch string(id) {
	case idSMB1:
		return headerSMB1
	case idSMB2:
		return headerSMB2
	case idEncrypted:
		return headerEncrypted
	case idCompressed:
		return headerCompressed
	}
	return 0
}

// hidden makes a one-way message of what can't be read.
func (p *parser) hidden(from dissector.Side, how string, session uint64, m *dissector.Message) {
	m.Role = dissector.OneWay
	dissector.Operation.SetString(&m.Values, how)
	if session != 0 {
		p.session(session, m)
	}
	if from == dissector.Client {
		dissector.Summary.SetString(&m.Values, "to the server")
	} else {
		dissector.Summary.SetString(&m.Values, "to the client")
	}
}

func (p *parser) session(id uint64, m *dissector.Message) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id)
	p.text = hex.AppendEncode(append(p.text[:0], "0x"...), b[:])
	SessionID.Set(&m.Values, p.text)
}

// body is a message from its header on: what of it is at hand. Its fields are counted
// from behind the header, as the specification does; offsets in them from its front.
type body struct {
	b    []byte
	size int64 // of the message
	off  int   // of the message in the buffer
}

// at returns n bytes, nothing where the message is too short for them.
func (b *body) at(off, n int) []byte {
	if off += headerSMB2; off+n > len(b.b) {
		return nil
	}
	return b.b[off : off+n]
}

func (b *body) u8(off int) int {
	if s := b.at(off, 1); s != nil {
		return int(s[0])
	}
	return 0
}

func (b *body) u16(off int) int {
	if s := b.at(off, 2); s != nil {
		return int(le.Uint16(s))
	}
	return 0
}

func (b *body) u32(off int) uint32 {
	if s := b.at(off, 4); s != nil {
		return le.Uint32(s)
	}
	return 0
}

func (b *body) u64(off int) uint64 {
	if s := b.at(off, 8); s != nil {
		return le.Uint64(s)
	}
	return 0
}

// buffer returns what of n bytes is at hand, whose offset is counted from the front of
// the message, and whether that is not all. What does not fit into the message is bad.
func (b *body) buffer(off, n int) (data []byte, cut, ok bool) {
	if n == 0 {
		return nil, false, true
	}
	if off < headerSMB2 || int64(off)+int64(n) > b.size {
		return nil, false, false
	}
	from, to := min(off, len(b.b)), min(off+n, len(b.b))
	return b.b[from:to], to-from < n, true
}
