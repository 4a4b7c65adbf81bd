package tls

import (
	"shark/dissector"
)

// probe wants a record with a client's or a server's hello, in any version from
// SSL 3.0 on, or a client's hello in the form of SSL 2.0.
func probe(head []byte) dissector.Guess {
	if len(head) == 0 {
		return dissector.More
	}
	if head[0]&0x80 != 0 {
		return probeOldHello(head)
	}
	for i, c := range head[:min(len(head), headerLen)] {
		switch {
		case i == 0 && c != recHandshake, i == 1 && c != 3, i == 2 && c > 4:
			return dissector.No
		}
	}
	if len(head) < headerLen {
		return dissector.More
	}
	n := int(head[3])<<8 | int(head[4])
	if n == 0 || n > maxRecord {
		return dissector.No
	}
	// The hello may be cut over records: what of it is in this one must fit.
	hello := head[headerLen:min(len(head), headerLen+n)]
	if len(hello) == 0 {
		return dissector.More
	}
	guess := dissector.Request
	switch hello[0] {
	case hsClientHello:
	case hsServerHello:
		guess = dissector.Response
	default:
		return dissector.No
	}
	if len(hello) >= 4 {
		size := int(hello[1])<<16 | int(hello[2])<<8 | int(hello[3])
		if size < minHello || size > maxHandshake {
			return dissector.No
		}
	}
	if len(hello) >= probeLen-headerLen && (hello[4] != 3 || hello[5] > 4) {
		return dissector.No
	}
	if len(hello) < min(n, probeLen-headerLen) {
		return dissector.More
	}
	return guess
}

// probeLen is how many bytes a probe wants to see: record header, handshake
// header and version.
const probeLen = headerLen + hsHeaderLen + 2

// minHello is the length of the shortest hello: version, random, an empty
// session id, a cipher suite and a compression method.
const minHello = 2 + 32 + 1 + 2 + 1

// oldHello is the head of a client's hello in the form of SSL 2.0 (RFC 5246,
// appendix E.2), which asks for SSL 3.0 or later.
type oldHello struct {
	span, version                int
	suites, sessionID, challenge int // lengths
}

const oldHelloLen = 11

// parseOldHead reads the first oldHelloLen bytes of b.
func parseOldHead(b []byte) (h oldHello, ok bool) {
	h = oldHello{
		span:      2 + (int(b[0]&0x7f)<<8 | int(b[1])),
		version:   int(b[3])<<8 | int(b[4]),
		suites:    int(b[5])<<8 | int(b[6]),
		sessionID: int(b[7])<<8 | int(b[8]),
		challenge: int(b[9])<<8 | int(b[10]),
	}
	ok = b[0]&0x80 != 0 && b[2] == hsClientHello && b[3] == 3 && b[4] <= 3 &&
		h.suites > 0 && h.suites%3 == 0 && (h.sessionID == 0 || h.sessionID == 16) &&
		h.challenge >= 16 && h.challenge <= 32 &&
		h.span == oldHelloLen+h.suites+h.sessionID+h.challenge
	return h, ok
}

func probeOldHello(head []byte) dissector.Guess {
	if len(head) < oldHelloLen {
		if len(head) > 2 && head[2] != hsClientHello || len(head) > 3 && head[3] != 3 {
			return dissector.No
		}
		return dissector.More
	}
	if _, ok := parseOldHead(head); !ok {
		return dissector.No
	}
	return dissector.Request
}

// parseOldHello reads a hello in the form of SSL 2.0. It has no extensions, and
// fingerprints are not defined for it.
func parseOldHello(buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < oldHelloLen {
		m.Need = oldHelloLen
		return 0, dissector.ErrShort
	}
	head, ok := parseOldHead(buf)
	if !ok {
		return 0, errClientHello
	}
	if len(buf) < head.span {
		m.Need = head.span
		return 0, dissector.ErrShort
	}
	v := &m.Values
	dissector.Operation.SetString(v, "ClientHello")
	versions.AddString(v, VersionName(uint16(head.version)))
	list := buf[oldHelloLen : oldHelloLen+head.suites]
	for left := maxListed; len(list) > 0 && left > 0; list = list[3:] {
		if list[0] == 0 { // the others are SSL 2.0's own
			offered.AddString(v, SuiteName(uint16(list[1])<<8|uint16(list[2])))
			left--
		}
	}
	return int64(head.span), nil
}
