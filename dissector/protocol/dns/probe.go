package dns

import "shark/dissector"

// kin is which of the three a probe looks for.
type kin uint8

const (
	unicast kin = iota
	mdns
	llmnr
)

// Most entries per section that a probe believes in. A DNS query has one
// question; mDNS asks for many names at once.
const (
	maxProbeQuestions = 4
	maxProbeMdns      = 128
	maxProbeRecords   = 4096
)

// probe takes a datagram, or the start of a TCP stream with its length before
// each message. The length of a stream's message can't pass for an id: what
// follows would have to be a header with hundreds of questions.
func probe(head []byte) dissector.Guess {
	if g := guess(head, unicast, false); g != dissector.No {
		return g
	}
	if len(head) < 3 {
		return dissector.More
	}
	n := int(uint16At(head, 0))
	if n < headerLen+5 {
		return dissector.No
	}
	head = head[2:]
	if len(head) > n {
		head = head[:n]
	}
	return guess(head, unicast, len(head) < n)
}

func probeMdns(head []byte) dissector.Guess  { return guess(head, mdns, false) }
func probeLlmnr(head []byte) dissector.Guess { return guess(head, llmnr, false) }

// guess checks a message. A stream's head may stop anywhere; a datagram may have
// been cut by the capture, but no sooner than behind its first question.
func guess(b []byte, k kin, partial bool) dissector.Guess {
	short := dissector.No
	if partial || len(b) == 0 {
		short = dissector.More
	}
	if len(b) < headerLen {
		return short
	}
	h := readHeader(b)
	if !plausible(h, k) {
		return dissector.No
	}
	off := headerLen
	for i := range h.qd {
		next, ok := question(b, off, k)
		if next == 0 && ok && i == 0 {
			return short
		}
		if next == 0 {
			if !ok {
				return dissector.No
			}
			return side(h)
		}
		off = next
	}
	for i := range h.records() {
		r, err := readRecord(b, off)
		if err == dissector.ErrShort && (h.qd > 0 || i > 0) {
			return side(h)
		}
		if err != nil || !plausibleRecord(r, k) || netbios(b[off:], r.typ) {
			return dissector.No
		}
		off = r.end
	}
	if off != len(b) {
		return dissector.No
	}
	return side(h)
}

func side(h header) dissector.Guess {
	if h.response() {
		return dissector.Response
	}
	return dissector.Request
}

// plausible judges a header on its own.
func plausible(h header, k kin) bool {
	most := maxProbeQuestions
	if k == mdns {
		most = maxProbeMdns
	}
	if h.flags&flagZ != 0 && k == unicast || h.qd > most || h.records() > maxProbeRecords || h.qd+h.records() == 0 {
		return false
	}
	switch h.opcode() {
	case opQuery, opNotify, opUpdate:
	default:
		return false
	}
	if h.response() {
		code := h.rcode()
		return code < len(rcodes) && rcodes[code] != "" && (h.qd > 0 || h.an > 0 || code != 0)
	}
	switch {
	case h.rcode() != 0, h.qd == 0 && k != mdns:
		return false
	case k == mdns, h.opcode() != opQuery:
		return true
	}
	// A query has no answers; IXFR brings an SOA, EDNS and TSIG something additional.
	return h.an == 0 && h.ns <= 1 && h.ar <= 4 && !h.has(flagRA)
}

// question checks the question at off and returns the offset behind it: 0 and
// true when the bytes run out, 0 and false when it is not one.
func question(b []byte, off int, k kin) (next int, ok bool) {
	next, err := skipName(b, off)
	if err == dissector.ErrShort || err == nil && len(b) < next+4 {
		return 0, true
	}
	if err != nil || b[off] >= 0xc0 && off == headerLen {
		return 0, false
	}
	typ, class := uint16At(b, next), uint16At(b, next+2)
	if k != unicast {
		class &^= classTop
	}
	if !plausibleType(typ) || !plausibleClass(class) || netbios(b[off:next], typ) {
		return 0, false
	}
	return next + 4, true
}

// netbios tells the name of a NetBIOS message (RFC 1002), which is framed like DNS:
// it is 32 letters from A to P, of types that DNS gave away anew.
func netbios(name []byte, typ uint16) bool {
	if typ != typeNIMLOC && typ != typeSRV || len(name) < 33 || name[0] != 32 {
		return false
	}
	for _, c := range name[1:33] {
		if c < 'A' || c > 'P' {
			return false
		}
	}
	return true
}

func plausibleRecord(r record, k kin) bool {
	if r.typ == typeOPT {
		return true // its class is a size
	}
	class := r.class
	if k != unicast {
		class &^= classTop
	}
	return r.typ != 0 && plausibleClass(class)
}
