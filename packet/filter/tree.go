package filter

// The syntax tree: what an expression asks, names and implied qualifiers
// resolved, whatever the link type. Lowering visits it from left to right, since
// a "vlan" changes what everything after it means.

// node is a condition of the expression.
type node interface{ where() place }

// place is where in the expression a node begins, for errors.
type place int

func (p place) where() place { return p }

// direction says which end of a packet an address or port is looked for at.
type direction uint8

const (
	dirEither direction = iota
	dirSrc
	dirDst
	dirBoth
)

// chain is conditions joined by "and" and "or", which bind equally and group
// from the left.
type chain struct {
	place
	first node
	rest  []joined
}

// joined is a condition and the operator before it.
type joined struct {
	and bool // else or
	node
}

type negation struct {
	place
	of node
}

// protocol is a bare protocol word: "tcp".
type protocol struct {
	place
	proto proto
}

// host is an IPv4 address or network, in IP, ARP or RARP.
type host struct {
	place
	proto      proto // protoNone: any of the three
	dir        direction
	addr, mask uint32
}

// host6 is an IPv6 address or network.
type host6 struct {
	place
	dir        direction
	addr, mask [4]uint32
}

// hardware is an Ethernet address.
type hardware struct {
	place
	dir direction
	mac [6]byte
}

// port is a TCP, UDP or SCTP port or range of ports.
type port struct {
	place
	dir    direction
	proto  uint32 // IP protocol number; 0: any of the three
	lo, hi uint32
	ranged bool // asked for as a range
}

// carries is "proto": a packet of protocol outer whose payload is of type number.
type carries struct {
	place
	outer  proto // protoNone: IPv4 or IPv6
	number uint32
}

// headers is "protochain".
type headers struct {
	place
	outer  proto // protoNone: IPv4 or IPv6
	number uint32
}

// relation compares two numbers.
type relation struct {
	place
	cmp    compare
	negate bool
	l, r   *arithmetic
}

// arithmetic is a number of the expression.
type arithmetic struct {
	place
	kind  exprKind // exprConst, exprLen, exprLoad, exprNeg or an operator
	num   uint32   // exprConst
	proto proto    // exprLoad: from the header of this protocol,
	size  uint32   // so many bytes
	l, r  *arithmetic
}

// primitive is any other keyword: broadcast, vlan, less, ...
type primitive struct {
	place
	word   string
	proto  proto  // broadcast, multicast: of this protocol
	hasNum bool   // a number was given:
	num    uint32 //
	op     byte   // byte: the comparison, one of =, < and >
	value  uint32 // byte: what to compare with
	llc    string // llc: the type, "" for any
}
