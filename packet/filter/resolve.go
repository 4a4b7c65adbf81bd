package filter

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// resolve makes the node of an id, t being its first token, under its qualifier.
func (p *parser) resolve(t *token, q qualifier) node {
	at := place(t.pos)
	if q.proto == protoUnset && t.kind != tokEnd {
		p.fail(t, `%s has no "host", "net", "port" or other qualifier to the left that it could share`, t)
		return nil
	}
	switch t.kind {
	case tokNumber:
		return p.numbered(t, q)
	case tokName:
		return p.named(t, q)
	case tokIPv4:
		return p.ipv4(t, q)
	case tokIPv6:
		return p.ipv6(t, q)
	case tokMAC:
		if q.proto != protoLink || q.kind != "" && q.kind != "host" {
			p.fail(t, `a hardware address goes with "ether host", "ether src" or "ether dst"`)
		}
		return &hardware{at, q.dir, t.mac}
	}
	p.fail(t, "an address, port or name is expected here, not %s", t)
	return nil
}

// numbered resolves a bare number.
func (p *parser) numbered(t *token, q qualifier) node {
	at := place(t.pos)
	switch q.kind {
	case "port", "portrange":
		return p.ports(t, q, t.num, t.num, 0)
	case "proto", "protochain":
		return p.carried(t, q, t.num)
	}
	addr, mask := t.num, uint32(0xffffffff)
	if q.kind == "net" { // the number is the first bytes of the network
		for addr != 0 && addr>>24 == 0 {
			addr, mask = addr<<8, mask<<8
		}
	}
	return p.host(at, t, q, addr, mask)
}

// named resolves a name of a port or protocol.
func (p *parser) named(t *token, q qualifier) node {
	switch q.kind {
	case "port":
		n, proto, ok := portByName(t.text)
		if !ok {
			p.fail(t, "no service is named %s", t)
			return nil
		}
		return p.ports(t, q, n, n, proto)
	case "portrange":
		lo, hi, proto, reason := portRange(t.text)
		if reason != "" {
			p.fail(t, "%s", reason)
			return nil
		}
		return p.ports(t, q, lo, hi, proto)
	case "proto", "protochain":
		return p.protoByName(t, q)
	case "net":
		p.fail(t, "%s is not an address; names of networks are not looked up", t)
	default:
		p.fail(t, "%s is not an address; names of hosts are not looked up", t)
	}
	return nil
}

func (p *parser) protoByName(t *token, q qualifier) node {
	var n uint32
	var ok bool
	switch q.proto {
	case protoNone, protoIP, protoIPv6:
		n, ok = ipProtocol(t.text)
	case protoLink:
		n, ok = etherNames[t.text]
	case protoISO:
		n, ok = map[string]uint32{"clnp": nlpidCLNP, "esis": nlpidESIS, "isis": nlpidISIS}[t.text]
	}
	if !ok {
		p.fail(t, "no protocol is named %s here", t)
		return nil
	}
	return p.carried(t, q, n)
}

// carried makes the node of "proto" or "protochain".
func (p *parser) carried(t *token, q qualifier, n uint32) node {
	at := place(t.pos)
	if q.kind == "protochain" {
		if q.proto != protoNone && q.proto != protoIP && q.proto != protoIPv6 {
			p.fail(t, `"protochain" goes with "ip" and "ip6" only`)
		}
		return &headers{at, q.proto, n}
	}
	switch q.proto {
	case protoNone, protoIP, protoIPv6, protoLink, protoISO, protoISIS:
		return &carries{at, q.proto, n}
	}
	p.fail(t, `"proto" goes with "ether", "ip", "ip6", "iso" and "isis" only`)
	return nil
}

// host makes the node of an IPv4 address or network.
func (p *parser) host(at place, t *token, q qualifier, addr, mask uint32) node {
	switch q.proto {
	case protoNone, protoIP, protoARP, protoRARP:
		return &host{at, q.proto, q.dir, addr, mask}
	case protoLink:
		p.fail(t, `%s is not a hardware address, which "ether" needs`, t)
	default:
		p.fail(t, `an IPv4 address goes with "ip", "arp" and "rarp" only`)
	}
	return nil
}

