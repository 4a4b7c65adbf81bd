package thrift

import (
	"encoding/binary"
	"math"
	"strconv"

	"shark/dissector"
	"shark/dissector/outline"
)

// maxShown bounds the values of a message that are shown.
const maxShown = 4096

// typeNames are the types of values.
var typeNames = [...]string{
	tBool: "bool", tByte: "byte", tDouble: "double", tI16: "i16", tI32: "i32", tI64: "i64", tString: "string", tStruct: "struct", tMap: "map",
	tSet: "set", tList: "list", tUUID: "uuid", tTruth: "bool",
}

// outlined shows a message: what is called, and its values by their ids and types, which are
// all that is sent of what they are.
func outlined(m, _ *dissector.Message, limit int) []byte {
	b := m.Raw
	if len(b) < 8 {
		return nil
	}
	o := outline.New(limit)
	transport := "unframed"
	if isFramed(b) {
		size := int64(binary.BigEndian.Uint32(b))
		if b, transport = b[4:min(int64(len(b)), 4+size)], "framed"; len(b) > 0 && b[0] == 0x0f {
			t, err := readHeader(b, size, make([]byte, maxHead))
			if err != nil {
				return nil
			}
			b, transport = t.payload, t.name
		}
	}
	o.Say("transport", transport)
	h, err := readHead(b)
	if err != nil {
		return o.Bytes()
	}
	service, method := split(h.name)
	o.Say("protocol", protocols[h.protocol])
	o.Named("message", int64(h.kind), messageTypes[h.kind])
	if len(service) > 0 {
		o.Text("service", service)
	}
	o.Text("method", method)
	o.Number("sequence", int64(int32(h.id)))
	s := shower{Writer: o, r: bytesReader{b: b, off: h.size}, compact: h.protocol == compactProtocol}
	s.fields(0)
	return o.Bytes()
}

// shower writes values as it reads them, to where they end or are not as they should be.
type shower struct {
	*outline.Writer
	r       bytesReader
	compact bool
	n       int // values
}

// done tells whether nothing more can be shown.
func (s *shower) done() bool { return s.r.short || s.r.bad || s.Full() || s.n > maxShown }

// take returns the next n bytes.
func (s *shower) take(n int64) []byte {
	if s.r.short || s.r.bad || n < 0 || n > int64(len(s.r.b)-s.r.off) {
		s.r.short = true
		return nil
	}
	s.r.off += int(n)
	return s.r.b[s.r.off-int(n) : s.r.off]
}

// number reads an integer of so many bytes, which of the compact protocol is of any length.
func (s *shower) number(size int64) (n int64) {
	if s.compact && size > 1 {
		return zigzag(s.r.varint())
	}
	for i, c := range s.take(size) {
		if n = n<<8 | int64(c); i == 0 {
			n = int64(int8(c))
		}
	}
	return n
}

// length reads how long a text is, or how many items there are.
func (s *shower) length() int64 {
	if s.compact {
		return int64(min(s.r.varint(), math.MaxInt32))
	}
	return s.number(4)
}

// fields writes those of a struct.
func (s *shower) fields(depth int) {
	last := int16(0)
	for !s.done() {
		b := s.take(1)
		if b == nil || b[0] == tStop {
			return
		}
		kind, on := b[0], false
		if s.compact {
			delta := kind >> 4
			if kind &= 15; int(kind) >= len(compactTypes) {
				return
			}
			on, kind = kind == 1, compactTypes[kind]
			if last += int16(delta); delta == 0 {
				last = int16(zigzag(s.r.varint()))
			}
		} else {
			last = int16(s.number(2))
		}
		if s.done() {
			return
		}
		name := "field " + strconv.Itoa(int(last))
		if kind == tTruth {
			s.Flag(name+" bool", on)
			continue
		}
		s.value(name, kind, depth)
	}
}

// value writes a value of a type behind its name.
func (s *shower) value(name string, kind byte, depth int) {
	if s.n++; depth >= maxDepth || int(kind) >= len(typeNames) || typeNames[kind] == "" || s.done() {
		s.r.bad = true
		return
	}
	name += " " + typeNames[kind]
	switch kind {
	case tStruct:
		s.Group(name, func() { s.fields(depth + 1) })
	case tList, tSet:
		s.list(name, depth)
	case tMap:
		s.table(name, depth)
	case tString:
		if b := s.take(s.length()); b != nil {
			s.Octets(name, b)
		}
	case tUUID:
		if b := s.take(16); b != nil {
			s.Octets(name, b)
		}
	case tDouble:
		s.double(name)
	case tBool, tTruth: // in containers of the compact protocol 1 is true and 2 false
		if n := s.number(1); !s.r.short {
			s.Flag(name, n == 1)
		}
	default:
		if n := s.number(binarySizes[kind]); !s.r.short && !s.r.bad {
			s.Number(name, n)
		}
	}
}

func (s *shower) double(name string) {
	b := s.take(8)
	if b == nil {
		return
	}
	bits := binary.BigEndian.Uint64(b)
	if s.compact {
		bits = binary.LittleEndian.Uint64(b)
	}
	s.Say(name, strconv.FormatFloat(math.Float64frombits(bits), 'g', -1, 64))
}

func (s *shower) list(name string, depth int) {
	b := s.take(1)
	if b == nil {
		return
	}
	elem, n := b[0], int64(b[0]>>4)
	if s.compact {
		if int(elem&15) >= len(compactTypes) {
			return
		}
		elem = compactTypes[elem&15]
	}
	if !s.compact || n == 15 {
		n = s.length()
	}
	s.Group(name+" of "+strconv.FormatInt(n, 10), func() {
		for i := int64(0); i < n && !s.done(); i++ {
			s.value("item", elem, depth+1)
		}
	})
}

func (s *shower) table(name string, depth int) {
	var key, elem byte
	var n int64
	if s.compact {
		if n = s.length(); n > 0 {
			b := s.take(1)
			if b == nil || int(b[0]>>4) >= len(compactTypes) || int(b[0]&15) >= len(compactTypes) {
				s.r.bad = true
				return
			}
			key, elem = compactTypes[b[0]>>4], compactTypes[b[0]&15]
		}
	} else {
		if b := s.take(2); b != nil {
			key, elem = b[0], b[1]
		}
		n = s.length()
	}
	s.Group(name+" of "+strconv.FormatInt(n, 10), func() {
		for i := int64(0); i < n && !s.done(); i++ {
			s.value("key", key, depth+1)
			s.value("value", elem, depth+1)
		}
	})
}
