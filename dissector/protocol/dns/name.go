package dns

import (
	"encoding/binary"
	"strconv"

	"shark/dissector"
)

func digits(n int) []byte { return strconv.AppendInt(nil, int64(n), 10) }

// skipName returns the offset behind the name at off, following no pointer.
func skipName(msg []byte, off int) (int, error) {
	for start := off; ; {
		if off >= len(msg) {
			return 0, dissector.ErrShort
		}
		switch c := msg[off]; {
		case c == 0:
			return off + 1, nil
		case c >= 0xc0:
			if off+2 > len(msg) {
				return 0, dissector.ErrShort
			}
			if int(binary.BigEndian.Uint16(msg[off:])&0x3fff) >= start {
				return 0, errMalformed
			}
			return off + 2, nil
		case c >= 0x40:
			return 0, errMalformed
		default:
			off += 1 + int(c)
			if off-start > maxName {
				return 0, errMalformed
			}
		}
	}
}

// appendName appends the name at off to dst without its last dot, the root as
// ".", and returns the offset behind it. Bytes that a name does not usually have
// are escaped as RFC 1035 section 5.1 says. A pointer must point before the
// labels that led to it, so that no loop is possible (RFC 1035 section 4.1.4
// calls it a prior occurrence).
func appendName(dst, msg []byte, off int) ([]byte, int, error) {
	next, size, hops, start, from := 0, 0, 0, off, len(dst)
	for {
		if off >= len(msg) {
			return dst[:from], 0, dissector.ErrShort
		}
		c := int(msg[off])
		switch {
		case c == 0:
			if next == 0 {
				next = off + 1
			}
			if len(dst) == from {
				return append(dst, '.'), next, nil
			}
			return dst, next, nil
		case c >= 0xc0:
			if off+2 > len(msg) {
				return dst[:from], 0, dissector.ErrShort
			}
			if next == 0 {
				next = off + 2
			}
			to := int(binary.BigEndian.Uint16(msg[off:]) & 0x3fff)
			if hops++; to >= start || hops > maxHops {
				return dst[:from], 0, errMalformed
			}
			off, start = to, to
		case c >= 0x40:
			return dst[:from], 0, errMalformed
		default:
			off++
			if size += 1 + c; size >= maxName {
				return dst[:from], 0, errMalformed
			}
			if off+c > len(msg) {
				return dst[:from], 0, dissector.ErrShort
			}
			if len(dst) > from {
				dst = append(dst, '.')
			}
			dst = appendEscaped(dst, msg[off:off+c], true)
			off += c
		}
	}
}

// appendEscaped appends b with its special and unprintable bytes escaped: those
// of a label, or those of a quoted string. Bytes of UTF-8 stay: mDNS has them.
func appendEscaped(dst, b []byte, label bool) []byte {
	for len(b) > 0 {
		n := 0
		for n < len(b) && (plain[b[n]] || b[n] == '.' && !label) {
			n++
		}
		if dst = append(dst, b[:n]...); n == len(b) {
			break
		}
		c := b[n]
		if c < 0x20 || c == 0x7f {
			dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		} else {
			dst = append(dst, '\\', c)
		}
		b = b[n+1:]
	}
	return dst
}

// plain are the bytes of a label that stay as they are.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c != 0x7f && c != '\\' && c != '"' && c != '.'
	}
	return t
}()
