package quic

// Frames that Initial packets may hold (RFC 9000 section 12.4, table 3).
const (
	framePadding = 0x00
	framePing    = 0x01
	frameAck     = 0x02
	frameAckECN  = 0x03
	frameCrypto  = 0x06
	frameClose   = 0x1c
)

// closing is a CONNECTION_CLOSE (RFC 9000 section 19.19).
type closing struct {
	code   uint64
	reason []byte
}

// frames reads the frames of an Initial packet: crypto is told of the pieces of the
// handshake, closed of the end.
func frames(b []byte, crypto func(offset uint64, b []byte), closed func(closing)) error {
	r := newReader(b)
	for len(r.B) > 0 {
		switch r.varint() {
		case framePadding, framePing:
		case frameAck:
			r.ack()
		case frameAckECN:
			r.ack()
			for range 3 {
				r.varint()
			}
		case frameCrypto:
			offset := r.varint()
			if piece := r.TakeLong(r.varint()); !r.Bad {
				crypto(offset, piece)
			}
		case frameClose:
			c := closing{code: r.varint()}
			r.varint() // the type of the frame that was to blame
			if c.reason = r.TakeLong(r.varint()); !r.Bad {
				closed(c)
			}
		default:
			return errMalformed
		}
		if r.Bad {
			return errMalformed
		}
	}
	return nil
}

// ack passes over the ranges of an acknowledgement (RFC 9000 section 19.3).
func (r *reader) ack() {
	r.varint() // largest
	r.varint() // delay
	n := r.varint()
	r.varint() // first range
	for ; n > 0 && !r.Bad; n-- {
		r.varint()
		r.varint()
	}
}
