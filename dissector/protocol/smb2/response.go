package smb2

import "shark/dissector"

// The statuses that are treated in a way of their own.
const (
	statusPending        = 0x00000103
	statusMoreProcessing = 0xc0000016
)

// unasked is the message id of what the server says on its own.
const unasked = 1<<64 - 1

// response reads what a server answers, or says on its own.
func (p *parser) response(h *header, b *body, m *dissector.Message) error {
	v := &m.Values
	p.flags(h, m)
	if h.async != 0 {
		AsyncID.Set(v, int64(h.async))
	}
	if h.id == unasked && (h.command == cmdOplockBreak || h.command == cmdNotification) {
		p.notification(h, b, m)
		return nil
	}
	m.SetKey(h.id)
	if h.status == statusPending {
		m.Role = dissector.Interim
		p.async.put(h.async, nil, maxAsync)
		return nil
	}
	if h.async != 0 {
		if _, seen := p.async.get(h.async); !seen {
			m.Resumed = true // what came before is lost
		}
		p.async.drop(h.async)
	}
	setStatus(h, m)
	peer := m.Peer()
	if peer == nil {
		MessageID.Set(v, int64(h.id))
		dissector.Operation.SetString(v, commands[h.command].name)
	}
	if h.status>>30 != severityError {
		p.result(h, b, peer, m)
	}
	return nil
}

// severityError is the severity of errors ([MS-ERREF] section 2.3).
const severityError = 3

func setStatus(h *header, m *dissector.Message) {
	v := &m.Values
	dissector.Status.SetString(v, named(statuses, h.status))
	dissector.StatusCode.Set(v, int64(h.status))
	dissector.Failed.Set(v, h.status>>30 == severityError && !(h.status == statusMoreProcessing && h.command == cmdSessionSetup))
}

// result reads what a request got, and remembers the names of what ids stand for.
func (p *parser) result(h *header, b *body, peer, m *dissector.Message) {
	v := &m.Values
	switch h.command {
	case cmdNegotiate:
		Dialect.SetString(v, named(dialects, uint32(b.u16(4))))
	case cmdTreeConnect:
		p.connected(tree{h.session, h.tree}, peer)
	case cmdTreeDisconnect:
		p.trees.drop(tree{h.session, h.tree})
	case cmdCreate:
		if action := b.u32(4); action < uint32(len(actions)) {
			Action.SetString(v, actions[action])
		}
		if id := b.at(64, 16); id != nil {
			p.created(file(id), peer)
		}
	case cmdRead:
		DataSize.Set(v, int64(b.u32(4)))
		b.data(b.u8(2), int64(b.u32(4)), m)
	case cmdWrite:
		DataSize.Set(v, int64(b.u32(4)))
	}
}

// connected remembers the share of a tree.
func (p *parser) connected(t tree, peer *dissector.Message) {
	p.trees.drop(t)
	if peer != nil {
		p.trees.put(t, Share.Get(&peer.Values), maxTrees)
	}
}

// created remembers the name of a file that was opened.
func (p *parser) created(id file, peer *dissector.Message) {
	p.files.drop(id)
	if peer != nil {
		p.files.put(id, File.Get(&peer.Values), maxFiles)
	}
}

// notification reads what a server says on its own: that an oplock or a lease is broken
// (section 2.2.23) or a session closed (section 2.2.44).
func (p *parser) notification(h *header, b *body, m *dissector.Message) {
	m.Role = dissector.OneWay
	dissector.Operation.SetString(&m.Values, commands[h.command].name)
	p.summary = p.summary[:0]
	switch {
	case h.command == cmdNotification:
		p.add("to the client")
	case b.u16(0) == sizeOplockBreak && b.at(8, 16) != nil:
		if name, ok := p.files.get(file(b.at(8, 16))); ok {
			File.SetString(&m.Values, name)
			p.add(name + " ")
		} else {
			m.Resumed = true
		}
		p.add("to " + named(oplocks, uint32(b.u8(2))))
	default:
		p.add("lease")
	}
	dissector.Summary.Set(&m.Values, p.summary)
}
