package mongodb

import (
	"bytes"
	"encoding/binary"
	"math"
)

// The types of BSON elements.
const (
	typeDouble    = 0x01
	typeString    = 0x02
	typeDocument  = 0x03
	typeArray     = 0x04
	typeBinary    = 0x05
	typeUndefined = 0x06
	typeObjectID  = 0x07
	typeBool      = 0x08
	typeDate      = 0x09
	typeNull      = 0x0a
	typeRegex     = 0x0b
	typePointer   = 0x0c
	typeCode      = 0x0d
	typeSymbol    = 0x0e
	typeScoped    = 0x0f
	typeInt32     = 0x10
	typeTimestamp = 0x11
	typeInt64     = 0x12
	typeDecimal   = 0x13
	typeMinKey    = 0xff
	typeMaxKey    = 0x7f
)

// element is one of a document: its value is at hand as far as the bytes go.
type element struct {
	typ   byte
	key   []byte
	head  int   // bytes before the value
	size  int64 // bytes of the value
	value []byte
}

// readElement reads the element at the front of b, of whose document left bytes are
// left. need says from what length of b on another try is worth it.
func readElement(b []byte, left int64) (e element, need int, ok bool) {
	if len(b) == 0 {
		return e, 1, true
	}
	e.typ = b[0]
	end := bytes.IndexByte(b[1:min(len(b), 1+maxKey)], 0)
	if end < 0 {
		return e, len(b) + 1, len(b) <= maxKey
	}
	e.key, e.head = b[1:1+end], 2+end
	rest := b[e.head:]
	if e.size, need, ok = valueSize(e.typ, rest); !ok || need > 0 {
		return e, e.head + need, ok
	}
	e.value = rest[:min(int64(len(rest)), e.size)]
	return e, 0, int64(e.head)+e.size < left // the document's last byte comes behind it
}

// fixed are the sizes of the values that have one, in bytes.
var fixed = [256]int8{
	typeDouble: 8, typeObjectID: 12, typeBool: 1, typeDate: 8, typeInt32: 4, typeTimestamp: 8, typeInt64: 8, typeDecimal: 16,
}

// valueSize returns the size of a value that begins with b; need is how many bytes
// of it are needed to tell.
func valueSize(typ byte, b []byte) (size int64, need int, ok bool) {
	if n := fixed[typ]; n > 0 {
		return int64(n), 0, true
	}
	extra, least := int64(0), int64(0)
	switch typ {
	case typeUndefined, typeNull, typeMinKey, typeMaxKey:
		return 0, 0, true
	case typeRegex:
		return regexSize(b)
	case typeString, typeCode, typeSymbol:
		extra, least = 4, 1
	case typeDocument, typeArray:
		least = 5
	case typeScoped:
		least = 14
	case typeBinary:
		extra = 5
	case typePointer:
		extra, least = 16, 1
	default:
		return 0, 0, false
	}
	if len(b) < 4 {
		return 0, 4, true
	}
	n := int64(int32(binary.LittleEndian.Uint32(b)))
	return n + extra, 0, n >= least
}

// regexSize is valueSize of a pattern and its options, which zero bytes end.
func regexSize(b []byte) (size int64, need int, ok bool) {
	at := 0
	for range 2 {
		end := bytes.IndexByte(b[at:], 0)
		if end < 0 {
			return 0, len(b) + 1, len(b) < maxValue
		}
		at += end + 1
	}
	return int64(at), 0, at <= maxValue
}

// document is a cursor over the elements of a document, as far as it is at hand.
type document struct {
	rest []byte
	left int64 // of the document
	bad  bool
}

// open begins to read the value of an element that is a document or an array.
func open(value []byte) document {
	if len(value) < 4 {
		return document{}
	}
	return document{rest: value[4:], left: int64(binary.LittleEndian.Uint32(value)) - 4}
}

// next returns the next element; its value may be cut short.
func (d *document) next() (element, bool) {
	if d.bad || len(d.rest) == 0 || d.rest[0] == 0 {
		return element{}, false
	}
	e, need, ok := readElement(d.rest, d.left)
	if !ok || need > 0 {
		d.bad = true
		return e, false
	}
	n := int64(e.head) + e.size
	d.rest, d.left = d.rest[min(n, int64(len(d.rest))):], d.left-n
	return e, true
}

// find returns what is under keys that lead into each other.
func find(value []byte, keys ...string) (element, bool) {
	for i, key := range keys {
		d := open(value)
		for {
			e, ok := d.next()
			if !ok {
				return element{}, false
			}
			if string(e.key) != key {
				continue
			}
			if i == len(keys)-1 {
				return e, true
			}
			if e.typ != typeDocument && e.typ != typeArray {
				return element{}, false
			}
			value = e.value
			break
		}
	}
	return element{}, false
}

// text returns a string's bytes as far as they are at hand, nil for other types.
func (e *element) text() []byte {
	if e.typ != typeString && e.typ != typeSymbol && e.typ != typeCode || len(e.value) < 4 {
		return nil
	}
	b := e.value[4:]
	return b[:min(int64(len(b)), e.size-5)]
}

// number returns a number or a truth value as a whole number.
func (e *element) number() (int64, bool) {
	if int64(len(e.value)) < e.size {
		return 0, false
	}
	switch e.typ {
	case typeDouble:
		x := math.Float64frombits(binary.LittleEndian.Uint64(e.value))
		if math.IsNaN(x) || math.Abs(x) > 1<<53 {
			return 0, false
		}
		return int64(x), true
	case typeInt32:
		return int64(int32(binary.LittleEndian.Uint32(e.value))), true
	case typeInt64:
		return int64(binary.LittleEndian.Uint64(e.value)), true
	case typeBool:
		return int64(e.value[0] & 1), true
	}
	return 0, false
}
