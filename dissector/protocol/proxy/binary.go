package proxy

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"shark/dissector"
	"shark/dissector/field"
)

// signature begins a header of version 2 (section 2.2). Behind it come version and
// command, family and transport, and the length of the rest.
const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	fixedSize = len(signature) + 4
)

// families are by the byte behind the command.
var families = map[byte]struct {
	name string
	size int // of an address, in bytes
}{
	0x00: {"UNKNOWN", 0}, 0x11: {"TCP4", 4}, 0x12: {"UDP4", 4}, 0x21: {"TCP6", 16}, 0x22: {"UDP6", 16}, 0x31: {"UNIX", 108}, 0x32: {"UNIX_DGRAM", 108},
}

// The types of what may follow the addresses (section 2.2.1 and on).
const (
	typeALPN       = 0x01
	typeAuthority  = 0x02
	typeUniqueID   = 0x05
	typeSSL        = 0x20
	typeSSLVersion = 0x21
	typeSSLName    = 0x22
)

// extras is what followed the addresses.
type extras struct{ alpn, authority, uniqueID, tlsVersion, tlsName []byte }

func (x *extras) set(v *field.Values) {
	for _, e := range []struct {
		f    field.TextField
		text []byte
	}{{ALPN, x.alpn}, {Authority, x.authority}, {TLS, x.tlsVersion}, {Name, x.tlsName}} {
		if len(e.text) > 0 {
			e.f.Set(v, e.text[:min(len(e.text), maxText)])
		}
	}
	if id := x.uniqueID; len(id) > 0 {
		UniqueID.SetString(v, hex.EncodeToString(id[:min(len(id), maxText/2)]))
	}
}

// probeBinary wants the fixed part.
func probeBinary(head []byte) dissector.Guess {
	if len(head) < fixedSize {
		return dissector.More
	}
	if _, err := size(head); err != nil {
		return dissector.No
	}
	return dissector.Request
}

// size returns how many bytes stand behind the fixed part.
func size(head []byte) (int, error) {
	b := head[len(signature):]
	f, known := families[b[1]]
	n := int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 2 || b[0]&15 > 1 || !known || n > maxRest || b[0]&15 == 1 && n < addresses(f.size) {
		return 0, errMalformed
	}
	return n, nil
}

// addresses returns how many bytes two addresses of a size take, with their ports.
func addresses(size int) int {
	if size == 4 || size == 16 {
		return 2*size + 4
	}
	return 2 * size
}

// readBinary reads a header of version 2 and returns its length.
func (h *header) readBinary(buf []byte) (int, error) {
	if len(buf) < fixedSize {
		return 0, dissector.ErrShort
	}
	n, err := size(buf)
	if err != nil {
		return 0, err
	}
	if len(buf) < fixedSize+n {
		return 0, dissector.ErrShort
	}
	f := families[buf[len(signature)+1]]
	h.version, h.local, h.family = 2, buf[len(signature)]&15 == 0, f.name
	if rest := buf[fixedSize : fixedSize+n]; !h.local && f.size > 0 {
		h.src, h.dst = readEnds(rest, f.size)
		h.more.read(rest[addresses(f.size):], true)
	}
	return fixedSize + n, nil
}

// readEnds reads both addresses and their ports, or two paths.
func readEnds(b []byte, size int) (src, dst end) {
	if size == 108 {
		return end{addr: path(b[:size])}, end{addr: path(b[size : 2*size])}
	}
	a, _ := netip.AddrFromSlice(b[:size])
	o, _ := netip.AddrFromSlice(b[size : 2*size])
	ports := b[2*size:]
	return end{a.String(), int64(binary.BigEndian.Uint16(ports))}, end{o.String(), int64(binary.BigEndian.Uint16(ports[2:]))}
}

// path is the path of a socket, which a NUL ends; one without a name is abstract or
// was not bound.
func path(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 {
		return "unnamed"
	}
	return string(b)
}

// read reads types, lengths and values, as far as they fit. Those of TLS stand in one
// of their own, behind a byte of flags and four of the certificate's verification.
func (x *extras) read(b []byte, outer bool) {
	for len(b) >= 3 {
		n := int(binary.BigEndian.Uint16(b[1:]))
		if 3+n > len(b) {
			return
		}
		value := b[3 : 3+n]
		switch t := b[0]; {
		case t == typeALPN && outer:
			x.alpn = value
		case t == typeAuthority && outer:
			x.authority = value
		case t == typeUniqueID && outer:
			x.uniqueID = value
		case t == typeSSL && outer && n >= 5:
			x.read(value[5:], false)
		case t == typeSSLVersion && !outer:
			x.tlsVersion = value
		case t == typeSSLName && !outer:
			x.tlsName = value
		}
		b = b[3+n:]
	}
}
