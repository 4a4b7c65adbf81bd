package kerberos

import (
	"encoding/binary"

	"shark/dissector"
)

// probe wants the beginning of a message: tag, lengths that fit into each other and
// into TCP's length or the datagram, version and type. No TCP's length begins as a
// message does: its first bit is 0 and it is not as large as that.
func probe(head []byte) dissector.Guess {
	if len(head) == 0 {
		return dissector.More
	}
	framed, b := head[0] == 0, head
	length := int64(-1)
	if framed {
		if len(head) < prefix {
			return dissector.More
		}
		if length = int64(binary.BigEndian.Uint32(head)); length > maxMessage || length < maxEnvelope {
			return dissector.No
		}
		b = head[prefix:]
	}
	m, err := open(b)
	switch {
	case err == dissector.ErrShort && framed:
		return dissector.More
	case err != nil, framed && m.total != length, !framed && int64(len(b)) > m.total:
		return dissector.No
	case asks(m.tag):
		return dissector.Request
	}
	return dissector.Response
}
