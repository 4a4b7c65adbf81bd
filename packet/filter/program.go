package filter

import "encoding/binary"

// program is a filter laid out for one link type: steps, each of which loads,
// masks, compares and jumps in one go.
type program struct {
	err   error // the link type cannot answer the filter; the program rejects all
	steps []step
	entry int32
	rels  []*cond // conditions too general for a step's own fields
	regs  bool    // registers are used
}

// Jump targets other than steps.
const (
	accept int32 = -1
	reject int32 = -2
)

// stepKind tells where a step's value comes from.
type stepKind uint8

const (
	abs8   stepKind = iota // the byte at off
	abs16                  // 2 bytes at off
	abs32                  // 4 bytes at off
	tran8                  // the byte at off + length of the IPv4 header at base
	tran16                 // 2 bytes there
	tran32                 // 4 bytes there
	length                 // length on the wire
	other                  // rels[off] decides
)

// step jumps to jt when lo <= value & mask <= lo + span, else to jf.
type step struct {
	kind           stepKind
	off, base      uint32
	mask, lo, span uint32
	jt, jf         int32
}

// newProgram lays out a condition.
func newProgram(c *cond) *program {
	p := &program{}
	p.entry = p.emit(c, accept, reject)
	// Steps were made from the last to the first. Turn them round: the matcher
	// then walks memory forwards.
	last := int32(len(p.steps)) - 1
	turn := func(pc int32) int32 {
		if pc < 0 {
			return pc
		}
		return last - pc
	}
	for i, j := 0, int(last); i < j; i, j = i+1, j-1 {
		p.steps[i], p.steps[j] = p.steps[j], p.steps[i]
	}
	for i := range p.steps {
		p.steps[i].jt, p.steps[i].jf = turn(p.steps[i].jt), turn(p.steps[i].jf)
	}
	p.entry = turn(p.entry)
	return p
}

// emit makes the steps that go to t when c holds, else to f, and returns where
// they begin. It loops down the left side, which is as long as the expression,
// and recurses into the right, which is as deep as its parentheses.
func (p *program) emit(c *cond, t, f int32) int32 {
	for {
		switch c.kind {
		case condConst:
			if c.value {
				return t
			}
			return f
		case condNot:
			c, t, f = c.l, f, t
		case condAnd:
			t = p.emit(c.r, t, f)
			c = c.l
		case condOr:
			f = p.emit(c.r, t, f)
			c = c.l
		default:
			return p.leaf(c, t, f)
		}
	}
}

// leaf makes the step of one test.
func (p *program) leaf(c *cond, t, f int32) int32 {
	s, ok := step{}, false
	if c.kind == condTest {
		if c.a.kind == exprConst && c.b.kind == exprConst {
			if compared(c.cmp, c.a.k, c.b.k) {
				return t
			}
			return f
		}
		s, ok = fuse(c)
	}
	if !ok {
		s = step{kind: other, off: uint32(len(p.rels))}
		p.rels = append(p.rels, c)
		p.regs = p.regs || usesRegisters(c)
	}
	s.jt, s.jf = t, f
	if s.span == 0 {
		s.jt = p.known(&s, s.jt)
	}
	p.steps = append(p.steps, s)
	return int32(len(p.steps)) - 1
}

// known follows the jump of an equality that holds past further tests of the
// same bytes, whose results it decides.
func (p *program) known(s *step, pc int32) int32 {
	for pc >= 0 {
		n := &p.steps[pc]
		if s.kind == other || n.kind != s.kind || n.off != s.off || n.base != s.base || n.mask != s.mask {
			return pc
		}
		if s.lo-n.lo <= n.span {
			pc = n.jt
		} else {
			pc = n.jf
		}
	}
	return pc
}

// fuse puts a test of a load, masked or not, against a number into one step.
func fuse(c *cond) (step, bool) {
	if c.b.kind != exprConst {
		return step{}, false
	}
	s := step{mask: 0xffffffff}
	load := c.a
	if load.kind == exprAnd && load.r.kind == exprConst {
		s.mask, load = load.r.k, load.l
	}
	if !s.place(load) {
		return step{}, false
	}
	k := c.b.k
	switch c.cmp {
	case cmpEq:
		s.lo = k
	case cmpGe:
		s.lo, s.span = k, 0xffffffff-k
	case cmpGt:
		if k == 0xffffffff {
			return step{}, false
		}
		s.lo, s.span = k+1, 0xffffffff-k-1
	case cmpSet:
		s.mask &= k
		s.lo, s.span = 1, 0xfffffffe
	}
	return s, true
}

