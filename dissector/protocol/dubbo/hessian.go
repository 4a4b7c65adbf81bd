package dubbo

// hessian reads values of Hessian 2 from the beginning of a body.
type hessian struct {
	b       []byte
	off     int
	cut     bool // more is to be read than is at hand
	bad     bool
	classes []class
	values  int // that were passed over
}

// class is what an object's definition says.
type class struct {
	name   []byte
	fields [][]byte
}

// next returns the byte that says what comes.
func (h *hessian) next() byte {
	if h.bad || h.cut || h.off >= len(h.b) {
		h.cut = true
		return 0
	}
	c := h.b[h.off]
	h.off++
	return c
}

func (h *hessian) take(n int) []byte {
	if h.bad || h.cut || n > len(h.b)-h.off {
		h.cut = true
		return nil
	}
	h.off += n
	return h.b[h.off-n : h.off]
}

// number reads n bytes as a number.
func (h *hessian) number(n int) (v int) {
	for _, c := range h.take(n) {
		v = v<<8 | int(c)
	}
	return v
}

// text reads a text that is in one piece, or null. Its length counts UTF-16 units.
func (h *hessian) text() []byte {
	n := 0
	switch c := h.next(); {
	case h.cut || c == 'N':
		return nil
	case c <= 0x1f:
		n = int(c)
	case c >= 0x30 && c <= 0x33:
		n = int(c-0x30)<<8 | h.number(1)
	case c == 'S':
		n = h.number(2)
	default:
		h.bad = true
		return nil
	}
	return h.units(n)
}

// units passes as many UTF-16 units and returns their bytes, or what is at hand of them.
func (h *hessian) units(n int) []byte {
	begin := h.off
	for ; n > 0; n-- {
		switch c := h.next(); {
		case h.cut:
			return h.b[begin:]
		case c < 0x80:
		case c&0xe0 == 0xc0:
			h.take(1)
		case c&0xf0 == 0xe0:
			h.take(2)
		case c&0xf8 == 0xf0: // one that stands for two units
			h.take(3)
			n--
		default:
			h.bad = true
			return nil
		}
	}
	return h.b[begin:h.off]
}

// integer reads an int.
func (h *hessian) integer() int {
	switch c := h.next(); {
	case h.cut:
	case c >= 0x80 && c <= 0xbf:
		return int(c) - 0x90
	case c >= 0xc0 && c <= 0xcf:
		return (int(c)-0xc8)<<8 + h.number(1)
	case c >= 0xd0 && c <= 0xd7:
		return (int(c)-0xd4)<<16 + h.number(2)
	case c == 'I':
		return int(int32(h.number(4)))
	default:
		h.bad = true
	}
	return 0
}

// fixed are the bytes of values behind the byte that says what they are, plus 1.
var fixed = func() (t [256]byte) {
	set := func(from, to, size int) {
		for c := from; c <= to; c++ {
			t[c] = byte(size + 1)
		}
	}
	set('N', 'N', 0)
	set('T', 'T', 0)
	set('F', 'F', 0)
	set(0x80, 0xbf, 0) // int
	set(0xc0, 0xcf, 1)
	set(0xd0, 0xd7, 2)
	set('I', 'I', 4)
	set(0xd8, 0xef, 0) // long
	set(0xf0, 0xff, 1)
	set(0x38, 0x3f, 2)
	set('Y', 'Y', 4)
	set('L', 'L', 8)
	set(0x5b, 0x5c, 0) // double
	set(0x5d, 0x5d, 1)
	set(0x5e, 0x5e, 2)
	set(0x5f, 0x5f, 4)
	set('D', 'D', 8)
	set(0x4a, 0x4a, 8) // date
	set(0x4b, 0x4b, 4)
	return t
}()

// skip passes a value.
func (h *hessian) skip(depth int) {
	if h.values++; depth >= maxDepth || h.values > maxValues {
		h.bad = true
	}
	c := h.next()
	if h.bad || h.cut {
		return
	}
	if n := fixed[c]; n > 0 {
		h.take(int(n - 1))
		return
	}
	switch {
	case c <= 0x1f || c >= 0x30 && c <= 0x33 || c == 'S':
		h.off--
		h.text()
	case c == 'R':
		h.units(h.number(2))
		h.skip(depth + 1)
	case c >= 0x20 && c <= 0x2f:
		h.take(int(c - 0x20))
	case c >= 0x34 && c <= 0x37:
		h.take(int(c-0x34)<<8 | h.number(1))
	case c == 'A' || c == 'B':
		if h.take(h.number(2)); c == 'A' {
			h.skip(depth + 1)
		}
	case c == 'Q':
		h.integer()
	case c == 'C' || c == 'O' || c >= 0x60 && c <= 0x6f:
		h.off--
		if o := h.object(); o != nil {
			h.each(len(o.fields), depth)
		}
	default:
		h.container(c, depth)
	}
}

// container passes the rest of a list or map.
func (h *hessian) container(c byte, depth int) {
	switch {
	case c == 'U' || c == 'M':
		h.kind()
		h.untilEnd(depth)
	case c == 'W' || c == 'H':
		h.untilEnd(depth)
	case c == 'V':
		h.kind()
		h.each(h.integer(), depth)
	case c == 'X':
		h.each(h.integer(), depth)
	case c >= 0x70 && c <= 0x77:
		h.kind()
		h.each(int(c-0x70), depth)
	case c >= 0x78 && c <= 0x7f:
		h.each(int(c-0x78), depth)
	default:
		h.bad = true
	}
}

// kind passes the type of a list or map: its name, or the number of one that was named.
func (h *hessian) kind() {
	if c := h.next(); !h.cut {
		h.off--
		if c <= 0x1f || c >= 0x30 && c <= 0x33 || c == 'S' {
			h.text()
		} else {
			h.integer()
		}
	}
}

func (h *hessian) each(n, depth int) {
	for i := 0; i < n && !h.bad && !h.cut; i++ {
		h.skip(depth + 1)
	}
}

func (h *hessian) untilEnd(depth int) {
	for !h.bad && !h.cut {
		if h.next() == 'Z' {
			return
		}
		h.off--
		h.skip(depth + 1)
	}
}

// object reads the class of an object, with its definition if that comes first. The
// values of its fields are next.
func (h *hessian) object() *class {
	for {
		c := h.next()
		n := int(c) - 0x60
		switch {
		case h.bad || h.cut:
			return nil
		case c == 'C':
			h.define()
			continue
		case c == 'O':
			n = h.integer()
		case c < 0x60 || c > 0x6f:
			h.bad = true
		}
		if h.bad || h.cut || n < 0 || n >= len(h.classes) {
			h.bad = true
			return nil
		}
		return &h.classes[n]
	}
}

func (h *hessian) define() {
	k := class{name: h.text()}
	n := h.integer()
	if n < 0 || n > maxClasses || len(h.classes) == maxClasses {
		h.bad = true
	}
	for i := 0; i < n && !h.bad && !h.cut; i++ {
		k.fields = append(k.fields, h.text())
	}
	h.classes = append(h.classes, k)
}

// exception reads an exception's class, and its text if that can be reached.
func (h *hessian) exception() (name, text []byte) {
	o := h.object()
	if o == nil {
		return nil, nil
	}
	name = o.name
	for _, f := range o.fields {
		if string(f) == "detailMessage" { // of java.lang.Throwable
			return name, h.text()
		}
		if h.skip(0); h.bad || h.cut {
			break
		}
	}
	return name, nil
}
