package smb2

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/wire"
)

// Of SMB 1 ([MS-CIFS] section 2.2.3.1).
const (
	smb1Negotiate = 0x72
	smb1Reply     = 0x80
	smb1Buffer    = 0x02 // BufferFormat of a dialect
	smb1None      = 0xffff
)

// smb1 reads a NEGOTIATE. A server that speaks SMB 2 answers it with a NEGOTIATE of that
// and message id 0 ([MS-SMB2] section 3.3.5.3.1); what follows one of SMB 1 is not read.
func (p *parser) smb1(from dissector.Side, b []byte, m *dissector.Message) error {
	v := &m.Values
	if b[4] != smb1Negotiate || (b[9]&smb1Reply != 0) != (from == dissector.Server) || len(b) < headerSMB1+3 {
		return errMalformed
	}
	m.SetKey(0)
	words := int(b[headerSMB1])
	data := b[min(headerSMB1+1+2*words, len(b)):]
	if from == dissector.Client {
		dissector.Operation.SetString(v, commands[cmdNegotiate].name)
		if words != 0 || len(data) < 2 {
			return errMalformed
		}
		p.summary = p.summary[:0]
		p.dialects(data[2:], m)
		dissector.Summary.Set(v, p.summary)
		return nil
	}
	h := header{status: le.Uint32(b[5:]), command: cmdNegotiate}
	setStatus(&h, m)
	m.Next = dissector.Opaque
	if words < 1 || len(b) < headerSMB1+3 {
		return nil
	}
	chosen := int(le.Uint16(b[headerSMB1+1:]))
	if peer := m.Peer(); peer != nil && chosen != smb1None {
		for name := range Dialects.Each(&peer.Values) {
			if chosen == 0 && string(name) != wire.CutMark {
				Dialect.Set(v, name)
				break
			}
			chosen--
		}
	}
	return nil
}

// dialects lists the names that an SMB 1 NEGOTIATE offers.
func (p *parser) dialects(b []byte, m *dissector.Message) {
	for i := 0; len(b) > 0 && b[0] == smb1Buffer; i++ {
		name, rest, ok := bytes.Cut(b[1:], []byte{0})
		if !ok || i == maxListed {
			Dialects.AddString(&m.Values, wire.CutMark)
			return
		}
		p.text = appendOEM(p.text[:0], name)
		Dialects.Add(&m.Values, p.text)
		if i > 0 {
			p.add(", ")
		}
		p.summary = append(p.summary, p.text...)
		b = rest
	}
}
