package hpack

// codeLengths are the lengths in bits of the codes of the 256 byte values and of
// the end-of-string symbol (RFC 7541, appendix B). The code is canonical, so
// that the lengths say it all: codes of one length are consecutive in the order
// of their symbols, and come after the shorter ones.
var codeLengths = [257]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
	30,
}

const (
	endOfString = 256
	maxCode     = 30 // bits of the longest code
)

// step is what the next 8 bits of input say: a symbol, whose code ends within
// them, or the node to go on at.
type step struct {
	symbol byte
	bits   uint8 // of the 8, those that belong to the symbol; 0: go on at next, or an error if that is 0 too
	next   uint8
}

// steps is a tree over the code in which each node takes 8 bits; 0 is the root.
var steps = buildSteps()

func buildSteps() [][256]step {
	tree := make([][256]step, 1)
	code := uint32(0)
	for length := 1; length <= maxCode; length++ {
		for symbol, l := range codeLengths {
			if int(l) == length {
				tree = plant(tree, symbol, code, length)
				code++
			}
		}
		code <<= 1
	}
	return tree
}

func plant(tree [][256]step, symbol int, code uint32, length int) [][256]step {
	node := uint8(0)
	for ; length > 8; length -= 8 {
		at := byte(code >> (length - 8))
		if tree[node][at].next == 0 {
			tree = append(tree, [256]step{})
			tree[node][at].next = uint8(len(tree) - 1)
		}
		node = tree[node][at].next
	}
	if symbol == endOfString {
		return tree // an error wherever it comes
	}
	from := int(byte(code << (8 - length)))
	for i := range 1 << (8 - length) {
		tree[node][from+i] = step{symbol: byte(symbol), bits: uint8(length)}
	}
	return tree
}

// appendHuffman appends the string that src encodes (RFC 7541, section 5.2) to
// dst. ok is false when src is not a valid encoding.
func appendHuffman(dst, src []byte) (out []byte, ok bool) {
	var acc uint64 // its low have bits are input that is not used yet
	var have uint
	node := uint8(0)
	for {
		for have <= 56 && len(src) > 0 {
			acc = acc<<8 | uint64(src[0])
			src = src[1:]
			have += 8
		}
		var next byte
		if have >= 8 {
			next = byte(acc >> (have - 8))
		} else {
			next = byte(acc<<(8-have)) | byte(0xff>>have) // as if the padding went on
		}
		s := &steps[node][next]
		switch {
		case s.bits != 0 && uint(s.bits) <= have:
			dst = append(dst, s.symbol)
			have -= uint(s.bits)
			node = 0
		case have < 8:
			// What is left must be padding: fewer than 8 bits, all ones.
			return dst, node == 0 && acc&(1<<have-1) == 1<<have-1
		case s.next == 0:
			return dst, false
		default:
			node = s.next
			have -= 8
		}
	}
}
