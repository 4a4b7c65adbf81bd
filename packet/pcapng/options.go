package pcapng

import (
	"encoding/binary"
	"iter"
)

// Options of packet blocks whose values are numbers (section 4.3).
const (
	optFlags     = 2
	optHash      = 3
	optDropCount = 4
	optPacketID  = 5
	optQueue     = 6
	optVerdict   = 7
	optProcess   = 8
)

// Custom options (section 3.5.1): texts and bytes, those that may be copied into another file
// and those that must not be.
const (
	optCustomText   = 2988
	optCustomBytes  = 2989
	optPrivateText  = 19372
	optPrivateBytes = 19373
)

// private tells whether an option must not be copied into another file.
func private(code uint16) bool { return code == optPrivateText || code == optPrivateBytes }

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

// ended tells whether options end as they should: with their mark, or with the block.
func ended(b []byte, big bool) bool {
	for len(b) >= 4 {
		code, n := load16(b, big), int(load16(b[2:], big))
		if code == optEnd {
			return true
		}
		if 4+n > len(b) {
			return false
		}
		b = b[min(4+(n+3)&^3, len(b)):]
	}
	return len(b) == 0
}

// appendPacketOptions appends the options of a packet in little-endian order,
// with their end mark, to dst, but for those that omits counts.
func appendPacketOptions(dst, raw []byte, big bool) []byte {
	start := len(dst)
	for code, v := range options(raw, big) {
		if private(code) || big && !swappable(blockPacket, code, v) {
			continue
		}
		dst = appendOption(dst, code, v)
		if big {
			swapOption(blockPacket, code, dst[len(dst)-(len(v)+3)&^3:][:len(v)])
		}
	}
	if len(dst) > start {
		dst = append(dst, 0, 0, 0, 0)
	}
	return dst
}

// omits counts those options of a block that are not carried into another file. It allocates
// nothing.
func omits(block uint32, raw []byte, big bool) (o Omitted) {
	for code, v := range options(raw, big) {
		switch {
		case private(code):
			o.Private++
		case big && !swappable(block, code, v):
			o.Order++
		}
	}
	if !ended(raw, big) {
		o.Malformed++
	}
	return o
}

// layout says which numbers the value of an option has that stands in a block of a type: n of so
// many bytes each, the first at a place. With ok false nobody knows what it has, or it is not as
// it should be.
func layout(block uint32, code uint16, v []byte) (at, width, n int, ok bool) {
	one := func(width int) (int, int, int, bool) { return 0, width, 1, len(v) == width }
	bytes := func() (int, int, int, bool) { return 0, 0, 0, true }
	switch code {
	case optComment:
		return bytes()
	case optCustomText, optCustomBytes: // a private enterprise number, then what only its owner knows
		return 0, 4, 1, len(v) >= 4
	}
	switch block {
	case blockPacket:
		return packetLayout(code, v)
	case blockInterface:
		switch code {
		case optSpeed, optTxSpeed, optRxSpeed:
			return one(8)
		case optTimeZone:
			return one(4)
		case optFilter: // of the kinds, 0 is a text; instructions of BPF (1) have numbers of two sizes
			return 0, 0, 0, len(v) > 0 && (v[0] == 0 || v[0] == 1 && len(v)%8 == 1)
		case optName, optDescription, optIPv4, optIPv6, optMAC, optEUI, optIfSystem, optFCS, optIfHardware, optZoneName:
			return bytes()
		}
	case blockStatistics:
		switch code {
		case optStart, optLast:
			return 0, 4, 2, len(v) == 8
		case optReceived, optDropped, optAccepted, optSystemDropped, optDelivered:
			return one(8)
		}
	case blockSectionHeader, blockNames: // texts and addresses
		return 0, 0, 0, code <= 4
	}
	return 0, 0, 0, false
}

// packetLayout is layout for packets.
func packetLayout(code uint16, v []byte) (at, width, n int, ok bool) {
	switch code {
	case optFlags, optQueue:
		return 0, 4, 1, len(v) == 4
	case optDropCount, optPacketID:
		return 0, 8, 1, len(v) == 8
	case optProcess:
		return 0, 4, 2, len(v) == 8
	case optOffload: // a kind, then a number
		return 2, 2, 1, len(v) == 4
	case optHash:
		return 0, 0, 0, true
	case optVerdict: // a type; those of eBPF (1: TC, 2: XDP) are 64-bit numbers
		if len(v) > 0 && (v[0] == 1 || v[0] == 2) {
			return 1, 8, 1, len(v) == 9
		}
		return 0, 0, 0, true
	}
	return 0, 0, 0, false
}

// swappable tells whether it is known which numbers an option has.
func swappable(block uint32, code uint16, v []byte) bool {
	_, _, _, ok := layout(block, code, v)
	return ok
}

// swapOption turns the numbers in an option's value from big- to little-endian.
func swapOption(block uint32, code uint16, v []byte) {
	at, width, n, ok := layout(block, code, v)
	if !ok {
		return
	}
	for range n {
		swap(v[at : at+width])
		at += width
	}
	if block == blockInterface && code == optFilter && v[0] == 1 { // code, two jumps, operand
		for i := 1; i < len(v); i += 8 {
			swap(v[i : i+2])
			swap(v[i+4 : i+8])
		}
	}
}

// swap reverses the bytes of a number.
func swap(v []byte) {
	for i, j := 0, len(v)-1; i < j; i, j = i+1, j-1 {
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
