package smtp

import (
	"fmt"

	"shark/dissector"
	"shark/dissector/wire"
)

// envelope is what the server took of sender and recipients.
type envelope struct {
	known  bool
	gaps   uint64 // how many holes there were when MAIL was sent
	sender []byte
	to     [][]byte
	count  int // recipients, with those beyond the limit
}

// took adds what a reply accepts.
func (e *envelope) took(request *dissector.Message) {
	v := &request.Values
	switch request.Notes & (1<<kindBits - 1) {
	case kindMail:
		*e = envelope{known: true, gaps: request.Notes >> kindBits, sender: append([]byte(nil), Sender.Get(v)...)}
	case kindRcpt:
		if e.count++; len(e.to) < maxRecipients {
			for address := range Recipients.Each(v) {
				e.to = append(e.to, append([]byte(nil), address...))
			}
		}
	}
}

// forget ends an envelope.
func (p *parser) forget() { p.mail = envelope{gaps: p.gaps} }

// describe sets the envelope of a message.
func (p *parser) describe(m *dissector.Message) {
	e := &p.mail
	if !e.known && !p.whole || e.gaps != p.gaps {
		m.Resumed = true
	}
	if !e.known {
		return
	}
	v := &m.Values
	Sender.Set(v, e.sender)
	summary := fmt.Appendf(nil, "from %s to ", orEmpty(e.sender))
	for i, address := range e.to {
		Recipients.Add(v, address)
		switch {
		case i == maxSummary:
			summary = fmt.Appendf(summary, " and %d more", e.count-maxSummary)
		case i > 0 && i < maxSummary:
			summary = append(summary, ", "...)
			fallthrough
		case i == 0:
			summary = append(summary, address...)
		}
	}
	if e.count > len(e.to) {
		Recipients.AddString(v, wire.CutMark)
	}
	dissector.Summary.Set(v, summary)
}
