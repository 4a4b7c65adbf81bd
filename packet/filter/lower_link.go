package filter

// setLink places the offsets for packets of the link type.
func (l *lowering) setLink() {
	switch l.link {
	case linkEthernet:
		l.linkType.k, l.payload.k, l.nlNoSNAP = 12, 14, 3
	case linkNull, linkLoop:
		l.payload.k = 4
	case linkPPP, linkPPPSerial, linkHDLC:
		l.linkType.k, l.payload.k = 2, 4
	case linkPPPEther:
		l.linkType.k, l.payload.k = 6, 8
	case linkSLL:
		l.linkType.k, l.payload.k = 14, 16
	case linkSLL2:
		l.payload.k = 20
	} // the others begin with the IP header
}

// linkIs asks for the type of what follows the link-layer header: an EtherType,
// or an LLC service access point when at most etherMTU.
func (l *lowering) linkIs(t uint32) *cond {
	if l.labels > 0 {
		return l.mplsIs(t)
	}
	switch l.link {
	case linkEthernet:
		return l.etherIs(t)
	case linkSLL:
		return l.cookedIs(t)
	case linkRaw:
		switch t {
		case etherIP:
			return l.maskedAt(l.linkHdr, 0, 0x40, 0xf0)
		case etherIPv6:
			return l.maskedAt(l.linkHdr, 0, 0x60, 0xf0)
		}
		return constant(false)
	case linkIPv4:
		return constant(t == etherIP)
	case linkIPv6:
		return constant(t == etherIPv6)
	case linkPPP, linkPPPSerial, linkPPPEther:
		return l.typeIs(pppType(t))
	case linkNull, linkLoop:
		return l.loopbackIs(t)
	case linkHDLC:
		if t == sapISO {
			t |= t << 8
		}
	}
	return l.typeIs(t)
}

func (l *lowering) typeIs(t uint32) *cond { return test(cmpEq, l.linkType.load(0, 2), t) }

// maskedAt tests one byte.
func (l *lowering) maskedAt(o offset, distance, v, mask uint32) *cond {
	return test(cmpEq, calc(exprAnd, o.load(distance, 1), number(mask)), v)
}

// mplsIs tells IP versions behind the last MPLS label; nothing else can be told.
func (l *lowering) mplsIs(t uint32) *cond {
	version := uint32(0x40)
	switch t {
	case etherIP:
	case etherIPv6:
		version = 0x60
	default:
		return l.fail(`after "mpls" only IPv4 and IPv6 can be told from other protocols`)
	}
	bottom := l.maskedAt(l.payload, l.nl-2, 1, 1) // of the label stack
	return and(bottom, l.maskedAt(l.payload, l.nl, version, 0xf0))
}

// loopbackIs compares the address family. BSD loopback has it in the byte order
// of the machine that captured, which a packet alone does not tell: both orders
// are taken, no family being another one reversed.
func (l *lowering) loopbackIs(t uint32) *cond {
	var families []uint32
	switch t {
	case etherIP:
		families = []uint32{2}
	case etherIPv6:
		families = []uint32{24, 28, 30} // NetBSD and OpenBSD, FreeBSD, macOS
	default:
		return constant(false)
	}
	var any []*cond
	for _, f := range families {
		any = append(any, test(cmpEq, l.linkHdr.load(0, 4), f))
		if l.link == linkNull {
			any = append(any, test(cmpEq, l.linkHdr.load(0, 4), f<<24))
		}
	}
	return anyOf(any...)
}

// pppType returns the PPP protocol number of an EtherType.
func pppType(t uint32) uint32 {
	switch t {
	case etherIP:
		return 0x0021
	case etherIPv6:
		return 0x0057
	case etherDECnet:
		return 0x0027
	case etherATalk:
		return 0x0029
	case etherNS:
		return 0x0025
	case sapISO:
		return 0x0023
	case sapSTP:
		return 0x0031
	case sapIPX:
		return 0x002b
	}
	return t
}

// llcIs tests the first bytes of the LLC header.
func (l *lowering) llcIs(size uint8, v uint32) *cond {
	return test(cmpEq, l.payload.load(0, size), v)
}

// snapIs asks for an LLC SNAP header of an organisation and a type.
func (l *lowering) snapIs(org, t uint32) *cond {
	return and(
		test(cmpEq, l.payload.load(4, 4), org<<16|t),
		test(cmpEq, l.payload.load(0, 4), sapSNAP<<24|sapSNAP<<16|0x03<<8|org>>16))
}

// etherIs tests the type of an Ethernet frame: Ethernet II, or 802.3 with LLC
// where a protocol is known to be sent so.
func (l *lowering) etherIs(t uint32) *cond {
	framed := not(test(cmpGt, l.linkType.load(0, 2), etherMTU)) // 802.3
	switch t {
	case sapISO, sapIP, sapNetBEUI:
		return and(framed, l.llcIs(2, t<<8|t))
	case sapIPX:
		inside := anyOf(l.snapIs(0, etherIPX), l.llcIs(1, sapIPX), l.llcIs(2, 0xffff))
		return or(l.typeIs(etherIPX), and(framed, inside))
	case etherATalk:
		return or(l.typeIs(t), and(framed, l.snapIs(0x080007, t)))
	case etherAARP:
		return or(l.typeIs(t), and(framed, l.snapIs(0, t)))
	}
	if t <= etherMTU {
		return and(framed, test(cmpEq, l.linkType.load(2, 1), t))
	}
	return l.typeIs(t)
}

// cookedIs is etherIs for Linux cooked captures, whose header says itself that a
// frame was 802.2 or 802.3.
func (l *lowering) cookedIs(t uint32) *cond {
	const raw8023, llc8022 = 1, 4
	framed := l.typeIs(llc8022)
	switch t {
	case sapISO, sapIP, sapNetBEUI:
		return and(framed, l.llcIs(2, t<<8|t))
	case sapIPX:
		inside := or(l.llcIs(1, sapIPX), l.snapIs(0, etherIPX))
		return anyOf(l.typeIs(etherIPX), l.typeIs(raw8023), and(framed, inside))
	case etherATalk:
		return or(l.typeIs(t), and(framed, l.snapIs(0x080007, t)))
	case etherAARP:
		return or(l.typeIs(t), and(framed, l.snapIs(0, t)))
	}
	if t <= etherMTU {
		return and(framed, test(cmpEq, l.linkHdr.load(l.payload.k, 1), t))
	}
	return l.typeIs(t)
}
