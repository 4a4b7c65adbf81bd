package kerberos

import (
	"shark/dissector"
	"shark/dissector/ber"
)

// The messages' tags, constructed and of the application class (RFC 4120 section 5.10):
// the low bits are msg-type.
const (
	tagASReq  = 0x60 | 10
	tagASRep  = 0x60 | 11
	tagTGSReq = 0x60 | 12
	tagTGSRep = 0x60 | 13
	tagError  = 0x60 | 30
	tagTicket = 0x60 | 1
)

// names are the messages by tag.
var names = map[byte]string{
	tagASReq: "AS-REQ", tagASRep: "AS-REP", tagTGSReq: "TGS-REQ", tagTGSRep: "TGS-REP", tagError: "KRB-ERROR",
}

func asks(tag byte) bool { return tag == tagASReq || tag == tagTGSReq }

// answers tells whether a request may be answered so.
func answers(request, response byte) bool { return response == tagError || response == request+1 }

// context is the tag of an element of a sequence, [n].
func context(n byte) byte { return 0xa0 | n }

// version is pvno, of all messages and of tickets.
const version = 5

// maxEnvelope is how long what comes before the first element that says something of
// the message may be: the headers of the message and of its sequence, and pvno and
// msg-type, which are a byte each in two headers.
const maxEnvelope = 2*ber.MaxHeader + 2*5

// message is a message's envelope.
type message struct {
	tag   byte
	total int64      // bytes, header and all
	body  ber.Reader // behind pvno and msg-type
}

// open reads the beginning of a message. err may be ErrShort. The encoding is DER, so
// that what it is can be told with certainty from its first twenty bytes.
func open(b []byte) (m message, err error) {
	if len(b) == 0 {
		return m, dissector.ErrShort
	}
	m.tag = b[0]
	size, length, ok := ber.Header(b)
	if !ok || names[m.tag] == "" || length > maxMessage {
		return m, errMalformed
	}
	if size == 0 {
		return m, dissector.ErrShort
	}
	m.total = int64(size) + length
	r := ber.Reader{B: b[size:min(int64(len(b)), m.total)], Left: length}
	e, ok := r.Take(ber.Sequence)
	switch {
	case !ok && (r.Bad || !r.Cut()), ok && r.Left != 0:
		return m, errMalformed
	case !ok:
		return m, dissector.ErrShort
	}
	m.body = e.Reader
	first := byte(0)
	if asks(m.tag) {
		first = 1
	}
	for i, want := range []int64{version, int64(m.tag & 0x1f)} {
		n, ok := m.number(context(first + byte(i)))
		switch {
		case ok && n == want:
		case ok || m.body.Bad || !m.body.Cut():
			return m, errMalformed
		default:
			return m, dissector.ErrShort
		}
	}
	return m, nil
}

// number takes an element that holds a small number.
func (m *message) number(tag byte) (n int64, ok bool) {
	e, ok := m.body.Take(tag)
	if !ok {
		return 0, false
	}
	in, ok := e.Take(ber.Integer)
	if !ok || in.Left != 1 {
		m.body.Bad = m.body.Bad || e.Bad || ok
		return 0, false
	}
	return in.Number()
}

// integer reads an element that holds an INTEGER.
func integer(e ber.Element) (n int32, ok bool) {
	in, ok := e.Take(ber.Integer)
	if !ok {
		return 0, false
	}
	return signed(in.Reader)
}

// signed reads the content of an INTEGER, Int32 in the words of RFC 4120 section 5.2.4.
func signed(r ber.Reader) (n int32, ok bool) {
	if r.Left < 1 || r.Left > 4 || r.Cut() {
		return 0, false
	}
	n = int32(int8(r.B[0]))
	for _, c := range r.B[1:] {
		n = n<<8 | int32(c)
	}
	return n, true
}

// inner takes the one element in e, which must have a tag.
func inner(e ber.Element, tag byte) ber.Reader {
	in, _ := e.Take(tag)
	return in.Reader
}
