package http2

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/protocol/http"
)

// opening is how far the beginning of a connection has come. The preface is a request that
// nothing answers but a refusal: it is an entry with that or where nothing came of it. The first
// SETTINGS of the server say that it will do.
type opening uint8

const (
	unseen   opening = iota // the preface was not, or came behind what the server said
	asked                   // it was
	accepted                // and the server speaks HTTP/2
	settled                 // and there is nothing more to say of it
)

// The preface (RFC 9113, section 3.4) is made so that it is a request line of HTTP/1, whose
// method is registered (section 11.6).
var (
	openingMethod = []byte("PRI")
	openingTarget = []byte("*")
	plainPrefix   = []byte("HTTP/1.")
)

// openingKey is that of the preface and of what answers it: no stream has it.
const openingKey = 0

// open reads the preface. Where the server was first it has accepted it, or refused it: then
// that stands in the request.
func (p *parser) open(from dissector.Side, m *dissector.Message) {
	client, server := &p.sides[dissector.Client], &p.sides[dissector.Server]
	first := from == dissector.Client && p.opening == unseen && !client.begun
	p.begin(from)
	if !first {
		m.Skip = true
		return
	}
	m.SetKey(openingKey)
	http.SetRequest(m, openingMethod, openingTarget, nil, version)
	switch a := &server.away; {
	case !server.begun && !m.Joined: // else its first words may be out of sight
		p.opening, m.Unanswered = asked, dissector.Alone
	case a.n > 0 && a.code != 0:
		p.opening = settled
		a.refuse(m)
	default:
		p.opening, m.Unanswered = accepted, dissector.Hidden
	}
}

// welcome takes SETTINGS, with which the server answers the preface when it accepts it. From
// the acknowledgement on that a side sends while there are calls, those tell more.
func (p *parser) welcome(from dissector.Side, f frame, m *dissector.Message) {
	calls := p.sides[dissector.Client].top > 0
	switch {
	case p.opening == asked && from == dissector.Server:
		p.opening = accepted
	case p.opening == accepted && calls:
	default:
		return
	}
	m.SetKey(openingKey)
	m.Remark, m.Unanswered = true, dissector.Hidden
	if calls {
		m.Cancel = true
		p.opening = settled
	}
}

// turnAway makes a GOAWAY of the server the answer to the preface, and tells whether it is: no
// call was begun, and it is not the polite end of a connection that nobody used.
func (p *parser) turnAway(from dissector.Side, a *away, m *dissector.Message) bool {
	client := &p.sides[dissector.Client]
	refused := p.opening == asked || p.opening == accepted && a.code != 0
	if !refused || from != dissector.Server || client.top > 0 || client.holed {
		return false
	}
	p.opening = settled
	m.SetKey(openingKey)
	a.refuse(m)
	return true
}

// refuse makes m say that the connection is over before it began.
func (a *away) refuse(m *dissector.Message) {
	a.say(m)
	dissector.Status.SetString(&m.Values, "GOAWAY "+errorName(a.code))
	dissector.Failed.Set(&m.Values, a.code != 0)
}

// isPlain tells whether a server begins as one of HTTP/1 does.
func isPlain(buf []byte) bool {
	n := min(len(buf), len(plainPrefix))
	return n > 0 && bytes.Equal(buf[:n], plainPrefix[:n])
}

// plainly reads what a server that speaks HTTP/1 answers to the preface. Where the end of its
// body would have to be looked for, that is the connection's.
func (p *parser) plainly(buf []byte, m *dissector.Message) (int64, error) {
	m.SetKey(openingKey)
	span, err := http.Protocol.New(dissector.TCP)(dissector.Server, buf, m)
	if err != nil {
		return 0, err
	}
	m.Next = ""
	if m.Role == dissector.Interim {
		return span, nil
	}
	p.opening = settled
	if m.Open {
		m.Open = false
		m.SetBody(int(span), dissector.UntilClose-span)
		m.CountBody(http.ResponseBodySize)
		span = dissector.UntilClose
	}
	return span, nil
}
