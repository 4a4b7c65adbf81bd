package filter

// primitive lowers the keywords that are conditions by themselves.
func (l *lowering) primitive(n *primitive) *cond {
	switch n.word {
	case "broadcast":
		return l.broadcast(n.proto)
	case "multicast":
		return l.multicast(n.proto)
	case "less":
		return not(test(cmpGt, &expr{kind: exprLen}, n.num))
	case "greater":
		return test(cmpGe, &expr{kind: exprLen}, n.num)
	case "byte":
		return l.byteTest(n)
	case "inbound":
		return not(l.sent())
	case "outbound":
		return l.sent()
	case "ifindex":
		if l.kernel {
			return test(cmpEq, meta(metaDevice), n.num)
		}
		if l.link != linkSLL2 {
			return l.fail("there is no interface index in %s", linkName(l.link))
		}
		return test(cmpEq, l.linkHdr.load(4, 4), n.num)
	case "vlan":
		return l.vlan(n)
	case "mpls":
		return l.mpls(n)
	case "pppoed":
		return l.linkIs(etherPPPoED)
	case "pppoes":
		return l.pppoes(n)
	case "geneve":
		return l.geneveIs(n)
	}
	return l.llc(n)
}

// broadcast asks for the broadcast address. For IP that is 0.0.0.0 and
// 255.255.255.255: a capture file tells no netmask.
func (l *lowering) broadcast(p proto) *cond {
	switch p {
	case protoNone, protoLink:
		return l.hardware([6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, dirDst)
	case protoIP:
		return and(l.linkIs(etherIP), or(l.netIs(16, 4, 0), l.netIs(16, 4, 0xffffffff)))
	}
	return l.fail(`"broadcast" goes with "ether" and "ip" only`)
}

func (l *lowering) multicast(p proto) *cond {
	switch p {
	case protoNone, protoLink:
		if l.link != linkEthernet {
			return l.fail("there are no hardware addresses to test in %s", linkName(l.link))
		}
		return all(l.hasEthernet(), test(cmpSet, l.linkHdr.load(0, 1), 1))
	case protoIP:
		return and(l.linkIs(etherIP), test(cmpGe, l.net(16, 1), 224))
	case protoIPv6:
		return and(l.linkIs(etherIPv6), l.netIs(24, 1, 255))
	}
	return l.fail(`"multicast" goes with "ether", "ip" and "ip6" only`)
}

func (l *lowering) byteTest(n *primitive) *cond {
	e := l.linkHdr.load(n.num, 1)
	switch n.op {
	case '<':
		return not(test(cmpGe, e, n.value))
	case '>':
		return test(cmpGt, e, n.value)
	}
	return test(cmpEq, e, n.value)
}

// sent asks whether the capturing machine itself sent the packet.
func (l *lowering) sent() *cond {
	const outgoing = 4
	if l.kernel {
		return test(cmpEq, meta(metaDirection), outgoing)
	}
	switch l.link {
	case linkSLL:
		return test(cmpEq, l.linkHdr.load(0, 2), outgoing)
	case linkSLL2:
		return test(cmpEq, l.linkHdr.load(10, 1), outgoing)
	}
	return l.fail("%s does not tell direction", linkName(l.link))
}

// vlan asks for a VLAN tag, and has what follows look behind it.
func (l *lowering) vlan(n *primitive) *cond {
	switch {
	case l.labels > 0:
		return l.fail(`"vlan" cannot follow "mpls"`)
	case l.link != linkEthernet:
		return l.fail("there are no VLAN tags to test in %s", linkName(l.link))
	case n.num > 0xfff:
		return l.fail("a VLAN id is at most 4095")
	}
	c := anyOf(l.linkIs(etherVLAN), l.linkIs(etherQinQ), l.linkIs(etherOldQ))
	if n.hasNum {
		c = and(c, test(cmpEq, calc(exprAnd, l.payload.load(l.nl, 2), number(0xfff)), n.num))
	}
	if l.kernel && !l.tagged && !l.geneve {
		return l.outerVLAN(n, c)
	}
	l.payload.k += 4
	l.linkType.k += 4
	return c
}

// outerVLAN asks for a VLAN tag where it may be beside the packet. It is in the packet, where
// inside looks for it, if a device sends that does not put tags in by itself: then what follows
// stands 4 bytes further on.
func (l *lowering) outerVLAN(n *primitive, inside *cond) *cond {
	l.tagged = true
	shift := l.register()
	tagged := test(cmpEq, meta(metaTagged), 1)
	beside := tagged
	if n.hasNum {
		beside = and(tagged, test(cmpEq, calc(exprAnd, meta(metaTag), number(0xfff)), n.num))
	}
	l.linkType.reg, l.linkType.variable = shift, true
	l.payload.reg, l.payload.variable = shift, true
	return and(set(shift, number(0)), or(beside, all(not(tagged), inside, set(shift, number(4)))))
}

// What Linux tells a filter beside the packet, by where it has it (SKF_AD_*).
const (
	metaDirection = 4  // PACKET_*
	metaDevice    = 8  // index
	metaTag       = 44 // VLAN
	metaTagged    = 48 // 1: there is one
)

func meta(k uint32) *expr { return &expr{kind: exprMeta, k: k} }

// mpls asks for an MPLS label, and has what follows look behind it.
func (l *lowering) mpls(n *primitive) *cond {
	var c *cond
	switch {
	case n.num > 0xfffff:
		return l.fail("an MPLS label is at most 1048575")
	case l.labels > 0: // the label before must not be the stack's last
		c = l.maskedAt(l.payload, l.nl-4+2, 0, 1)
	case l.link == linkEthernet || l.link == linkHDLC:
		c = l.linkIs(etherMPLS)
	case l.link == linkPPP:
		c = l.linkIs(0x0281)
	default:
		return l.fail("there are no MPLS labels to test in %s", linkName(l.link))
	}
	if n.hasNum {
		c = and(c, l.netMasked(0, 4, n.num<<12, 0xfffff000))
	}
	l.nl += 4
	l.nlNoSNAP += 4
	l.labels++
	return c
}

// pppoes asks for a PPPoE session, and has what follows look at its PPP frame.
func (l *lowering) pppoes(n *primitive) *cond {
	if n.num > 0xffff {
		return l.fail("a PPPoE session is at most 65535")
	}
	c := l.linkIs(etherPPPoES)
	if n.hasNum {
		c = and(c, l.netMasked(0, 4, n.num, 0xffff))
	}
	l.link, l.geneve = linkPPP, false
	l.linkHdr = l.payload
	l.linkHdr.k += l.nl + 6
	l.linkType = l.linkHdr
	l.payload.k = l.linkHdr.k + 2
	l.nl, l.nlNoSNAP = 0, 0
	return c
}

// geneveIs asks for Geneve (RFC 8926), and has what follows look at its payload:
// an Ethernet frame, or a packet whose type Geneve itself tells.
func (l *lowering) geneveIs(n *primitive) *cond {
	if n.num > 0xffffff {
		return l.fail("a Geneve VNI is at most 16777215")
	}
	typeAt := offset{variable: true}
	typeAt.reg = l.register()
	frame := offset{variable: true}
	frame.reg = l.register()
	content := offset{variable: true}
	content.reg = l.register()

	udp := &port{dir: dirDst, proto: numUDP, lo: 6081, hi: 6081}
	header := func(v6 bool, field func(distance uint32, size uint8) *expr, ipLen *expr) *cond {
		c := and(l.ports(udp, v6), test(cmpEq, calc(exprAnd, field(8, 1), number(0xc0)), 0)) // version 0
		if n.hasNum {
			c = and(c, test(cmpEq, calc(exprAnd, field(12, 4), number(0xffffff00)), n.num<<8))
		}
		start := calc(exprAdd, ipLen, number(l.payload.k+l.nl+8))
		return and(c, set(typeAt.reg, start))
	}
	ip6Len := number(40)
	if l.payload.variable {
		ip6Len = calc(exprAdd, register(l.payload.reg), ip6Len)
	}
	c := or(
		header(false, l.transport, l.headerLen()),
		header(true, func(d uint32, size uint8) *expr { return l.net(40+d, size) }, ip6Len))

	// typeAt is the start of the Geneve header at first. Its payload begins
	// behind 8 bytes and the options.
	options := calc(exprMul, calc(exprAnd, typeAt.load(0, 1), number(0x3f)), number(4))
	end := calc(exprAdd, calc(exprAdd, options, number(8)), register(typeAt.reg))
	ethernet := all(
		test(cmpEq, typeAt.load(2, 2), etherTEB),
		set(typeAt.reg, calc(exprAdd, register(frame.reg), number(12))),
		set(content.reg, calc(exprAdd, register(frame.reg), number(14))))
	bare := and(
		set(typeAt.reg, calc(exprAdd, register(typeAt.reg), number(2))),
		set(content.reg, register(frame.reg)))
	c = all(c, set(frame.reg, end), or(ethernet, bare))

	l.link, l.geneve = linkEthernet, true
	l.linkType = typeAt
	l.linkHdr, l.payload = frame, content
	l.nl = 0
	return c
}

// llc asks for an LLC frame, perhaps of a type.
func (l *lowering) llc(n *primitive) *cond {
	if l.link != linkEthernet {
		return l.fail(`"llc" cannot be told in %s`, linkName(l.link))
	}
	// 0xffff would be IPX right on 802.3.
	c := and(not(test(cmpGt, l.linkType.load(0, 2), etherMTU)), not(l.llcIs(2, 0xffff)))
	if n.llc == "" {
		return c
	}
	t := llcTypes[n.llc]
	return and(c, l.maskedAt(l.payload, 2, t.value, t.mask))
}
