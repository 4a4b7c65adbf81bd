package filter

import (
	"fmt"

	"shark/packet"
)

// lowering makes conditions of a tree for one link type. Its offsets are where
// the headers are that the next condition speaks of; encapsulations move them.
type lowering struct {
	expr string
	err  *Error
	at   place // of the node in hand, for errors

	link     packet.LinkType // of the innermost link-layer header
	linkHdr  offset          // that header
	linkType offset          // its field that tells the payload's type
	payload  offset          // what follows that header
	nl       uint32          // the network header, from payload on
	nlNoSNAP uint32          // the same where LLC comes without SNAP

	labels int  // MPLS labels passed
	geneve bool // the innermost link-layer header is Geneve's payload

	live    int   // numbers held in registers at this point, as libpcap counts
	nextReg uint8 // registers given to offsets so far

	kernel bool // packets are as Linux shows them to a socket's filter
	tagged bool // and their outer VLAN tag was asked for
}

// offset is a place in the packet: k, plus register reg if variable.
type offset struct {
	k        uint32
	reg      uint8
	variable bool
}

// load is size bytes at a distance from an offset.
func (o offset) load(distance uint32, size uint8) *expr {
	e := &expr{kind: exprLoad, size: size, k: o.k + distance}
	if o.variable {
		e.l = register(o.reg)
	}
	return e
}

// lower makes the condition of a tree for a link type. In the kernel a packet's outer VLAN tag
// is not in the packet, but beside it.
func lower(text string, tree node, linkType packet.LinkType, kernel bool) (*cond, error) {
	if tree == nil {
		return constant(true), nil
	}
	l := &lowering{expr: text, link: linkType, kernel: kernel}
	l.setLink()
	c := l.node(tree)
	if l.err != nil {
		return nil, l.err
	}
	return c, nil
}

// fail records the first error; what is returned in its place is never run.
func (l *lowering) fail(format string, args ...any) *cond {
	if l.err == nil {
		l.err = &Error{Expr: l.expr, Pos: int(l.at), Reason: fmt.Sprintf(format, args...)}
	}
	return constant(false)
}

func (l *lowering) node(n node) *cond {
	if c, ok := n.(*chain); ok {
		sum := l.node(c.first)
		for _, r := range c.rest {
			if next := l.node(r.node); r.and {
				sum = and(sum, next)
			} else {
				sum = or(sum, next)
			}
		}
		return sum
	}
	l.at = n.where()
	switch n := n.(type) {
	case *negation:
		return not(l.node(n.of))
	case *protocol:
		return l.protocol(n.proto)
	case *host:
		return l.host(n)
	case *host6:
		return l.host6(n)
	case *hardware:
		return l.hardware(n.mac, n.dir)
	case *port:
		return or(l.ports(n, true), l.ports(n, false))
	case *carries:
		return l.carries(n.outer, n.number)
	case *headers:
		return l.headers(n)
	case *relation:
		return l.relation(n)
	}
	return l.primitive(n.(*primitive))
}

// protocol is a bare protocol word.
func (l *lowering) protocol(p proto) *cond {
	if t, ok := etherTypes[p]; ok {
		return l.linkIs(t)
	}
	if types, ok := isisTypes[p]; ok {
		var any []*cond
		for _, t := range types {
			any = append(any, l.carries(protoISIS, t))
		}
		return anyOf(any...)
	}
	switch p {
	case protoCLNP:
		return l.carries(protoISO, nlpidCLNP)
	case protoESIS:
		return l.carries(protoISO, nlpidESIS)
	case protoISIS:
		return l.carries(protoISO, nlpidISIS)
	}
	in := inIP[p]
	switch {
	case in.v4 && in.v6:
		return l.carries(protoNone, in.number)
	case in.v6:
		return l.carries(protoIPv6, in.number)
	}
	return l.carries(protoIP, in.number)
}

// carries asks whether a packet is of protocol outer with a payload of a type.
func (l *lowering) carries(outer proto, number uint32) *cond {
	switch outer {
	case protoLink:
		return l.linkIs(number)
	case protoIP:
		return and(l.linkIs(etherIP), l.netIs(9, 1, number))
	case protoIPv6:
		fragment := and(l.netIs(6, 1, numFragment), l.netIs(40, 1, number))
		return and(l.linkIs(etherIPv6), or(l.netIs(6, 1, number), fragment))
	case protoISO:
		if l.link == linkHDLC { // which puts one byte before the NLPID
			return and(l.linkIs(sapISO<<8|sapISO), l.noSNAPIs(1, number))
		}
		return and(l.linkIs(sapISO), l.noSNAPIs(0, number))
	case protoISIS:
		return and(l.carries(protoISO, nlpidISIS), l.noSNAPIs(4, number))
	}
	return or(l.carries(protoIP, number), l.carries(protoIPv6, number))
}

// headers is "protochain".
func (l *lowering) headers(n *headers) *cond {
	if n.outer == protoNone {
		v4, v6 := *n, *n
		v4.outer, v6.outer = protoIP, protoIPv6
		return or(l.headers(&v4), l.headers(&v6))
	}
	if l.payload.variable {
		return l.fail(`"protochain" cannot follow "geneve"`)
	}
	c := &cond{kind: condChain, proto: n.number, nl: l.payload.k + l.nl, v6: n.outer == protoIPv6}
	if c.v6 {
		return and(l.linkIs(etherIPv6), c)
	}
	return and(l.linkIs(etherIP), c)
}

// net is a load from the network header.
func (l *lowering) net(distance uint32, size uint8) *expr {
	return l.payload.load(l.nl+distance, size)
}

func (l *lowering) netIs(distance uint32, size uint8, v uint32) *cond {
	return test(cmpEq, l.net(distance, size), v)
}

func (l *lowering) netMasked(distance uint32, size uint8, v, mask uint32) *cond {
	return test(cmpEq, calc(exprAnd, l.net(distance, size), number(mask)), v)
}

func (l *lowering) noSNAPIs(distance, v uint32) *cond {
	return test(cmpEq, l.payload.load(l.nlNoSNAP+distance, 1), v)
}

// register takes a register for good.
func (l *lowering) register() uint8 {
	l.hold()
	if l.nextReg >= maxRegisters {
		return 0
	}
	l.nextReg++
	return l.nextReg - 1
}

// hold counts one more number alive in a register.
func (l *lowering) hold() {
	if l.live++; l.live > maxRegisters {
		l.fail("too many numbers have to be held at once")
	}
}
