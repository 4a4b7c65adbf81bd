package amqp1

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"
)

// item is a value (part 1, 1.2): the code of its constructor, and what comes behind
// that without its size. Of a described value it is what is described.
type item struct {
	code byte
	b    []byte
	desc uint64 // what describes it, 0 when it is not described
}

// The constructors that are treated in ways of their own (part 1, 1.6).
const (
	described = 0x00
	null      = 0x40
	isTrue    = 0x41
	isFalse   = 0x42
	uint0     = 0x43
	ulong0    = 0x44
	list0     = 0x45
	ubyte     = 0x50
	smallUint = 0x52
	smallUlng = 0x53
	boolean   = 0x56
	ushort    = 0x60
	uint32c   = 0x70
	ulong     = 0x80
	uuid      = 0x98
	binary8   = 0xa0
	string8   = 0xa1
	symbol8   = 0xa3
	binary32  = 0xb0
	string32  = 0xb1
	symbol32  = 0xb3
	list8     = 0xc0
	map8      = 0xc1
	list32    = 0xd0
	map32     = 0xd1
	array8    = 0xe0
	array32   = 0xf0
)

// unknownDesc describes what is described by nothing we know.
const unknownDesc = math.MaxUint64

// widths holds for each constructor the bytes of its value plus one, or minus the
// bytes of the size that comes before the value; 0 for what is none.
var widths = func() (w [256]int8) {
	for n, codes := range map[int8]string{
		1: "\x40\x41\x42\x43\x44\x45", 2: "\x50\x51\x52\x53\x54\x55\x56", 3: "\x60\x61", 5: "\x70\x71\x72\x73\x74", 9: "\x80\x81\x82\x83\x84", 17: "\x94\x98",
		-1: "\xa0\xa1\xa3\xc0\xc1\xe0", -4: "\xb0\xb1\xb3\xd0\xd1\xf0",
	} {
		for _, c := range []byte(codes) {
			w[c] = n
		}
	}
	return w
}()

// readItem reads the value at the front of b and returns its bytes. If b is too short,
// need is the length of b from which on another try is worth it. Both are 0 when it
// is no value.
func readItem(b []byte) (it item, n, need int) {
	if len(b) == 0 {
		return it, 0, 1
	}
	if b[0] != described {
		return readPlain(b)
	}
	d, at, need := readPlain(b[1:])
	if at == 0 {
		return it, 0, behind(1, need)
	}
	if at++; len(b) > at && b[at] == described {
		return it, 0, 0 // a description of a description: nobody sends that
	}
	it, n, need = readPlain(b[at:])
	if n == 0 {
		return it, 0, behind(at, need)
	}
	it.desc = d.descriptor()
	return it, at + n, 0
}

func behind(at, need int) int {
	if need == 0 {
		return 0
	}
	return at + need
}

// readPlain is readItem for what is not described.
func readPlain(b []byte) (it item, n, need int) {
	head, size, need := readConstructor(b)
	if head == 0 {
		return it, 0, need
	}
	end := int64(head) + size
	if end > math.MaxInt32 {
		return it, 0, 0
	}
	if int64(len(b)) < end {
		return it, 0, int(end)
	}
	return item{code: b[0], b: b[head:end]}, int(end), 0
}

// readConstructor reads the constructor, and the size if it has one, of a value.
func readConstructor(b []byte) (head int, size int64, need int) {
	if len(b) == 0 {
		return 0, 0, 1
	}
	switch w := int(widths[b[0]]); {
	case w > 0:
		return 1, int64(w) - 1, 0
	case w == 0:
		return 0, 0, 0
	case len(b) < 1-w:
		return 0, 0, 1 - w
	case w == -1:
		return 2, int64(b[1]), 0
	}
	return 5, int64(binary.BigEndian.Uint32(b[1:])), 0
}

// descriptor returns what the item as a descriptor stands for.
func (it item) descriptor() uint64 {
	n, ok := it.number()
	if !ok {
		n = descriptors[string(it.b)]
	}
	if n == 0 {
		return unknownDesc
	}
	return n
}

// number returns an unsigned integer.
func (it item) number() (uint64, bool) {
	switch it.code {
	case uint0, ulong0:
		return 0, true
	case ubyte, smallUint, smallUlng:
		return uint64(it.b[0]), true
	case ushort:
		return uint64(binary.BigEndian.Uint16(it.b)), true
	case uint32c:
		return uint64(binary.BigEndian.Uint32(it.b)), true
	case ulong:
		return binary.BigEndian.Uint64(it.b), true
	}
	return 0, false
}

// isNull is true for what is absent, too.
func (it item) isNull() bool { return it.code == null || it.code == 0 }

