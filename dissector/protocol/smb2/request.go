package smb2

import (
	"fmt"

	"shark/dissector"
	"shark/dissector/wire"
)

// request reads what a client asks for.
func (p *parser) request(h *header, b *body, first bool, m *dissector.Message) error {
	c, v := &commands[h.command], &m.Values
	if b.u16(0) != c.size && h.command != cmdOplockBreak {
		return errMalformed
	}
	dissector.Operation.SetString(v, c.name)
	MessageID.Set(v, int64(h.id))
	p.flags(h, m)
	m.SetKey(h.id)
	if h.command == cmdCancel { // section 3.2.4.24: nothing answers it
		m.Role = dissector.OneWay
		if h.async != 0 {
			AsyncID.Set(v, int64(h.async))
		}
		return nil
	}
	if first || h.flags&flagRelated == 0 {
		p.before = context{tree: tree{h.session, h.tree}}
	} else {
		Related.Set(v, true)
	}
	p.summary = p.summary[:0]
	p.place(h, m)
	if err := p.about(h, b, m); err != nil {
		return err
	}
	if len(p.summary) > 0 {
		dissector.Summary.Set(v, p.summary)
	}
	return nil
}

// flags sets what is in the header of both requests and responses.
func (p *parser) flags(h *header, m *dissector.Message) {
	if h.flags&flagSigned != 0 {
		Signed.Set(&m.Values, true)
	}
	if h.session != 0 && h.session != 1<<64-1 {
		p.session(h.session, m)
	}
}

// place sets the share that a request goes to, if it goes to one.
func (p *parser) place(h *header, m *dissector.Message) {
	switch h.command {
	case cmdNegotiate, cmdSessionSetup, cmdLogoff, cmdTreeConnect, cmdEcho:
		return
	}
	TreeID.Set(&m.Values, int64(p.before.id))
	if share, ok := p.trees.get(p.before.tree); ok {
		Share.SetString(&m.Values, share)
		p.summary = append(p.summary, share...)
	} else {
		m.Resumed = true // its name is unknown
	}
}

// about reads what a request is about.
func (p *parser) about(h *header, b *body, m *dissector.Message) error {
	v := &m.Values
	switch h.command {
	case cmdNegotiate:
		return p.negotiate(b, m)
	case cmdSessionSetup:
		data, _, ok := b.buffer(b.u16(12), b.u16(14))
		if !ok {
			return errMalformed
		}
		p.authentication(data, m)
	case cmdTreeConnect:
		return p.name(b, b.u16(4), b.u16(6), Share, m)
	case cmdCreate:
		p.add(`\`)
		err := p.name(b, b.u16(44), b.u16(46), File, m)
		p.before.name, p.before.known = string(File.Get(v)), true
		return err
	}
	at := commands[h.command].file
	if at == 0 || b.u16(0) != commands[h.command].size { // the OPLOCK_BREAK of a lease has none
		return nil
	}
	if err := p.opened(h.command, at, b, m); err != nil {
		return err
	}
	return p.details(h.command, b, m)
}

// opened sets the name of the file whose id is at off. An id of ones is that of the
// request before, or none.
func (p *parser) opened(command, off int, b *body, m *dissector.Message) error {
	s := b.at(off, 16)
	if s == nil {
		return errMalformed
	}
	id := file(s)
	if id != none {
		p.before.name, p.before.known = p.files.get(id)
		m.Resumed = m.Resumed || !p.before.known
	}
	if command == cmdClose {
		p.files.drop(id)
	}
	if p.before.known {
		File.SetString(&m.Values, p.before.name)
		p.add(`\`)
		p.add(p.before.name)
	}
	return nil
}

// none is the id of no file (section 2.2.31), or of the one of the request before.
var none = file{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func (p *parser) add(s string) { p.summary = append(p.summary, s...) }

// details reads what is done with an open file.
func (p *parser) details(command int, b *body, m *dissector.Message) error {
	v := &m.Values
	switch command {
	case cmdRead, cmdWrite:
		Length.Set(v, int64(b.u32(4)))
		Offset.Set(v, int64(b.u64(8)))
		if command == cmdWrite {
			b.data(b.u16(2), int64(b.u32(4)), m)
		}
	case cmdIoctl:
		name := named(functions, b.u32(4))
		Function.SetString(v, name)
		p.add(" " + name)
	case cmdQueryDirectory:
		p.info(fileInformation, b.u8(2), m)
		p.add(" ")
		return p.name(b, b.u16(24), b.u16(26), Pattern, m)
	case cmdQueryInfo:
		p.info(b.u8(2), b.u8(3), m)
	case cmdSetInfo:
		p.info(b.u8(2), b.u8(3), m)
		return p.rename(b, m)
	}
	return nil
}

// data says where the payload of a READ or WRITE lies, which is passed over.
func (b *body) data(off int, n int64, m *dissector.Message) {
	if off >= headerSMB2 && int64(off)+n <= b.size {
		m.SetBody(b.off+off, n)
	}
}

// info sets a class of information ([MS-FSCC] sections 2.4 and 2.5).
func (p *parser) info(kind, class int, m *dissector.Message) {
	name := infoName(kind, class)
	Info.SetString(&m.Values, name)
	p.add(" " + name)
}

// infoName returns the name of a class, its numbers where it has none.
func infoName(kind, class int) string {
	if kind < len(infoTypes) {
		if s := infoTypes[kind][class]; s != "" {
			return s
		}
		if s := infoTypes[kind][0]; s != "" {
			return s // what has no classes
		}
	}
	return fmt.Sprintf("%d.%d", kind, class)
}

// rename reads the new name in a FileRenameInformation or FileLinkInformation
// ([MS-FSCC] sections 2.4.37 and 2.4.21).
func (p *parser) rename(b *body, m *dissector.Message) error {
	class, off := b.u8(3), b.u16(8)
	if b.u8(2) != fileInformation || class != classRename && class != classLink && class != classRenameEx || b.u32(4) < 20 {
		return nil
	}
	length := b.u32(off - headerSMB2 + 16)
	if off < headerSMB2 || int64(length) > b.size {
		return errMalformed
	}
	p.add(" ")
	return p.name(b, off+20, int(length), NewName, m)
}

// negotiate reads the dialects that are offered (section 2.2.3).
func (p *parser) negotiate(b *body, m *dissector.Message) error {
	n := b.u16(2)
	for i := range n {
		if i == maxListed {
			Dialects.AddString(&m.Values, wire.CutMark)
			break
		}
		if b.at(36+2*i, 2) == nil {
			return errMalformed
		}
		name := named(dialects, uint32(b.u16(36+2*i)))
		Dialects.AddString(&m.Values, name)
		if i > 0 {
			p.add(", ")
		}
		p.add(name)
	}
	return nil
}
