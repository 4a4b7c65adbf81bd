package snmp

import (
	"encoding/hex"
	"net/netip"
	"strconv"

	"shark/dissector/ber"
)

// isOID tells whether b is an object identifier.
func isOID(b []byte) bool {
	arcs, n := 0, uint64(0)
	for _, c := range b {
		if n == 0 && c == 0x80 || n >= 1<<32 {
			return false
		}
		if n = n<<7 | uint64(c&0x7f); c&0x80 == 0 {
			arcs, n = arcs+1, 0
		}
	}
	return arcs > 0 && arcs < maxArcs && b[len(b)-1]&0x80 == 0
}

// appendOID appends an object identifier in dots.
func appendOID(dst, b []byte) []byte {
	n, first := uint64(0), true
	for _, c := range b {
		if n = n<<7 | uint64(c&0x7f); c&0x80 != 0 {
			continue
		}
		if first { // two numbers in one: X.690 section 8.19.4
			top := min(n/40, 2)
			dst = strconv.AppendUint(dst, top, 10)
			n, first = n-40*top, false
		}
		dst = strconv.AppendUint(append(dst, '.'), n, 10)
		n = 0
	}
	return dst
}

// isValue tells whether a value may be sent so (RFC 3416 section 3).
func isValue(tag byte, b []byte) bool {
	switch tag {
	case ber.Integer:
		return len(b) >= 1 && len(b) <= 4
	case tagNull, tagNoSuchObject, tagNoSuchInstance, tagEndOfMibView:
		return len(b) == 0
	case ber.OctetString, tagOpaque, tagNsapAddress:
		return true
	case tagOID:
		return len(b) == 0 || isOID(b)
	case tagIPAddress:
		return len(b) == 4
	case tagCounter32, tagGauge32, tagTimeTicks, tagUInteger32:
		return len(b) >= 1 && len(b) <= 5
	case tagCounter64:
		return len(b) >= 1 && len(b) <= 9
	}
	return false
}

// appendValue appends a value as text: strings as they are where they can be read,
// else in hexadecimal.
func appendValue(dst []byte, tag byte, b []byte) []byte {
	switch tag {
	case ber.Integer:
		return strconv.AppendInt(dst, signed(b), 10)
	case tagCounter32, tagGauge32, tagTimeTicks, tagUInteger32, tagCounter64:
		return strconv.AppendUint(dst, unsigned(b), 10)
	case tagOID:
		return appendOID(dst, b)
	case tagIPAddress:
		if a, ok := netip.AddrFromSlice(b); ok {
			return a.AppendTo(dst)
		}
	case ber.OctetString:
		if b = b[:min(len(b), maxValue)]; readable(b) {
			return append(dst, b...)
		}
	case tagNull, tagNoSuchObject, tagNoSuchInstance, tagEndOfMibView:
		return append(dst, exception(tag)...)
	}
	return hex.AppendEncode(append(dst, "0x"...), b[:min(len(b), maxValue)])
}

func readable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}
