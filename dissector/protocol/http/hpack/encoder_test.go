package hpack

// encoder is a plain HPACK encoder to test with. It looks fields up in its own
// table, which it keeps as the RFC says, and accounts for what a decoder that
// misses blocks can know.
type encoder struct {
	limit   int
	huffman bool
	size    int
	table   []added // newest first

	watched bool   // the decoder sees what is encoded now
	known   []bool // for each field of the block, whether the decoder can know it
}

type added struct {
	name, value string
	seen        bool // the decoder knows the entry
}

// lose makes the decoder miss what was encoded so far.
func (e *encoder) lose() {
	for i := range e.table {
		e.table[i].seen = false
	}
}

// append encodes a field, if no entry says it all: how is 0 for without
// indexing, 1 for never indexed, 2 for with indexing.
func (e *encoder) append(b []byte, name, value string, how int) []byte {
	whole, only := e.find(name, value)
	known := e.sees(max(whole, only))
	e.known = append(e.known, known)
	if whole > 0 {
		return appendInt(b, 0x80, 7, whole)
	}
	first, prefix := byte(0), uint(4)
	switch how {
	case 1:
		first = 0x10
	case 2:
		first, prefix = 0x40, 6
		e.add(name, value, e.watched && known)
	}
	b = appendInt(b, first, prefix, only)
	if only == 0 {
		b = e.appendString(b, name)
	}
	return e.appendString(b, value)
}

func (e *encoder) sees(index int) bool {
	return index <= len(static) || e.table[index-len(static)-1].seen
}

func (e *encoder) appendLiteral(b []byte, name, value string) []byte {
	b = append(b, 0x40)
	return e.appendString(e.appendString(b, name), value)
}

func (e *encoder) find(name, value string) (whole, only int) {
	for i, p := range staticTable {
		if p.name == name {
			if p.value == value {
				return i + 1, 0
			}
			only = i + 1
		}
	}
	for i, p := range e.table {
		if p.name == name {
			if p.value == value {
				return i + 1 + len(static), 0
			}
			only = i + 1 + len(static)
		}
	}
	return 0, only
}

func (e *encoder) add(name, value string, seen bool) {
	e.table = append([]added{{name, value, seen}}, e.table...)
	e.size += len(name) + len(value) + entryOverhead
	for e.size > e.limit {
		last := e.table[len(e.table)-1]
		e.size -= len(last.name) + len(last.value) + entryOverhead
		e.table = e.table[:len(e.table)-1]
	}
}

func (e *encoder) appendString(b []byte, s string) []byte {
	if !e.huffman {
		return append(appendInt(b, 0, 7, len(s)), s...)
	}
	packed := appendHuffmanCode(nil, s)
	return append(appendInt(b, 0x80, 7, len(packed)), packed...)
}

func appendInt(b []byte, first byte, prefix uint, n int) []byte {
	full := 1<<prefix - 1
	if n < full {
		return append(b, first|byte(n))
	}
	b = append(b, first|byte(full))
	for n -= full; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func appendHuffmanCode(b []byte, s string) []byte {
	codes := map[int]uint32{}
	code := uint32(0)
	for length := uint8(1); length <= maxCode; length++ {
		for symbol, l := range codeLengths {
			if l == length {
				codes[symbol] = code
				code++
			}
		}
		code <<= 1
	}
	var acc uint64
	var have uint
	for i := range len(s) {
		n := uint(codeLengths[s[i]])
		acc = acc<<n | uint64(codes[int(s[i])])
		for have += n; have >= 8; have -= 8 {
			b = append(b, byte(acc>>(have-8)))
		}
	}
	if have > 0 {
		b = append(b, byte(acc<<(8-have))|byte(0xff>>have))
	}
	return b
}
