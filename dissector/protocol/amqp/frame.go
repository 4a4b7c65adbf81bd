package amqp

import (
	"encoding/binary"

	"shark/dissector"
)

// frame is the head of a frame (specification, 4.2.3): type, channel, size of the
// payload, which the octet 0xCE follows.
type frame struct {
	kind    byte
	channel uint16
	size    int64
}

// The types of frames (specification, 4.2.3; heartbeat by 4.2.7 and the constants).
const (
	methodFrame    = 1
	headerFrame    = 2
	bodyFrame      = 3
	heartbeatFrame = 8
)

const (
	frameHead = 7
	frameEnd  = 0xce
)

// The protocol header, and what it has in common with those of other versions
// (specification, 4.2.2).
const (
	header      = "AMQP\x00\x00\x09\x01"
	headerStart = "AMQP"
)

// readFrame reads the head of the frame at off of buf.
func readFrame(buf []byte, off int, m *dissector.Message) (frame, error) {
	if len(buf)-off < frameHead {
		m.Need = off + frameHead
		return frame{}, dissector.ErrShort
	}
	b := buf[off:]
	f := frame{b[0], binary.BigEndian.Uint16(b[1:]), int64(binary.BigEndian.Uint32(b[3:]))}
	limit := int64(maxHead)
	switch f.kind {
	case methodFrame, headerFrame:
	case bodyFrame:
		limit = maxFrame
	case heartbeatFrame:
		limit = 0
	default:
		return f, errMalformed
	}
	if f.size > limit {
		return f, errMalformed
	}
	return f, nil
}

// payload returns what the frame at off holds, and the offset behind it.
func (f frame) payload(buf []byte, off int, m *dissector.Message) ([]byte, int, error) {
	end := off + frameHead + int(f.size)
	if len(buf) <= end {
		m.Need = end + 1
		return nil, 0, dissector.ErrShort
	}
	if buf[end] != frameEnd {
		return nil, 0, errMalformed
	}
	return buf[off+frameHead : end], end + 1, nil
}

// readMethod reads a method frame's payload: who sends such a method must be among
// from, and the connection's methods come on channel 0.
func readMethod(f frame, b []byte, from senders, a *args) *method {
	if len(b) < 4 {
		return nil
	}
	class, number := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
	md := methods[newID(class, number)]
	if md == nil || md.from&from == 0 || (class == 10) != (f.channel == 0) || !a.read(md.args, b[4:]) {
		return nil
	}
	return md
}
