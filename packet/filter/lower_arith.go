package filter

// relation compares two numbers, after the tests that their headers are there.
func (l *lowering) relation(n *relation) *cond {
	a, checkA := l.number(n.l)
	b, checkB := l.number(n.r)
	l.live -= 2
	c := &cond{kind: condTest, cmp: n.cmp, a: a, b: b}
	if n.negate {
		c = not(c)
	}
	return all(checkA, checkB, c)
}

// number makes an expression and the test, perhaps nil, that must hold before
// it means anything. In a sum and the like libpcap forgets the right side's test;
// so must we.
func (l *lowering) number(n *arithmetic) (*expr, *cond) {
	if l.err != nil {
		return number(0), nil
	}
	switch n.kind {
	case exprConst:
		l.hold()
		return number(n.num), nil
	case exprLen:
		l.hold()
		return &expr{kind: exprLen}, nil
	case exprNeg:
		e, check := l.number(n.l)
		return &expr{kind: exprNeg, l: e}, check
	case exprLoad:
		index, check := l.number(n.l)
		l.at = n.place
		l.hold()
		l.live--
		return l.load(n, index, check)
	}
	a, check := l.number(n.l)
	b, _ := l.number(n.r)
	l.at = n.place
	l.live--
	if k, ok := leading(n.r); ok {
		switch {
		case n.kind == exprDiv && k == 0, n.kind == exprMod && k == 0:
			l.fail("division by zero")
		case (n.kind == exprShl || n.kind == exprShr) && k > 31:
			l.fail("shift by more than 31 bits")
		}
	}
	return calc(n.kind, a, b), check
}

// leading returns the number that the evaluation of n begins with. libpcap takes
// it for the whole right side of a division or shift when it looks for bad ones.
func leading(n *arithmetic) (uint32, bool) {
	for n.kind != exprConst && n.kind != exprLen {
		n = n.l
	}
	return n.num, n.kind == exprConst
}

// load makes "proto[index:size]".
func (l *lowering) load(n *arithmetic, index *expr, check *cond) (*expr, *cond) {
	size := uint8(n.size)
	switch n.proto {
	case protoLink:
		return at(l.linkHdr, 0, index, size), check
	case protoIP, protoARP, protoRARP, protoIPv6, protoATalk, protoDECnet, protoSCA, protoLAT, protoMOPRC, protoMOPDL:
		return at(l.payload, l.nl, index, size), all(check, l.protocol(n.proto))
	case protoTCP, protoUDP, protoSCTP, protoICMP, protoIGMP, protoIGRP, protoPIM, protoVRRP, protoCARP:
		e := &expr{kind: exprLoad, size: size, k: l.payload.k + l.nl, l: calc(exprAdd, l.headerLen(), index)}
		return e, all(l.linkIs(etherIP), check, l.protocol(n.proto), l.firstFragment())
	case protoICMPv6:
		return at(l.payload, l.nl+40, index, size), all(check, l.linkIs(etherIPv6), l.netIs(6, 1, numICMPv6))
	case protoRadio:
		l.fail("radio information is in no supported link type")
	default:
		l.fail("this protocol's header cannot be loaded from")
	}
	return number(0), nil
}

// at is a load at an index from an offset on. The index may wrap around together
// with the variable part of the offset, but not with the constant one.
func at(o offset, distance uint32, index *expr, size uint8) *expr {
	if o.variable {
		index = calc(exprAdd, register(o.reg), index)
	}
	return &expr{kind: exprLoad, size: size, k: o.k + distance, l: index}
}
