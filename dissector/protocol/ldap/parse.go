package ldap

import (
	"shark/dissector"
	"shark/dissector/ber"
	"shark/dissector/field"
)

// parser reads one connection.
type parser struct {
	pending map[int64]pending // the requests not yet answered, by message id
	last    int64             // id of the latest request
	reuses  bool              // the client takes ids again
	gen     uint64            // tells requests apart that have the same id
	gaps    int               // holes in what the server said
	layer   bool              // a SASL bind succeeded: a security layer may follow
	mech    text              // its mechanism
	text    text
	line    text // the summary
}

// pending is a request whose response is awaited.
type pending struct {
	tag                 byte // of the request
	sasl, tls           bool // it is a SASL bind; a StartTLS
	gen                 uint64
	gaps                int // of the server when it was sent
	pieces              int64
	entries, references int64
}

// unasked marks the key of a response whose request was not seen.
const unasked = 1 << 63

// key is what a request and the pieces of its response have in common.
func key(id int64, tag byte, gen uint64) uint64 {
	return uint64(id) | uint64(tag)<<32 | gen<<40&^unasked
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.gap(from)
	}
	if len(buf) == 0 {
		return 0, dissector.ErrShort
	}
	if p.layer && buf[0] == 0 {
		return p.protected(from, m)
	}
	e, err := open(buf)
	if err == dissector.ErrShort && len(buf) >= maxEnvelope {
		err = errMalformed
	}
	if err != nil {
		return 0, err
	}
	head := e.total
	if e.op.Tag != tagSearchEntry { // those are many, and only counted
		head = min(head, maxHead)
	} else {
		head = min(head, maxEnvelope)
	}
	if int64(len(buf)) < head {
		m.Need = int(head)
		return 0, dissector.ErrShort
	}
	if e, err = open(buf[:head]); err != nil {
		return 0, err
	}
	return e.total, p.message(from, &e, m)
}

// datagram reads all that a datagram holds: an answer by CLDAP comes with the
// entry and the result in one.
func (p *parser) datagram(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	span := int64(len(buf))
	for len(buf) > 0 {
		e, err := open(buf)
		if err != nil {
			return 0, err
		}
		if err := p.message(from, &e, m); err != nil {
			return 0, err
		}
		if e.total > int64(len(buf)) {
			return 0, dissector.ErrShort
		}
		buf = buf[e.total:]
	}
	return span, nil
}

// gap forgets what a hole makes uncertain: how many entries there were, and, where
// ids come again, to which request a response belongs.
func (p *parser) gap(from dissector.Side) {
	if from == dissector.Server {
		p.gaps++
	}
	if p.reuses {
		p.forget()
	}
}

// forget leaves the requests so far without a response.
func (p *parser) forget() {
	p.gen++
	clear(p.pending)
}

// protected is what a SASL security layer hides: nothing else follows.
func (p *parser) protected(from dissector.Side, m *dissector.Message) (int64, error) {
	if from == dissector.Client {
		dissector.Operation.SetString(&m.Values, operationSASL)
		dissector.Summary.SetString(&m.Values, "protected by "+string(p.mech.Bytes()))
	} else {
		dissector.Status.SetString(&m.Values, statusSASL)
	}
	return dissector.UntilClose, nil
}

func (p *parser) message(from dissector.Side, e *envelope, m *dissector.Message) error {
	if from == dissector.Client {
		return p.request(e, m)
	}
	return p.response(e, m)
}

// limit is how long a text or a filter may be.
func limit(m *dissector.Message, usual int) int {
	if m.Detail {
		return maxDetail
	}
	return usual
}

// set sets a field to text of the protocol.
func (p *parser) set(m *dissector.Message, f field.TextField, r ber.Reader) {
	p.text.Reset(limit(m, maxText))
	p.text.octets(r, "")
	f.Set(&m.Values, p.text.Bytes())
}