func (it item) isTrue() bool {
	return it.code == isTrue || it.code == boolean && it.b[0] == 1
}

// text returns a string or symbol, nil for anything else.
func (it item) text() []byte {
	switch it.code {
	case string8, string32, symbol8, symbol32:
		return it.b
	}
	return nil
}

// inside returns the values of a list or map, and how many there are.
func (it item) inside() (b []byte, count int, ok bool) {
	switch it.code {
	case list0:
		return nil, 0, true
	case list8, map8:
		if len(it.b) < 1 {
			return nil, 0, false
		}
		return it.b[1:], int(it.b[0]), true
	case list32, map32:
		if len(it.b) < 4 {
			return nil, 0, false
		}
		return it.b[4:], int(binary.BigEndian.Uint32(it.b)), true
	}
	return nil, 0, false
}

func (it item) isMap() bool { return it.code == map8 || it.code == map32 }

// list reads a list's values into dst, which holds as many as it may have.
func (it item) list(dst []item) bool {
	clear(dst)
	if it.isMap() {
		return false
	}
	b, count, ok := it.inside()
	if !ok || count > len(dst) {
		return false
	}
	for i := range count {
		v, n, _ := readItem(b)
		if n == 0 {
			return false
		}
		dst[i], b = v, b[n:]
	}
	return len(b) == 0
}

// pairs calls do with the names and values of a map until do returns false.
func (it item) pairs(do func(name, value item) bool) bool {
	b, count, ok := it.inside()
	if !ok || !it.isMap() || count%2 != 0 {
		return false
	}
	for range count / 2 {
		name, n, _ := readItem(b)
		if n == 0 {
			return false
		}
		value, k, _ := readItem(b[n:])
		if k == 0 {
			return false
		}
		if b = b[n+k:]; !do(name, value) {
			return true
		}
	}
	return len(b) == 0
}

// symbols appends one symbol, or those of an array, with spaces between them.
func (it item) symbols(dst []byte) ([]byte, bool) {
	if t := it.text(); t != nil {
		return append(dst, t...), true
	}
	b := it.b
	switch {
	case it.code == array8 && len(b) >= 2:
		b = b[1:]
	case it.code == array32 && len(b) >= 5:
		b = b[4:]
	default:
		return dst, it.isNull()
	}
	c := b[0]
	if c != symbol8 && c != symbol32 {
		return dst, false
	}
	for b = b[1:]; len(b) > 0; {
		size, k := int64(b[0]), 1
		if c == symbol32 {
			if len(b) < 4 {
				return dst, false
			}
			size, k = int64(binary.BigEndian.Uint32(b)), 4
		}
		if size > int64(len(b)-k) {
			return dst, false
		}
		if len(dst) > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, b[k:k+int(size)]...)
		b = b[k+int(size):]
	}
	return dst, true
}

// appendText appends a value as one writes it, at most limit bytes of it.
func (it item) appendText(dst []byte, limit int) []byte {
	if n, ok := it.number(); ok {
		return strconv.AppendUint(dst, n, 10)
	}
	b := it.b
	switch it.code {
	case isTrue, isFalse, boolean:
		return strconv.AppendBool(dst, it.isTrue())
	case 0x51, 0x54, 0x55: // byte, smallint, smalllong
		return strconv.AppendInt(dst, int64(int8(b[0])), 10)
	case 0x61: // short
		return strconv.AppendInt(dst, int64(int16(binary.BigEndian.Uint16(b))), 10)
	case 0x71: // int
		return strconv.AppendInt(dst, int64(int32(binary.BigEndian.Uint32(b))), 10)
	case 0x81, 0x83: // long, timestamp
		return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(b)), 10)
	case 0x72: // float
		return strconv.AppendFloat(dst, float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 'g', -1, 32)
	case 0x82: // double
		return strconv.AppendFloat(dst, math.Float64frombits(binary.BigEndian.Uint64(b)), 'g', -1, 64)
	case 0x73: // char
		return utf8.AppendRune(dst, rune(binary.BigEndian.Uint32(b)))
	case uuid:
		return appendUUID(dst, b)
	case string8, string32, symbol8, symbol32:
		return append(dst, cut(b, limit)...)
	}
	return hex.AppendEncode(dst, b[:min(len(b), limit/2)])
}

func appendUUID(dst, b []byte) []byte {
	for i, to := range []int{4, 6, 8, 10, 16} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, b[[]int{0, 4, 6, 8, 10}[i]:to])
	}
	return dst
}

// cut returns the front of a text, at most limit bytes and with a mark where it was cut.
func cut(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	return append(append([]byte(nil), b[:limit]...), "..."...)
}