// ipv4 resolves a dotted address, with its mask.
func (p *parser) ipv4(t *token, q qualifier) node {
	addr, mask, ok := dotted(t.text)
	if !ok {
		p.fail(t, "%s is not an IPv4 address", t)
		return nil
	}
	switch q.kind {
	case "port", "portrange", "proto", "protochain":
		p.fail(t, "%s is an address, not a %s", t, q.kind)
		return nil
	}
	m := p.peek()
	switch {
	case p.accept("/"):
		bits := p.plainNumber()
		if bits > 32 {
			p.fail(m, "an IPv4 mask has at most 32 bits")
		}
		mask = ^uint32(0) << (32 - min(bits, 32))
	case p.accept("mask"):
		w := p.next()
		if mask, _, ok = dotted(w.text); w.kind != tokIPv4 || !ok {
			p.fail(w, "a mask such as 255.255.255.0 is expected here, not %s", w)
		}
	default:
		return p.host(place(t.pos), t, q, addr, mask)
	}
	if q.kind != "net" {
		p.fail(m, `a mask goes with "net" only`)
	}
	if addr&^mask != 0 {
		p.fail(t, "%s has bits outside its mask", t)
	}
	return p.host(place(t.pos), t, q, addr, mask)
}

// dotted reads 2 to 4 decimal numbers; missing ones widen the mask.
func dotted(s string) (addr, mask uint32, ok bool) {
	parts := strings.Split(s, ".")
	for _, part := range parts {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil || n > 255 {
			return 0, 0, false
		}
		addr = addr<<8 | uint32(n)
	}
	missing := 32 - 8*len(parts)
	return addr << missing, ^uint32(0) << missing, true
}

// ipv6 resolves an IPv6 address, with its prefix length.
func (p *parser) ipv6(t *token, q qualifier) node {
	bits := uint32(128)
	m := p.peek()
	if p.accept("/") {
		bits = p.plainNumber()
	}
	switch q.kind {
	case "net":
	case "", "host":
		if bits != 128 {
			p.fail(m, `a prefix length goes with "net" only`)
		}
	default:
		p.fail(t, "%s is an address, not a %s", t, q.kind)
	}
	if q.proto != protoNone && q.proto != protoIPv6 {
		p.fail(t, `an IPv6 address goes with "ip6" only`)
	}
	if bits > 128 {
		p.fail(m, "an IPv6 prefix has at most 128 bits")
		return nil
	}
	n := &host6{place: place(t.pos), dir: q.dir}
	full := t.addr.As16()
	for i := range n.addr {
		n.addr[i] = binary.BigEndian.Uint32(full[4*i:])
		ones := min(max(int(bits)-32*i, 0), 32)
		n.mask[i] = uint32(uint64(0xffffffff) << (32 - ones))
		if n.addr[i]&^n.mask[i] != 0 {
			p.fail(t, "%s has bits outside its prefix", t)
		}
	}
	return n
}

// ports makes the node of a range of ports. real is the transport that the name
// of the port belongs to, 0 for any.
func (p *parser) ports(t *token, q qualifier, lo, hi, real uint32) node {
	var asked uint32
	switch q.proto {
	case protoNone:
		asked = real
	case protoTCP:
		asked = numTCP
	case protoUDP:
		asked = numUDP
	case protoSCTP:
		asked = numSCTP
	default:
		p.fail(t, `a port goes with "tcp", "udp" and "sctp" only`)
	}
	if real != 0 && real != asked {
		p.fail(t, "%s is a port of %s", t, map[uint32]string{numTCP: "TCP", numUDP: "UDP"}[real])
	}
	if lo > 65535 || hi > 65535 {
		p.fail(t, "a port is at most 65535")
	}
	return &port{place(t.pos), q.dir, asked, min(lo, hi), max(lo, hi), q.kind == "portrange"}
}

// portByName returns a service's port and the transport it belongs to, 0 when it
// has the same port in TCP and UDP. A number is its own port.
func portByName(name string) (n, proto uint32, ok bool) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), 0, true
	}
	tcp, udp := service(name)
	switch {
	case tcp >= 0 && tcp == udp:
		return uint32(tcp), 0, true
	case tcp >= 0:
		return uint32(tcp), numTCP, true
	case udp >= 0:
		return uint32(udp), numUDP, true
	}
	return 0, 0, false
}

// portRange reads two ports, numbers or names, joined by "-".
func portRange(text string) (lo, hi, proto uint32, reason string) {
	first, second, found := strings.Cut(text, "-")
	if !found {
		return 0, 0, 0, fmt.Sprintf("%q is not a range such as 8000-8080", text)
	}
	var protos [2]uint32
	var ends [2]uint32
	for i, end := range [2]string{first, second} {
		var ok bool
		if ends[i], protos[i], ok = portByName(end); !ok {
			return 0, 0, 0, fmt.Sprintf("%q is neither a port nor the name of a service", end)
		}
	}
	if protos[0] == protos[1] {
		proto = protos[0]
	}
	return ends[0], ends[1], proto, ""
}
