package ftp

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"

	"shark/dissector/wire"
)

// tuple reads six numbers with commas between them, an address and a port (RFC 959
// section 4.1.2).
func tuple(b []byte) (address string, ok bool) {
	parts := bytes.SplitN(b, []byte(","), 7)
	if len(parts) != 6 {
		return "", false
	}
	var n [6]int64
	for i, part := range parts {
		if n[i], ok = wire.Digits(part, 5); !ok || n[i] > 255 {
			return "", false
		}
	}
	return fmt.Sprintf("%d.%d.%d.%d:%d", n[0], n[1], n[2], n[3], n[4]<<8|n[5]), true
}

// passive finds the address in the text of a 227: its place is not the same everywhere.
func passive(text []byte) (address string, ok bool) {
	from := bytes.IndexByte(text, '(') + 1
	if from == 0 {
		if from = bytes.IndexAny(text, "0123456789"); from < 0 {
			return "", false
		}
	}
	rest := text[from:]
	for i, c := range rest {
		if c != ',' && (c < '0' || c > '9') {
			rest = rest[:i]
			break
		}
	}
	return tuple(rest)
}

// extendedPassive finds the port in the text of a 229: (|||port|), with any delimiter
// (RFC 2428 section 3).
func extendedPassive(text []byte) (port int64, ok bool) {
	_, rest, ok := bytes.Cut(text, []byte("("))
	if !ok || len(rest) < 5 || rest[0] != rest[1] || rest[0] != rest[2] {
		return 0, false
	}
	digits, _, ok := bytes.Cut(rest[3:], rest[:1])
	port, isNumber := wire.Digits(digits, 5)
	return port, ok && isNumber && port < 1<<16
}

// extended reads the argument of EPRT (RFC 2428 section 2).
func extended(argument []byte) (address string, ok bool) {
	if len(argument) < 2 {
		return "", false
	}
	parts := bytes.SplitN(argument[1:], argument[:1], 5)
	if len(parts) != 4 {
		return "", false
	}
	ip, err := netip.ParseAddr(string(parts[1]))
	port, ok := wire.Digits(parts[2], 5)
	if err != nil || !ok || port >= 1<<16 || ip.Zone() != "" {
		return "", false
	}
	return netip.AddrPortFrom(ip, uint16(port)).String(), true
}

// at joins an address as a packet has it and a port.
func at(ip string, port int64) string {
	if bytes.ContainsRune([]byte(ip), ':') {
		ip = "[" + ip + "]"
	}
	return ip + ":" + strconv.FormatInt(port, 10)
}
