package filter

// relation reads two numbers and the comparison between them.
func (p *parser) relation() node {
	n := &relation{place: place(p.peek().pos)}
	n.l = p.arithmetic()
	t := p.next()
	switch {
	case t.is(">"):
		n.cmp = cmpGt
	case t.is(">="):
		n.cmp = cmpGe
	case t.is("="):
		n.cmp = cmpEq
	case t.is("<="):
		n.cmp, n.negate = cmpGt, true
	case t.is("<"):
		n.cmp, n.negate = cmpGe, true
	case t.is("!="):
		n.cmp, n.negate = cmpEq, true
	default:
		p.fail(t, "a comparison is expected here, not %s", t)
		return nil
	}
	n.r = p.arithmetic()
	return n
}

// operators has the arithmetic operators and how tightly they bind. Zero is
// libpcap's "undeclared": such an operator takes all that follows it, and lets
// none before it bind tighter.
var operators = map[string]struct {
	kind exprKind
	prec int
}{
	"|": {exprOr, 1}, "&": {exprAnd, 2}, "<<": {exprShl, 3}, ">>": {exprShr, 3},
	"+": {exprAdd, 4}, "-": {exprSub, 4}, "*": {exprMul, 5}, "/": {exprDiv, 5},
	"%": {exprMod, 0}, "^": {exprXor, 0},
}

const unaryPrec = 6

// pending is an operator on the parser's stack, its left side known.
type pending struct {
	left *arithmetic // nil for unary minus
	kind exprKind
	prec int
	at   place
}

func (o *pending) apply(right *arithmetic) *arithmetic {
	if o.left == nil {
		return &arithmetic{place: o.at, kind: exprNeg, l: right}
	}
	return &arithmetic{place: o.at, kind: o.kind, l: o.left, r: right}
}

// arithmetic reads a number: operands and operators, by shift and reduce.
func (p *parser) arithmetic() *arithmetic {
	p.enter()
	defer p.leave()
	var stack []pending
	for p.err == nil {
		if t := p.peek(); t.is("-") {
			p.next()
			if len(stack) >= maxDepth {
				p.fail(t, "the expression is nested more than %d deep", maxDepth)
			}
			stack = append(stack, pending{kind: exprNeg, prec: unaryPrec, at: place(t.pos)})
			continue
		}
		right := p.operand()
		t := p.peek()
		op, more := operators[t.text]
		more = more && t.kind == tokSymbol
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if more && (top.prec == 0 || op.prec == 0 || top.prec < op.prec) {
				break
			}
			right = top.apply(right)
			stack = stack[:len(stack)-1]
		}
		if !more {
			return right
		}
		p.next()
		if len(stack) >= maxDepth {
			p.fail(t, "the expression is nested more than %d deep", maxDepth)
		}
		stack = append(stack, pending{right, op.kind, op.prec, place(t.pos)})
	}
	return nil
}

// operand reads a number, "len", a load or arithmetic in parentheses.
func (p *parser) operand() *arithmetic {
	t := p.next()
	a := &arithmetic{place: place(t.pos)}
	switch {
	case t.kind == tokNumber:
		a.kind, a.num = exprConst, t.num
	case t.is("len"):
		a.kind = exprLen
	case t.is("("):
		a = p.arithmetic()
		p.expect(")")
	case t.kind == tokProto:
		a.kind, a.proto, a.size = exprLoad, t.proto, 1
		p.expect("[")
		a.l = p.arithmetic()
		if p.accept(":") {
			size := p.peek()
			a.size = p.plainNumber()
			if a.size != 1 && a.size != 2 && a.size != 4 {
				p.fail(size, "1, 2 or 4 bytes can be loaded, not %s", size)
			}
		}
		p.expect("]")
	default:
		p.fail(t, "a number is expected here, not %s", t)
	}
	return a
}
