package thrift

import (
	"bytes"
	"encoding/binary"

	"shark/dissector"
)

// head is what stands before the values of a message.
type head struct {
	protocol int
	kind     int // type of the message
	name     []byte
	id       uint32
	size     int // bytes of it
}

// readHead reads the head of a message. It returns ErrShort when b ends in it.
func readHead(b []byte) (h head, err error) {
	if len(b) < 4 {
		return h, dissector.ErrShort
	}
	switch {
	case b[0] == 0x80 && b[1] == 1 && b[2] == 0:
		h.protocol, h.kind = binaryProtocol, int(b[3])
		err = h.readBinary(b, 4)
	case b[0] == 0x82:
		h.protocol, h.kind = compactProtocol, int(b[1]>>5)
		if b[1]&0x1f != 1 { // version
			return h, errMalformed
		}
		err = h.readCompact(b)
	case b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] > 0:
		h.protocol = oldProtocol
		err = h.readBinary(b, 0)
	default:
		err = errMalformed
	}
	if err == nil && (h.kind < call || h.kind > oneWay || !methodName(h.name)) {
		err = errMalformed
	}
	return h, err
}

// readBinary reads name and sequence id, and in old messages the type between them.
func (h *head) readBinary(b []byte, off int) error {
	if len(b) < off+4 {
		return dissector.ErrShort
	}
	n := binary.BigEndian.Uint32(b[off:])
	if n == 0 || n > maxName {
		return errMalformed
	}
	off += 4
	rest := b[off:]
	if !methodName(rest[:min(len(rest), int(n))]) && len(rest) > 0 {
		return errMalformed
	}
	tail := int(n) + 4
	if h.protocol == oldProtocol {
		tail++
	}
	if len(rest) < tail {
		return dissector.ErrShort
	}
	h.name, rest = rest[:n], rest[n:]
	if h.protocol == oldProtocol {
		h.kind, rest = int(rest[0]), rest[1:]
	}
	h.id, h.size = binary.BigEndian.Uint32(rest), off+tail
	return nil
}

func (h *head) readCompact(b []byte) error {
	r := bytesReader{b: b, off: 2}
	h.id = uint32(r.varint())
	n := r.varint()
	switch {
	case r.bad || !r.short && (n == 0 || n > maxName):
		return errMalformed
	case r.short:
		return dissector.ErrShort
	}
	if rest := b[r.off:min(len(b), r.off+int(n))]; len(rest) > 0 && !methodName(rest) {
		return errMalformed
	}
	if len(b)-r.off < int(n) {
		return dissector.ErrShort
	}
	h.name, h.size = b[r.off:r.off+int(n)], r.off+int(n)
	return nil
}

// methodName tells whether b may be a method's name: an identifier, with its service
// before a colon where services share a connection.
func methodName(b []byte) bool {
	for _, c := range b {
		if !(c == '_' || c == '.' || c == ':' || c == '$' || c == '-' || c == '/' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
			return false
		}
	}
	return len(b) > 0
}

// split parts a service from its method.
func split(name []byte) (service, method []byte) {
	if i := bytes.IndexByte(name, ':'); i > 0 {
		return name[:i], name[i+1:]
	}
	return nil, name
}

// bytesReader reads numbers of the compact protocol.
type bytesReader struct {
	b     []byte
	off   int
	short bool
	bad   bool
}

// varint reads a number of seven bits a byte, the lowest first.
func (r *bytesReader) varint() (n uint64) {
	for shift := 0; ; shift += 7 {
		if r.off >= len(r.b) {
			r.short = true
			return 0
		}
		c := r.b[r.off]
		r.off++
		if shift > 63 {
			r.bad = true
			return 0
		}
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
}

func zigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }
