package http3

import (
	"strconv"

	"shark/dissector"
)

// notice is what is said of all exchanges that are going on: that the server goes away, or that
// the connection ends.
type notice struct {
	to     []uint64 // streams that are still to be told of it
	span   int64    // of the piece that says it
	closed bool     // the connection ends
	code   uint64   // with this code
}

// goAway reads that the server processes no streams from id on (RFC 9114 section 5.2).
func (p *parser) goAway(id uint64, m *dissector.Message) {
	s := &p.sides[dissector.Server]
	if s.leaving && id > s.away { // which it may not say
		return
	}
	s.leaving, s.away = true, id
	p.announce(notice{}, m)
}

// closed reads that a side ends the connection.
func (p *parser) closed(code uint64, m *dissector.Message) {
	p.announce(notice{closed: true, code: code}, m)
}

// announce begins a notice.
func (p *parser) announce(n notice, m *dissector.Message) {
	n.to = p.streams.unfinished(p.notice.to[:0])
	if p.notice = n; len(n.to) > 0 {
		p.tell(m)
	}
}

// tell makes m what the notice says of the next exchange that it is about.
func (p *parser) tell(m *dissector.Message) {
	n := &p.notice
	st := p.streams.get(n.to[len(n.to)-1])
	n.to = n.to[:len(n.to)-1]
	m.Skip, m.Remark, m.Again = false, true, len(n.to) > 0
	m.SetKey(st.id)
	switch {
	case n.closed:
		name := errorName(n.code)
		Closed.SetString(&m.Values, name)
		if !harmless(n.code) {
			dissector.Status.SetString(&m.Values, "CONNECTION_CLOSE "+name)
			dissector.Failed.Set(&m.Values, true)
		}
	case st.id < p.sides[dissector.Server].away:
		GoAway.Set(&m.Values, true)
		return
	default:
		refuse(m)
	}
	m.Cancel = true
	p.streams.by[st.id] = &stream{id: st.id, over: true}
}

// refuse says of a request that the server does not process it, as it goes away.
func refuse(m *dissector.Message) {
	GoAway.Set(&m.Values, true)
	Unprocessed.Set(&m.Values, true)
	dissector.Status.SetString(&m.Values, "GOAWAY")
	dissector.Failed.Set(&m.Values, true)
}

// The error codes that are looked at.
const (
	noError         = 0x100
	requestRejected = 0x10b
)

// errorNames are the error codes of HTTP/3 and QPACK (RFC 9114 section 8.1, RFC 9204 section
// 8.3, RFC 9297 section 5.2).
var errorNames = map[uint64]string{
	0x33:            "H3_DATAGRAM_ERROR",
	noError:         "H3_NO_ERROR",
	0x101:           "H3_GENERAL_PROTOCOL_ERROR",
	0x102:           "H3_INTERNAL_ERROR",
	0x103:           "H3_STREAM_CREATION_ERROR",
	0x104:           "H3_CLOSED_CRITICAL_STREAM",
	0x105:           "H3_FRAME_UNEXPECTED",
	0x106:           "H3_FRAME_ERROR",
	0x107:           "H3_EXCESSIVE_LOAD",
	0x108:           "H3_ID_ERROR",
	0x109:           "H3_SETTINGS_ERROR",
	0x10a:           "H3_MISSING_SETTINGS",
	requestRejected: "H3_REQUEST_REJECTED",
	0x10c:           "H3_REQUEST_CANCELLED",
	0x10d:           "H3_REQUEST_INCOMPLETE",
	0x10e:           "H3_MESSAGE_ERROR",
	0x10f:           "H3_CONNECT_ERROR",
	0x110:           "H3_VERSION_FALLBACK",
	0x200:           "QPACK_DECOMPRESSION_FAILED",
	0x201:           "QPACK_ENCODER_STREAM_ERROR",
	0x202:           "QPACK_DECODER_STREAM_ERROR",
}

// errorName returns the name of an error code, hexadecimal if it has none.
func errorName(code uint64) string {
	if name := errorNames[code]; name != "" {
		return name
	}
	return "0x" + strconv.FormatUint(code, 16)
}

// harmless tells whether a code says that nothing went wrong; those that are reserved say the
// same as H3_NO_ERROR (RFC 9114 section 8.1), and so does 0, with which libraries end what
// their user closed.
func harmless(code uint64) bool {
	return code == 0 || code == noError || code >= 0x21 && (code-0x21)%0x1f == 0
}
