package smb2

import (
	"encoding/binary"

	"shark/dissector"
)

var le = binary.LittleEndian

// The packets of a session service (RFC 1002 section 4.3.1). Over port 445 there are
// messages only ([MS-SMB2] section 2.1), over port 139 the others too.
const (
	sessionMessage   = 0x00
	sessionRequest   = 0x81
	sessionKeepAlive = 0x85
)

const (
	prefix     = 4   // bytes of type and length before messages
	maxService = 512 // bytes of a packet that is no message
)

// The protocols by the first bytes of a message.
const (
	idSMB1       = "\xffSMB"
	idSMB2       = "\xfeSMB"
	idEncrypted  = "\xfdSMB" // [MS-SMB2] section 2.2.41
	idCompressed = "\xfcSMB" // section 2.2.42
)

// The lengths of their headers.
const (
	headerSMB1       = 32
	headerSMB2       = 64
	headerEncrypted  = 52
	headerCompressed = 16
)

// The flags of a header (section 2.2.1).
const (
	flagResponse = 1 << 0
	flagAsync    = 1 << 1
	flagRelated  = 1 << 2
	flagSigned   = 1 << 3
	knownFlags   = 0x3000007f
)

// header is the header of a message. A request and a response have the same.
type header struct {
	status   uint32
	command  int
	flags    uint32
	next     int64 // from this message to the next one of a compound; 0 in the last
	id       uint64
	async    uint64
	tree     uint32
	session  uint64
	response bool
}

// readHeader reads a header, of a message in rest bytes of a frame.
func readHeader(b []byte, rest int64) (h header, ok bool) {
	h = header{
		status: le.Uint32(b[8:]), command: int(le.Uint16(b[12:])), flags: le.Uint32(b[16:]), next: int64(le.Uint32(b[20:])),
		id: le.Uint64(b[24:]), session: le.Uint64(b[40:]),
	}
	if h.flags&flagAsync != 0 {
		h.async = le.Uint64(b[32:])
	} else {
		h.tree = le.Uint32(b[36:])
	}
	h.response = h.flags&flagResponse != 0
	ok = le.Uint16(b[4:]) == headerSMB2 && h.command < len(commands) && h.flags&^knownFlags == 0 &&
		(h.next == 0 || h.next >= headerSMB2 && h.next%8 == 0 && h.next <= rest-headerSMB2)
	return h, ok
}

// frame reads what comes before a message: the type and length of its packet.
func frame(b []byte) (kind byte, length int64) {
	return b[0], int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
}

// probe wants the packet of a session service with an SMB 2 header, or an SMB 1
// NEGOTIATE, in it: both say who sent them.
func probe(head []byte) dissector.Guess {
	if len(head) == 0 {
		return dissector.More
	}
	if head[0] == sessionRequest {
		return probeSession(head)
	}
	if head[0] != sessionMessage {
		return dissector.No
	}
	if len(head) < prefix+4 {
		if len(head) > prefix && head[prefix] != idSMB1[0] && head[prefix] != idSMB2[0] {
			return dissector.No
		}
		return dissector.More
	}
	_, length := frame(head)
	b := head[prefix:]
	switch id := string(b[:4]); {
	case id == idSMB1 && length >= headerSMB1+3:
		if len(b) < headerSMB1 {
			return dissector.More
		}
		if b[4] != smb1Negotiate {
			return dissector.No
		}
		return side(b[9]&smb1Reply != 0)
	case id == idSMB2 && length > headerSMB2:
		if len(b) < headerSMB2 {
			return dissector.More
		}
		if h, ok := readHeader(b, length); ok {
			return side(h.response)
		}
	}
	return dissector.No
}

func side(response bool) dissector.Guess {
	if response {
		return dissector.Response
	}
	return dissector.Request
}

// probeSession knows a session request by its two names, which are encoded in capital
// letters from A to P (RFC 1001 section 14.1).
func probeSession(head []byte) dissector.Guess {
	const size = 2 * (1 + 32 + 1)
	if len(head) < prefix+size {
		if len(head) >= prefix && (head[1] != 0 || head[2] != 0 || head[3] != size) {
			return dissector.No
		}
		return dissector.More
	}
	_, length := frame(head)
	for _, name := range [][]byte{head[prefix:][:size/2], head[prefix+size/2:][:size/2]} {
		if length != size || name[0] != 32 || name[33] != 0 {
			return dissector.No
		}
		for _, c := range name[1:33] {
			if c < 'A' || c > 'P' {
				return dissector.No
			}
		}
	}
	return dissector.Request
}
