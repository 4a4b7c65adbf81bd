package amqp1

import (
	"encoding/binary"

	"shark/dissector"
)

// probe walks over protocol headers and whole frames that are good to their last octet
// up to one that only one side sends: of the security layer, or a begin, which names
// the session that it answers (part 2, 2.5.1 and 5.3.2). Behind a header that asks
// for TLS it is the side of that handshake that tells. Until then both may send them:
// the two sides' frames look alike.
func probe(head []byte) dissector.Guess {
	var m dissector.Message
	var p performative
	more := dissector.More
	for off := 0; off < len(head); {
		b := head[off:]
		if b[0] == headerStart[0] {
			n := min(len(b), len(headerStart))
			if string(b[:n]) != headerStart[:n] || len(b) >= 5 && layers[b[4]] == "" || len(b) >= 6 && b[5] != 1 {
				return dissector.No
			}
			if len(b) < protocolHeaders {
				return dissector.More
			}
			id, ok := layer(b)
			if !ok {
				return dissector.No
			}
			if off += protocolHeaders; id == tlsID && off < len(head) {
				return handshake(head[off:])
			}
			more = dissector.Either
			continue
		}
		if !plausible(b) {
			return dissector.No
		}
		f, err := readFrame(head, off, &m)
		if err == dissector.ErrShort {
			return more
		}
		if err != nil || f.end-off > dissector.MaxProbe {
			return dissector.No
		}
		if f.body == f.end {
			off = f.end
			continue
		}
		if len(head) > f.body && head[f.body] != described {
			return dissector.No
		}
		if _, err = f.perform(head, &p, &m); err == dissector.ErrShort {
			return more
		}
		if err != nil {
			return dissector.No
		}
		if guess := teller(&p); guess != dissector.More {
			return guess
		}
		off, more = f.end, dissector.Either
	}
	return more
}

// plausible tells whether a frame that a probe can read may begin with b.
func plausible(b []byte) bool {
	if len(b) >= 4 && binary.BigEndian.Uint32(b) < frameHead {
		return false
	}
	return b[0] == 0 && (len(b) < 2 || b[1] == 0) && (len(b) < 5 || b[4] >= 2) && (len(b) < 6 || b[5] <= saslFrame)
}

// teller tells who sends a performative, More where both do.
func teller(p *performative) dissector.Guess {
	switch p.kind {
	case saslInit, saslResponse:
		return dissector.Request
	case saslMechanisms, saslChallenge, saslOutcome:
		return dissector.Response
	case begin:
		if p.fields[0].isNull() {
			return dissector.Request
		}
		return dissector.Response
	}
	return dissector.More
}

// handshake tells who sends a TLS handshake (RFC 8446, 5.1 and 4), which a header has
// asked for.
func handshake(b []byte) dissector.Guess {
	const record, hello = 22, 6 // the type of the record, and the length up to that of the message
	switch {
	case len(b) > 0 && b[0] != record, len(b) > 1 && b[1] != 3:
		return dissector.No
	case len(b) < hello:
		return dissector.More
	case b[5] == 1:
		return dissector.Request
	case b[5] == 2:
		return dissector.Response
	}
	return dissector.No
}
