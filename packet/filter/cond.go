package filter

// The lowered form of a filter: conditions over 32-bit unsigned arithmetic over
// loads from one packet. It keeps to what a classic BPF machine can do, so that
// either a program or BPF instructions can be made of it. Nodes are never
// changed once made and may be shared.

// condKind tells what a cond is.
type condKind uint8

const (
	condConst condKind = iota // value
	condAnd                   // l, then r
	condOr                    // l, then r
	condNot                   // not l
	condTest                  // a cmp b
	condSet                   // register reg = a; then true
	condChain                 // protochain: some header from nl on has protocol number proto
)

// cond is one condition. A load out of bounds or a division by zero anywhere in
// the evaluation rejects the packet as a whole; so order matters.
type cond struct {
	kind  condKind
	value bool
	cmp   compare
	reg   uint8
	v6    bool // condChain: the headers are IPv6's
	proto uint32
	nl    uint32 // condChain: offset of the network header
	l, r  *cond
	a, b  *expr
}

// compare is a comparison of unsigned numbers.
type compare uint8

const (
	cmpEq compare = iota
	cmpGt
	cmpGe
	cmpSet // any bit of b set in a
)

// exprKind tells what an expr is.
type exprKind uint8

const (
	exprConst exprKind = iota // k
	exprLen                   // length on the wire
	exprMeta                  // what the kernel knows beside the packet: k is a meta*
	exprReg                   // register k, as last set by a condSet, else 0
	exprMSH                   // 4 * (low nibble of the byte at k): the length of an IPv4 header at k
	exprLoad                  // size bytes, big endian, at k (+ l when there is one; no wrapping)
	exprNeg                   // -l
	exprAdd                   // l op r, and so on
	exprSub
	exprMul
	exprDiv
	exprMod
	exprAnd
	exprOr
	exprXor
	exprShl // 0 when r > 31
	exprShr // 0 when r > 31
)

// expr is one unsigned 32-bit value; arithmetic wraps.
type expr struct {
	kind exprKind
	size uint8
	k    uint32
	l, r *expr
}

func and(l, r *cond) *cond { return &cond{kind: condAnd, l: l, r: r} }
func or(l, r *cond) *cond  { return &cond{kind: condOr, l: l, r: r} }
func not(c *cond) *cond    { return &cond{kind: condNot, l: c} }

// all is the conjunction of conditions from left to right, nil ones left out.
func all(conds ...*cond) *cond {
	var sum *cond
	for _, c := range conds {
		switch {
		case sum == nil:
			sum = c
		case c != nil:
			sum = and(sum, c)
		}
	}
	return sum
}

// anyOf is the disjunction of conditions from left to right.
func anyOf(conds ...*cond) *cond {
	sum := conds[0]
	for _, c := range conds[1:] {
		sum = or(sum, c)
	}
	return sum
}

func constant(v bool) *cond { return &cond{kind: condConst, value: v} }

func test(cmp compare, a *expr, b uint32) *cond {
	return &cond{kind: condTest, cmp: cmp, a: a, b: number(b)}
}

func set(reg uint8, a *expr) *cond { return &cond{kind: condSet, reg: reg, a: a} }

func number(k uint32) *expr { return &expr{kind: exprConst, k: k} }

func register(reg uint8) *expr { return &expr{kind: exprReg, k: uint32(reg)} }

// calc returns l op r, folded where that loses no load and no division by zero.
func calc(kind exprKind, l, r *expr) *expr {
	if l.kind == exprConst && r.kind == exprConst {
		if v, ok := arith(kind, l.k, r.k); ok {
			return number(v)
		}
	}
	if kind == exprAnd && r.kind == exprConst && r.k == 0xffffffff {
		return l
	}
	return &expr{kind: kind, l: l, r: r}
}

// arith computes l op r; not ok is a division by zero.
func arith(kind exprKind, l, r uint32) (v uint32, ok bool) {
	switch kind {
	case exprAdd:
		return l + r, true
	case exprSub:
		return l - r, true
	case exprMul:
		return l * r, true
	case exprDiv:
		if r == 0 {
			return 0, false
		}
		return l / r, true
	case exprMod:
		if r == 0 {
			return 0, false
		}
		return l % r, true
	case exprAnd:
		return l & r, true
	case exprOr:
		return l | r, true
	case exprXor:
		return l ^ r, true
	case exprShl:
		return l << r, true // Go shifts by more than 31 give 0, as BPF's do
	case exprShr:
		return l >> r, true
	}
	return 0, false
}

// compared computes a cmp b.
func compared(cmp compare, a, b uint32) bool {
	switch cmp {
	case cmpGt:
		return a > b
	case cmpGe:
		return a >= b
	case cmpSet:
		return a&b != 0
	}
	return a == b
}
