package packet_test

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"

	"shark/packet"
)

// join puts parts one after the other: bytes for an int, network byte order for
// uint16 and uint32, hexadecimal digits with blanks for a string.
func join(parts ...any) []byte {
	var b []byte
	for _, part := range parts {
		switch part := part.(type) {
		case int:
			b = append(b, byte(part))
		case uint16:
			b = binary.BigEndian.AppendUint16(b, part)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, part)
		case string:
			digits, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
			if err != nil {
				panic(err)
			}
			b = append(b, digits...)
		case []byte:
			b = append(b, part...)
		default:
			panic(part)
		}
	}
	return b
}

const (
	hostA, hostB = "10.0.0.1", "10.0.0.2"
	nodeA, nodeB = "192.168.1.1", "192.168.1.2"
	hostA6       = "fd00::1"
	hostB6       = "fd00::2"
)

func ether(t int, payload []byte) []byte {
	return join("020000000002 020000000001", uint16(t), payload)
}

// ipv4Frag builds an IPv4 packet with the identification and the flags and offset
// field given.
func ipv4Frag(proto int, src, dst string, id, frag uint16, payload []byte) []byte {
	return join(0x45, 0, uint16(20+len(payload)), id, frag, 64, proto, uint16(0),
		netip.MustParseAddr(src).AsSlice(), netip.MustParseAddr(dst).AsSlice(), payload)
}

func ipv4(proto int, src, dst string, payload []byte) []byte {
	return ipv4Frag(proto, src, dst, 1, 0, payload)
}

func ipv6(next int, src, dst string, payload []byte) []byte {
	return join(0x60, 0, uint16(0), uint16(len(payload)), next, 64,
		netip.MustParseAddr(src).AsSlice(), netip.MustParseAddr(dst).AsSlice(), payload)
}

func udp(src, dst uint16, payload []byte) []byte {
	return join(src, dst, uint16(8+len(payload)), uint16(0), payload)
}

// tcp builds a segment with a timestamp option.
func tcp(src, dst uint16, payload []byte) []byte {
	return join(src, dst, uint32(1000), uint32(2000), uint16(0x8018), uint16(501), uint32(0),
		"0101080a 0000000a 0000000b", payload)
}

// web is an IPv4 packet of the flow the tests look for: hostA:40000 to hostB:80,
// TCP, payload "hello".
func web() []byte { return ipv4(6, hostA, hostB, tcp(40000, 80, []byte("hello"))) }

// web6 is the same over IPv6.
func web6() []byte { return ipv6(6, hostA6, hostB6, tcp(40000, 80, []byte("hello"))) }

// snap is a SNAP header for an EtherType.
func snap(t int) []byte { return join("aaaa03 000000", uint16(t)) }

// record makes a record of a whole frame.
func record(link packet.LinkType, data []byte) *packet.Record {
	return &packet.Record{Data: data, OrigLen: uint32(len(data)), Link: link, Number: 1}
}
