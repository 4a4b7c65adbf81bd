package tls

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
)

// JA3 returns the MD5, in hexadecimal, of version, cipher suites, extensions,
// groups and point formats (https://github.com/salesforce/ja3).
func (h *ClientHello) JA3() string {
	sum := md5.Sum(h.ja3Text())
	return hex.EncodeToString(sum[:])
}

// ja3Text returns what JA3 is the digest of.
func (h *ClientHello) ja3Text() []byte {
	b := strconv.AppendUint(make([]byte, 0, 256), uint64(h.Version), 10)
	b = append(b, ',')
	b = appendNumbers(b, h.Suites)
	b = append(b, ',')
	first := true
	h.EachExtension(func(kind uint16) {
		if !isGrease(kind) {
			b = appendNumber(b, kind, first)
			first = false
		}
	})
	b = append(b, ',')
	b = appendNumbers(b, h.Groups)
	b = append(b, ',')
	for i, f := range h.PointFormats {
		b = appendNumber(b, uint16(f), i == 0)
	}
	return b
}

func appendNumbers(b []byte, l Numbers) []byte {
	first := true
	for i := range l.Len() {
		if n := l.At(i); !isGrease(n) {
			b = appendNumber(b, n, first)
			first = false
		}
	}
	return b
}

func appendNumber(b []byte, n uint16, first bool) []byte {
	if !first {
		b = append(b, '-')
	}
	return strconv.AppendUint(b, uint64(n), 10)
}

// ja3s returns the JA3S of a server's hello.
func (h *serverHello) ja3s() string {
	b := strconv.AppendUint(make([]byte, 0, 64), uint64(h.legacy), 10)
	b = append(b, ',')
	b = strconv.AppendUint(b, uint64(h.suite), 10)
	b = append(b, ',')
	first := true
	for r := newReader(h.extensions); len(r.B) > 0; {
		b = appendNumber(b, uint16(r.uint(2)), first)
		first = false
		r.vector(2)
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// JA4 returns the JA4 fingerprint of a hello that was sent over a transport:
// 't' for TCP, 'q' for QUIC, 'd' for DTLS
// (https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md).
func (h *ClientHello) JA4(transport byte) string {
	var mem [128]uint16
	suites := mem[:0]
	for i := range h.Suites.Len() {
		if n := h.Suites.At(i); !isGrease(n) {
			suites = append(suites, n)
		}
	}
	var extMem [128]uint16
	kinds, total, named := extMem[:0], 0, byte('i')
	h.EachExtension(func(kind uint16) {
		if isGrease(kind) {
			return
		}
		total++
		switch kind {
		case extServerName:
			named = 'd'
		case extALPN:
		default:
			kinds = append(kinds, kind)
		}
	})
	slices.Sort(suites)
	slices.Sort(kinds)

	out := make([]byte, 0, 40)
	out = append(out, transport)
	out = append(out, h.ja4Version()...)
	out = append(out, named)
	out = appendCount(out, len(suites))
	out = appendCount(out, total)
	out = append(out, ja4ALPN(h.firstALPN())...)

	b := appendHex(make([]byte, 0, 256), suites)
	out = appendDigest(append(out, '_'), b)
	b = appendHex(b[:0], kinds)
	if len(kinds) > 0 && h.Signatures.Len() > 0 {
		b = append(b, '_')
		b = h.appendSignatures(b)
	}
	out = appendDigest(append(out, '_'), b)
	return string(out)
}

// ja4Version names the highest version offered.
func (h *ClientHello) ja4Version() string {
	highest := uint16(0)
	for i := range h.Versions.Len() {
		if n := h.Versions.At(i); !isGrease(n) {
			highest = max(highest, n)
		}
	}
	if highest == 0 {
		highest = h.Version
	}
	switch highest {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	case 0xfeff:
		return "d1"
	case 0xfefd:
		return "d2"
	case 0xfefc:
		return "d3"
	}
	return "00"
}

// ja4ALPN returns the first and last character of an application protocol, or
// of its hexadecimal form when they are not letters or digits.
func ja4ALPN(name []byte) string {
	if len(name) == 0 {
		return "00"
	}
	first, last := name[0], name[len(name)-1]
	if !isAlphanumeric(first) || !isAlphanumeric(last) {
		const digits = "0123456789abcdef"
		first, last = digits[first>>4], digits[last&15]
	}
	return string([]byte{first, last})
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// appendCount appends n in two digits.
func appendCount(b []byte, n int) []byte {
	n = min(n, 99)
	return append(b, '0'+byte(n/10), '0'+byte(n%10))
}

func appendHex(b []byte, l []uint16) []byte {
	for i, n := range l {
		b = appendHex16(b, n, i == 0)
	}
	return b
}

func (h *ClientHello) appendSignatures(b []byte) []byte {
	first := true
	for i := range h.Signatures.Len() {
		if n := h.Signatures.At(i); !isGrease(n) {
			b = appendHex16(b, n, first)
			first = false
		}
	}
	return b
}

func appendHex16(b []byte, n uint16, first bool) []byte {
	if !first {
		b = append(b, ',')
	}
	return hex.AppendEncode(b, []byte{byte(n >> 8), byte(n)})
}

// appendDigest appends the first twelve digits of the SHA-256 of text, or zeros
// when it is empty.
func appendDigest(b, text []byte) []byte {
	if len(text) == 0 {
		return append(b, "000000000000"...)
	}
	sum := sha256.Sum256(text)
	return hex.AppendEncode(b, sum[:6])
}
