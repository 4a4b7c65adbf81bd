package icmp

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"shark/packet"
)

// maxExtensions is how many IPv6 extension headers of a quoted packet are
// stepped over.
const maxExtensions = 8

// quoted appends the flow of the IP packet that an error quotes, such as
// "udp 10.0.0.1:40000 > 10.0.0.2:53", and nothing when b is too short for that.
func quoted(dst, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	var src, to netip.Addr
	var proto packet.Proto
	switch b[0] >> 4 {
	case 4:
		n := int(b[0]&15) * 4
		if n < 20 || len(b) < 20 {
			return dst
		}
		src, _ = netip.AddrFromSlice(b[12:16])
		to, _ = netip.AddrFromSlice(b[16:20])
		proto = packet.Proto(b[9])
		if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 { // a later fragment has no ports
			n = len(b)
		}
		b = b[min(n, len(b)):]
	case 6:
		if len(b) < 40 {
			return dst
		}
		src, _ = netip.AddrFromSlice(b[8:24])
		to, _ = netip.AddrFromSlice(b[24:40])
		proto, b = upper(packet.Proto(b[6]), b[40:])
	default:
		return dst
	}
	if name := proto.String(); name != "" {
		dst = append(dst, name...)
	} else {
		dst = strconv.AppendUint(append(dst, "protocol "...), uint64(proto), 10)
	}
	ports := len(b) >= 4 && (proto == packet.TCP || proto == packet.UDP || proto == packet.SCTP)
	dst = append(dst, ' ')
	if !ports {
		dst = append(src.AppendTo(dst), " > "...)
		return to.AppendTo(dst)
	}
	dst = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b)).AppendTo(dst)
	return netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:])).AppendTo(append(dst, " > "...))
}

// upper steps over IPv6 extension headers, RFC 8200 section 4.
func upper(proto packet.Proto, b []byte) (packet.Proto, []byte) {
	for range maxExtensions {
		var n int
		switch proto {
		case 0, 43, 60: // hop-by-hop, routing, destination options
			if len(b) < 8 {
				return proto, nil
			}
			n = 8 + int(b[1])*8
		case 44: // fragment
			if len(b) < 8 || binary.BigEndian.Uint16(b[2:])>>3 != 0 {
				return proto, nil
			}
			n = 8
		default:
			return proto, b
		}
		proto, b = packet.Proto(b[0]), b[min(n, len(b)):]
	}
	return proto, nil
}