// place sets the kind and offsets of a step that loads e.
func (s *step) place(e *expr) bool {
	if e.kind == exprLen {
		s.kind = length
		return true
	}
	if e.kind != exprLoad {
		return false
	}
	kinds := [...]stepKind{1: abs8, 2: abs16, 4: abs32}
	off, index := uint64(e.k), e.l
	if index != nil && index.kind == exprAdd && index.l.kind == exprMSH && index.r.kind == exprConst {
		if index.r.k > 1<<31 { // the sum may wrap
			return false
		}
		off, index = off+uint64(index.r.k), index.l
	}
	switch {
	case index == nil:
	case index.kind == exprConst:
		off += uint64(index.k)
	case index.kind == exprMSH:
		kinds = [...]stepKind{1: tran8, 2: tran16, 4: tran32}
		s.base = index.k
	default:
		return false
	}
	s.kind, s.off = kinds[e.size], uint32(off)
	return off <= 0xffffffff
}

// match runs the program on one packet.
func (p *program) match(data []byte, wire uint32) bool {
	if p.regs {
		return p.runWithRegisters(data, wire)
	}
	return p.run(data, wire, nil)
}

// runWithRegisters is apart so that other programs need not clear registers.
func (p *program) runWithRegisters(data []byte, wire uint32) bool {
	var regs [maxRegisters]uint32
	return p.run(data, wire, &regs)
}

// run is the matcher's loop. Offsets are compared in 64 bits, where they cannot
// wrap.
func (p *program) run(data []byte, wire uint32, regs *[maxRegisters]uint32) bool {
	steps, size := p.steps, uint64(len(data))
	pc := uint32(p.entry)
	for int64(pc) < int64(len(steps)) { // accept and reject are beyond
		s := &steps[pc]
		off := uint64(s.off)
		var v uint32
		switch s.kind {
		case abs8:
			if off >= size {
				return false
			}
			v = uint32(data[off])
		case abs16:
			if off+2 > size {
				return false
			}
			v = uint32(data[off])<<8 | uint32(data[off+1])
		case abs32:
			if off+4 > size {
				return false
			}
			v = binary.BigEndian.Uint32(data[off:])
		case tran8:
			if uint64(s.base) >= size {
				return false
			}
			if off += uint64(data[s.base]&0xf) * 4; off >= size {
				return false
			}
			v = uint32(data[off])
		case tran16:
			if uint64(s.base) >= size {
				return false
			}
			if off += uint64(data[s.base]&0xf) * 4; off+2 > size {
				return false
			}
			v = uint32(data[off])<<8 | uint32(data[off+1])
		case tran32:
			if uint64(s.base) >= size {
				return false
			}
			if off += uint64(data[s.base]&0xf) * 4; off+4 > size {
				return false
			}
			v = binary.BigEndian.Uint32(data[off:])
		case length:
			v = wire
		case other:
			holds, ok := p.decide(s.off, data, wire, regs)
			if !ok {
				return false
			}
			pc = uint32(s.jf)
			if holds {
				pc = uint32(s.jt)
			}
			continue
		}
		if v&s.mask-s.lo <= s.span {
			pc = uint32(s.jt)
		} else {
			pc = uint32(s.jf)
		}
	}
	return int32(pc) == accept
}

// decide evaluates one of the general conditions; not ok rejects the packet.
func (p *program) decide(rel uint32, data []byte, wire uint32, regs *[maxRegisters]uint32) (holds, ok bool) {
	m := machine{data: data, wire: wire, regs: regs}
	holds = m.holds(p.rels[rel])
	return holds, !m.rejected
}

// usesRegisters tells whether a test or assignment touches registers.
func usesRegisters(c *cond) bool {
	return c.kind == condSet || c.kind == condTest && (readsRegister(c.a) || readsRegister(c.b))
}

func readsRegister(e *expr) bool {
	for e != nil {
		if e.kind == exprReg || e.r != nil && readsRegister(e.r) {
			return true
		}
		e = e.l
	}
	return false
}
