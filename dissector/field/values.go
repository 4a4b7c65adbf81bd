package field

import (
	"bytes"
	"iter"
	"math"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Values are the fields one message sets. The zero Values is empty and ready.
// Setting copies: the caller's bytes may change afterwards. Setting a field
// again replaces a single value and appends to a List or Map.
type Values struct {
	slots []slot
	arena []byte
	set   fieldSet // every field of slots, and maybe others
}

// fieldSet holds fields by their bits, of which a few may share one: a message sets
// some tens of fields, and nearly always each but once, which this tells without a
// look at the others.
type fieldSet [4]uint64

func (s *fieldSet) has(f *Field) bool { return s[f.bit>>6]>>(f.bit&63)&1 != 0 }
func (s *fieldSet) add(f *Field)      { s[f.bit>>6] |= 1 << (f.bit & 63) }

type slot struct {
	f        *Field
	n        int64 // Bool, Int, Time; the bits of a Float
	off, end uint32
}

// Reset empties v and keeps its memory.
func (v *Values) Reset() {
	v.slots, v.arena, v.set = v.slots[:0], v.arena[:0], fieldSet{}
}

// Size returns the bytes that v holds on to.
func (v *Values) Size() int { return cap(v.arena) + cap(v.slots)*int(unsafe.Sizeof(slot{})) }

// Len returns how many values are set, each item of a list counted.
func (v *Values) Len() int { return len(v.slots) }

func (v *Values) find(f *Field) *slot {
	if !v.set.has(f) {
		return nil
	}
	return v.search(f)
}

func (v *Values) search(f *Field) *slot {
	for i := range v.slots {
		if v.slots[i].f == f {
			return &v.slots[i]
		}
	}
	return nil
}

// put sets a field that has one value.
func (v *Values) put(s slot) {
	if old := v.find(s.f); old != nil {
		*old = s
		return
	}
	v.add(s)
}

// add appends a slot.
func (v *Values) add(s slot) {
	v.set.add(s.f)
	v.slots = append(v.slots, s)
}

// keep copies b into the arena.
func (v *Values) keep(b ...[]byte) (off, end uint32) {
	off = uint32(len(v.arena))
	for _, p := range b {
		v.arena = append(v.arena, p...)
	}
	return off, uint32(len(v.arena))
}

// Has tells whether f is set.
func (v *Values) Has(f Any) bool { return v.find(f.Declaration()) != nil }

// Set sets the field.
func (h BoolField) Set(v *Values, b bool) {
	s := slot{f: h.Field}
	if b {
		s.n = 1
	}
	v.put(s)
}

// Get returns the value, false when it is not set.
func (h BoolField) Get(v *Values) bool {
	s := v.find(h.Field)
	return s != nil && s.n != 0
}

// Set sets the field.
func (h IntField) Set(v *Values, n int64) { v.put(slot{f: h.Field, n: n}) }

// Add adds n to the field.
func (h IntField) Add(v *Values, n int64) { v.put(slot{f: h.Field, n: h.Get(v) + n}) }

// Get returns the value, 0 when it is not set.
func (h IntField) Get(v *Values) int64 {
	if s := v.find(h.Field); s != nil {
		return s.n
	}
	return 0
}

// Set sets the field.
func (h FloatField) Set(v *Values, x float64) {
	v.put(slot{f: h.Field, n: int64(math.Float64bits(x))})
}

// Set sets the field to a copy of b.
func (h TextField) Set(v *Values, b []byte) {
	off := uint32(len(v.arena))
	v.arena = append(v.arena, b...)
	v.put(slot{f: h.Field, off: off, end: uint32(len(v.arena))})
}

// SetString sets the field.
func (h TextField) SetString(v *Values, t string) {
	off := uint32(len(v.arena))
	v.arena = append(v.arena, t...)
	v.put(slot{f: h.Field, off: off, end: uint32(len(v.arena))})
}

// Get returns the value; it aliases v.
func (h TextField) Get(v *Values) []byte { return v.bytes(h.Field) }

// Set sets the field to a copy of b.
func (h BytesField) Set(v *Values, b []byte) { TextField(h).Set(v, b) }

// Get returns the value; it aliases v.
func (h BytesField) Get(v *Values) []byte { return v.bytes(h.Field) }

func (v *Values) bytes(f *Field) []byte {
	if s := v.find(f); s != nil {
		return v.arena[s.off:s.end]
	}
	return nil
}

// Add appends a copy of b to the list.
func (h ListField) Add(v *Values, b []byte) {
	off, end := v.keep(b)
	v.add(slot{f: h.Field, off: off, end: end})
}

// AddString appends to the list.
func (h ListField) AddString(v *Values, t string) { h.Add(v, []byte(t)) }

// Each yields the items in order; they alias v.
func (h ListField) Each(v *Values) iter.Seq[[]byte] { return v.each(h.Field) }

// Add appends one name and value to the map. A line break inside them becomes a
// blank: it must not forge another line.
func (h MapField) Add(v *Values, name, value []byte) {
	off, end := v.keep(name, sep, value, eol)
	line := v.arena[off : end-1]
	for _, c := range []byte("\r\n") {
		for i := bytes.IndexByte(line, c); i >= 0; i = bytes.IndexByte(line, c) {
			line[i] = ' '
		}
	}
	v.add(slot{f: h.Field, off: off, end: end})
}

// AddLines appends a block of lines "name: value", each ended by \n or \r\n, as
// HTTP and its kin send headers. Nothing is split until somebody asks.
func (h MapField) AddLines(v *Values, block []byte) {
	off, end := v.keep(block)
	v.add(slot{f: h.Field, off: off, end: end})
}

// Get returns the first value of a name, its case ignored; it aliases v.
func (h MapField) Get(v *Values, name string) ([]byte, bool) {
	for block := range v.each(h.Field) {
		for len(block) > 0 {
			line := block
			if i := bytes.IndexByte(block, '\n'); i >= 0 {
				line, block = block[:i], block[i+1:]
			} else {
				block = nil
			}
			i := bytes.IndexByte(line, ':')
			if i < len(name) {
				continue
			}
			k := line[:i]
			if i > 0 && (k[0] <= ' ' || k[i-1] <= ' ' || (k[0]|k[i-1]) >= utf8.RuneSelf) {
				k = bytes.TrimSpace(k)
			}
			if len(k) == len(name) && (string(k) == name || strings.EqualFold(string(k), name)) {
				return bytes.TrimSpace(line[i+1:]), true
			}
		}
	}
	return nil, false
}

var sep, eol = []byte(": "), []byte("\n")

// Lines yields the map's blocks of lines in the order they were added.
func (h MapField) Lines(v *Values) iter.Seq[[]byte] { return v.each(h.Field) }

func (v *Values) each(f *Field) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !v.set.has(f) {
			return
		}
		for i := range v.slots {
			if s := &v.slots[i]; s.f == f && !yield(v.arena[s.off:s.end]) {
				return
			}
		}
	}
}

