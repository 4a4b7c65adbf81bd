package pcapng

import (
	"encoding/binary"
	"iter"
)

// Options of packet blocks whose values are numbers (section 4.3).
const (
	optFlags     = 2
	optDropCount = 4
	optPacketID  = 5
	optQueue     = 6
	optVerdict   = 7
)

// options walks the options of a block: code and value, up to the end mark or
// the first that does not fit.
func options(b []byte, big bool) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			code, n := load16(b, big), int(load16(b[2:], big))
			if code == optEnd || 4+n > len(b) {
				return
			}
			if !yield(code, b[4:4+n]) {
				return
			}
			b = b[min(4+(n+3)&^3, len(b)):]
		}
	}
}

// appendPacketOptions appends the options of a packet in little-endian order,
// with their end mark, to dst. What is not well formed ends them.
func appendPacketOptions(dst, raw []byte, big bool) []byte {
	start := len(dst)
	for code, v := range options(raw, big) {
		dst = appendOption(dst, code, v)
		if big {
			swapOption(code, dst[len(dst)-(len(v)+3)&^3:][:len(v)])
		}
	}
	if len(dst) > start {
		dst = append(dst, 0, 0, 0, 0)
	}
	return dst
}

// swapOption turns the numbers in an option's value from big- to little-endian.
func swapOption(code uint16, v []byte) {
	switch code {
	case optFlags, optQueue:
		swap(v, 4)
	case optDropCount, optPacketID:
		swap(v, 8)
	case optOffload: // a kind, then a number
		if len(v) == 4 {
			swap(v[2:], 2)
		}
	case optVerdict: // a type; those of eBPF (1: TC, 2: XDP) are 64-bit numbers
		if len(v) == 9 && (v[0] == 1 || v[0] == 2) {
			swap(v[1:], 8)
		}
	case 2988, 2989, 19372, 19373: // custom: a private enterprise number, then what only its owner knows
		if len(v) >= 4 {
			swap(v[:4], 4)
		}
	}
}

// swap reverses v if it is a number of n bytes.
func swap(v []byte, n int) {
	if len(v) != n {
		return
	}
	for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
		v[i], v[j] = v[j], v[i]
	}
}

// appendOption appends one option; of a value beyond 65535 bytes the first ones.
func appendOption(dst []byte, code uint16, v []byte) []byte {
	v = v[:min(len(v), 0xffff)]
	dst = binary.LittleEndian.AppendUint16(dst, code)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(v)))
	return appendPadded(dst, v)
}

// appendPadded appends v and zeros up to the next multiple of 4 of its length.
func appendPadded(dst, v []byte) []byte {
	dst = append(dst, v...)
	return append(dst, "\x00\x00\x00"[:-len(v)&3]...)
}
