package filter

// machine evaluates the conditions that do not fit into one step.
type machine struct {
	data     []byte
	wire     uint32
	regs     *[maxRegisters]uint32 // nil when the program uses none
	rejected bool                  // a load was out of bounds, or a divisor zero
}

// holds evaluates a test, an assignment or a protochain.
func (m *machine) holds(c *cond) bool {
	switch c.kind {
	case condTest:
		a, b := m.value(c.a), m.value(c.b)
		return compared(c.cmp, a, b)
	case condSet:
		if v := m.value(c.a); !m.rejected {
			m.regs[c.reg] = v
		}
		return true
	}
	return m.chain(c)
}

// value evaluates e. Once the machine has rejected, values mean nothing.
func (m *machine) value(e *expr) uint32 {
	switch e.kind {
	case exprConst:
		return e.k
	case exprLen:
		return m.wire
	case exprReg:
		return m.regs[e.k]
	case exprMSH:
		return m.load(uint64(e.k), 1) & 0xf * 4
	case exprLoad:
		off := uint64(e.k)
		if e.l != nil {
			off += uint64(m.value(e.l))
		}
		return m.load(off, e.size)
	case exprNeg:
		return -m.value(e.l)
	}
	l, r := m.value(e.l), m.value(e.r)
	v, ok := arith(e.kind, l, r)
	m.rejected = m.rejected || !ok
	return v
}

func (m *machine) load(off uint64, size uint8) (v uint32) {
	if m.rejected || off+uint64(size) > uint64(len(m.data)) {
		m.rejected = true
		return 0
	}
	for _, b := range m.data[off : off+uint64(size)] {
		v = v<<8 | uint32(b)
	}
	return v
}

// chain follows the headers of an IP packet until one has the protocol number
// looked for. As in libpcap, the header after an authentication header is looked
// for at that header's length from the network header on, wherever it stood.
func (m *machine) chain(c *cond) bool {
	nl := uint64(c.nl)
	next, at := uint32(0), uint64(40)
	if c.v6 {
		next = m.load(nl+6, 1)
	} else {
		next = m.load(nl+9, 1)
		at = uint64(m.load(nl, 1) & 0xf * 4)
	}
	for range maxChain {
		if m.rejected || next == c.proto {
			return true
		}
		switch {
		case c.v6 && (next == numHopOpts || next == numRouting || next == numFragment || next == numDstOpts):
			next, at = m.load(nl+at, 1), at+(uint64(m.load(nl+at+1, 1))+1)*8
		case next == numAH:
			next, at = m.load(nl+at, 1), (uint64(m.load(nl+at+1, 1))+2)*4
		default:
			return false
		}
	}
	m.rejected = true // the headers go round in circles
	return false
}
