package quic

import (
	"shark/dissector"
	"shark/dissector/protocol/quic/record"
)

// More frames, of packets behind the handshake (RFC 9000 section 12.4, table 3; RFC 9221;
// RESET_STREAM_AT: draft-ietf-quic-reliable-stream-reset; IMMEDIATE_ACK and ACK_FREQUENCY:
// draft-ietf-quic-ack-frequency; TIMESTAMP: draft-huitema-quic-ts).
const (
	frameReset         = 0x04
	frameStop          = 0x05
	frameNewToken      = 0x07
	frameStream        = 0x08 // to 0x0f
	frameMaxData       = 0x10
	frameMaxStreamData = 0x11
	frameMaxStreams    = 0x12 // and 0x13
	frameBlocked       = 0x14
	frameStreamBlocked = 0x15
	frameStreamsLimit  = 0x16 // and 0x17
	frameNewID         = 0x18
	frameRetireID      = 0x19
	framePathChallenge = 0x1a
	framePathResponse  = 0x1b
	frameCloseApp      = 0x1d
	frameDone          = 0x1e
	frameResetAt       = 0x24
	frameImmediateAck  = 0x1f
	frameDatagram      = 0x30 // and 0x31
	frameAckFrequency  = 0xaf
	frameTimestamp     = 0x2f5
)

// Bits of a STREAM frame's type (RFC 9000 section 19.8).
const (
	streamFin    = 1
	streamLen    = 2
	streamOffset = 4
)

// Bytes of what frames have in fixed lengths.
const (
	pathData   = 8  // of PATH_CHALLENGE and PATH_RESPONSE
	resetToken = 16 // of NEW_CONNECTION_ID
)

// frames reads the frames of a packet behind the handshake, which from sent at a time in ns.
// What is behind one of an unknown type cannot be read.
func (x *session) frames(from dissector.Side, b []byte) {
	r := newReader(b)
	s := &x.half[from].streams
	for len(r.B) > 0 && !r.Bad {
		switch kind := r.varint(); {
		case kind >= frameStream && kind < frameStream+8:
			id, offset := r.varint(), uint64(0)
			if kind&streamOffset != 0 {
				offset = r.varint()
			}
			size := uint64(len(r.B))
			if kind&streamLen != 0 {
				size = r.varint()
			}
			if data := r.TakeLong(size); !r.Bad {
				s.add(id, offset, data, kind&streamFin != 0)
			}
		case kind == frameReset, kind == frameResetAt:
			id, code := r.varint(), r.varint()
			r.varint() // its size
			if kind == frameResetAt {
				r.varint()
			}
			if !r.Bad {
				s.reset(id, code)
			}
		case kind == frameStop:
			if id, code := r.varint(), r.varint(); !r.Bad {
				s.out = record.AppendNumber(s.out, record.Stop, id, s.now, code)
			}
		case kind == frameCloseApp:
			code := r.varint()
			if r.TakeLong(r.varint()); !r.Bad {
				s.out = record.AppendNumber(s.out, record.Close, 0, s.now, code)
			}
		default:
			r.other(kind)
		}
	}
}

// other passes over a frame that says nothing of streams.
func (r *reader) other(kind uint64) {
	switch kind {
	case framePadding, framePing, frameDone, frameImmediateAck:
	case frameAck:
		r.ack()
	case frameAckECN:
		r.ack()
		r.numbers(3)
	case frameCrypto:
		r.varint()
		r.TakeLong(r.varint())
	case frameNewToken, frameDatagram + 1:
		r.TakeLong(r.varint())
	case frameMaxData, frameMaxStreams, frameMaxStreams + 1, frameBlocked, frameStreamsLimit, frameStreamsLimit + 1, frameRetireID, frameTimestamp:
		r.varint()
	case frameMaxStreamData, frameStreamBlocked:
		r.numbers(2)
	case frameAckFrequency:
		r.numbers(4)
	case frameNewID:
		r.numbers(2)
		r.connectionID()
		r.Take(resetToken)
	case framePathChallenge, framePathResponse:
		r.Take(pathData)
	case frameClose:
		r.numbers(2)
		r.TakeLong(r.varint())
	default: // of a DATAGRAM without a length, too
		r.Fail()
	}
}

// numbers passes over n numbers.
func (r *reader) numbers(n int) {
	for range n {
		r.varint()
	}
}
