package filter

import "encoding/binary"

// host asks for an IPv4 address in IP, ARP or RARP.
func (l *lowering) host(n *host) *cond {
	switch n.proto {
	case protoIP:
		return l.address(n, etherIP, 12, 16)
	case protoARP:
		return l.address(n, etherARP, 14, 24)
	case protoRARP:
		return l.address(n, etherRARP, 14, 24)
	}
	ip := l.address(n, etherIP, 12, 16)
	if l.labels > 0 {
		return ip
	}
	return anyOf(ip, l.address(n, etherARP, 14, 24), l.address(n, etherRARP, 14, 24))
}

func (l *lowering) address(n *host, t, src, dst uint32) *cond {
	return ends(n.dir, func(isSrc bool) *cond {
		at := dst
		if isSrc {
			at = src
		}
		return and(l.linkIs(t), l.netMasked(at, 4, n.addr, n.mask))
	})
}

// host6 asks for an IPv6 address.
func (l *lowering) host6(n *host6) *cond {
	return ends(n.dir, func(isSrc bool) *cond {
		at := uint32(24)
		if isSrc {
			at = 8
		}
		c := l.linkIs(etherIPv6)
		for i := range n.addr {
			c = and(c, l.netMasked(at+4*uint32(i), 4, n.addr[i], n.mask[i]))
		}
		return c
	})
}

// ends asks at the ends of a packet that a direction names.
func ends(dir direction, ask func(isSrc bool) *cond) *cond {
	switch dir {
	case dirSrc:
		return ask(true)
	case dirDst:
		return ask(false)
	case dirBoth:
		return and(ask(true), ask(false))
	}
	return or(ask(true), ask(false))
}

// hardware asks for an Ethernet address.
func (l *lowering) hardware(mac [6]byte, dir direction) *cond {
	if l.link != linkEthernet {
		return l.fail("there are no hardware addresses to test in %s", linkName(l.link))
	}
	return all(l.hasEthernet(), ends(dir, func(isSrc bool) *cond {
		at := uint32(0)
		if isSrc {
			at = 6
		}
		return and(
			test(cmpEq, l.linkHdr.load(at+2, 4), binary.BigEndian.Uint32(mac[2:])),
			test(cmpEq, l.linkHdr.load(at, 2), uint32(binary.BigEndian.Uint16(mac[:]))))
	}))
}

// hasEthernet is nil, or in Geneve the test that its payload is a frame and not
// a bare packet.
func (l *lowering) hasEthernet() *cond {
	if !l.geneve {
		return nil
	}
	return not(&cond{kind: condTest, a: register(l.linkHdr.reg), b: register(l.payload.reg)})
}

// ports asks for a port in IPv4 or IPv6. The transport is looked for right
// behind an IPv6 header, and in first fragments of IPv4 only.
func (l *lowering) ports(n *port, v6 bool) *cond {
	transport := func(proto uint32) *cond {
		c := ends(n.dir, func(isSrc bool) *cond {
			at := uint32(2)
			if isSrc {
				at = 0
			}
			e := l.transport(at, 2)
			if v6 {
				e = l.net(40+at, 2)
			}
			if !n.ranged {
				return test(cmpEq, e, n.lo)
			}
			return and(test(cmpGe, e, n.lo), not(test(cmpGt, e, n.hi)))
		})
		if v6 {
			return and(l.netIs(6, 1, proto), c)
		}
		return all(l.netIs(9, 1, proto), l.firstFragment(), c)
	}
	t := uint32(etherIP)
	if v6 {
		t = etherIPv6
	}
	if n.proto != 0 {
		return and(l.linkIs(t), transport(n.proto))
	}
	return and(l.linkIs(t), anyOf(transport(numSCTP), transport(numTCP), transport(numUDP)))
}

// firstFragment asks for an IPv4 packet with fragment offset 0.
func (l *lowering) firstFragment() *cond { return not(test(cmpSet, l.net(6, 2), 0x1fff)) }

// transport is a load from behind the IPv4 header.
func (l *lowering) transport(distance uint32, size uint8) *expr {
	return &expr{kind: exprLoad, size: size, k: l.payload.k + l.nl + distance, l: l.headerLen()}
}

// headerLen is the length of the IPv4 header, plus what is variable in the
// offset of the payload it stands in.
func (l *lowering) headerLen() *expr {
	if !l.payload.variable {
		return &expr{kind: exprMSH, k: l.payload.k + l.nl}
	}
	words := calc(exprAnd, l.net(0, 1), number(0xf))
	return calc(exprAdd, register(l.payload.reg), calc(exprShl, words, number(2)))
}