// Value is one value on its way to a store: Int for Bool, Int and Time, Float,
// and Bytes for the rest, where a List gives one Value per item and a Map one
// per block of lines.
type Value struct {
	Int   int64
	Float float64
	Bytes []byte // aliases the Values
}

// At returns value i, of Len, in the order in which they were set.
func (v *Values) At(i int) (*Field, Value) {
	s := &v.slots[i]
	val := Value{Int: s.n, Bytes: v.arena[s.off:s.end]}
	if s.f.Kind == Float {
		val.Float = math.Float64frombits(uint64(s.n))
	}
	return s.f, val
}

// Field returns the field of value i.
func (v *Values) Field(i int) *Field { return v.slots[i].f }

// Number returns value i of a Bool, Int or Time. It costs a fraction of At.
func (v *Values) Number(i int) int64 { return v.slots[i].n }

// Bytes returns value i of a Text, Bytes, List or Map; it aliases v.
func (v *Values) Bytes(i int) []byte {
	s := &v.slots[i]
	return v.arena[s.off:s.end]
}

// All yields every value in the order it was set.
func (v *Values) All() iter.Seq2[*Field, Value] {
	return func(yield func(*Field, Value) bool) {
		for i := range v.slots {
			if !yield(v.At(i)) {
				return
			}
		}
	}
}

// Merge adds the values of from: a single value already set stays, lists and
// maps grow.
func (v *Values) Merge(from *Values) {
	n, set := len(v.slots), v.set
	for i := range from.slots {
		s := from.slots[i]
		if s.f.Kind != List && s.f.Kind != Map && set.has(s.f) && v.has(n, s.f) {
			continue
		}
		if s.end > s.off {
			s.off, s.end = v.keep(from.arena[s.off:s.end])
		} else {
			s.off, s.end = 0, 0
		}
		v.add(s)
	}
}

// Update adds the values of from, single ones in place of those already set.
func (v *Values) Update(from *Values) {
	for _, s := range from.slots {
		s.off, s.end = v.keep(from.arena[s.off:s.end])
		if s.f.Kind == List || s.f.Kind == Map {
			v.add(s)
		} else {
			v.put(s)
		}
	}
}

// has tells whether f is among the first n slots.
func (v *Values) has(n int, f *Field) bool {
	for i := range v.slots[:n] {
		if v.slots[i].f == f {
			return true
		}
	}
	return false
}

// ParseLines reads "name: value" lines into a map with lower-case names; values
// of a name that comes again are joined by ", " as RFC 9110 section 5.3 says,
// those of set-cookie by "\n".
func ParseLines(s string) map[string]string {
	m := make(map[string]string)
	for len(s) > 0 {
		var line string
		line, s, _ = strings.Cut(s, "\n")
		k, val, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		k, val = strings.ToLower(strings.TrimSpace(k)), strings.TrimSpace(val)
		if old, again := m[k]; again {
			joint := ", "
			if k == "set-cookie" {
				joint = "\n"
			} else if k == "cookie" {
				joint = "; "
			}
			val = old + joint + val
		}
		m[k] = val
	}
	return m
}
