package icmp

// kind is what a message of a type is.
type kind uint8

const (
	notice   kind = iota // says something, answers nothing
	question             // wants an answer
	answer
	failure // another packet did not make it
)

// shape is what bytes 4 on look like where a type is not like the others.
type shape uint8

const (
	plain shape = iota
	extended
	information
	redirect
	neighbour
)

// kindOf describes a type.
type kindOf struct {
	name  string
	asked string // of an answer: the name of its question
	kind  kind
	shape shape
	pair  uint8    // the same for a question and its answer
	codes []string // meaning of the codes, where they have one
}

// lookup returns the description of a type; that of an unknown one is empty.
func lookup(types *[256]kindOf, t byte) kindOf { return types[t] }

// types4 are ICMP's types: https://www.iana.org/assignments/icmp-parameters.
var types4 = [256]kindOf{
	0: {name: "Echo Reply", asked: "Echo", kind: answer, pair: 8},
	3: {name: "Destination Unreachable", kind: failure, codes: []string{
		"Network Unreachable", "Host Unreachable", "Protocol Unreachable", "Port Unreachable",
		"Fragmentation Needed", "Source Route Failed", "Destination Network Unknown",
		"Destination Host Unknown", "Source Host Isolated", "Network Prohibited",
		"Host Prohibited", "Network Unreachable for Service", "Host Unreachable for Service",
		"Communication Prohibited", "Host Precedence Violation", "Precedence Cutoff",
	}},
	4: {name: "Source Quench", kind: failure},
	5: {name: "Redirect", kind: failure, shape: redirect, codes: []string{
		"Redirect for Network", "Redirect for Host", "Redirect for Service and Network",
		"Redirect for Service and Host",
	}},
	8:  {name: "Echo", kind: question, pair: 8},
	9:  {name: "Router Advertisement"},
	10: {name: "Router Solicitation"},
	11: {name: "Time Exceeded", kind: failure, codes: []string{"TTL Exceeded", "Reassembly Time Exceeded"}},
	12: {name: "Parameter Problem", kind: failure, codes: []string{"Bad Pointer", "Missing Option", "Bad Length"}},
	13: {name: "Timestamp", kind: question, pair: 13},
	14: {name: "Timestamp Reply", asked: "Timestamp", kind: answer, pair: 13},
	15: {name: "Information Request", kind: question, pair: 15},
	16: {name: "Information Reply", asked: "Information Request", kind: answer, pair: 15},
	17: {name: "Address Mask Request", kind: question, pair: 17},
	18: {name: "Address Mask Reply", asked: "Address Mask Request", kind: answer, pair: 17},
	30: {name: "Traceroute"},
	40: {name: "Photuris"},
	42: {name: "Extended Echo Request", kind: question, shape: extended, pair: 42},
	43: {name: "Extended Echo Reply", asked: "Extended Echo Request", kind: answer, shape: extended, pair: 42},
}

// types6 are ICMPv6's types: https://www.iana.org/assignments/icmpv6-parameters.
var types6 = [256]kindOf{
	1: {name: "Destination Unreachable", kind: failure, codes: []string{
		"No Route", "Communication Prohibited", "Beyond Scope", "Address Unreachable",
		"Port Unreachable", "Source Address Failed Policy", "Reject Route", "Source Route Error",
	}},
	2: {name: "Packet Too Big", kind: failure},
	3: {name: "Time Exceeded", kind: failure, codes: []string{"Hop Limit Exceeded", "Reassembly Time Exceeded"}},
	4: {name: "Parameter Problem", kind: failure, codes: []string{
		"Erroneous Header Field", "Unknown Next Header", "Unknown Option", "Incomplete Header Chain",
	}},
	128: {name: "Echo", kind: question, pair: 128},
	129: {name: "Echo Reply", asked: "Echo", kind: answer, pair: 128},
	130: {name: "Multicast Listener Query"},
	131: {name: "Multicast Listener Report"},
	132: {name: "Multicast Listener Done"},
	133: {name: "Router Solicitation"},
	134: {name: "Router Advertisement"},
	135: {name: "Neighbor Solicitation", shape: neighbour},
	136: {name: "Neighbor Advertisement", shape: neighbour},
	137: {name: "Redirect", shape: neighbour},
	138: {name: "Router Renumbering"},
	139: {name: "Node Information Query", kind: question, shape: information, pair: 139},
	140: {name: "Node Information Response", asked: "Node Information Query", kind: answer, shape: information, pair: 139},
	141: {name: "Inverse Neighbor Discovery Solicitation"},
	142: {name: "Inverse Neighbor Discovery Advertisement"},
	143: {name: "Multicast Listener Report v2"},
	144: {name: "Home Agent Address Discovery Request"},
	145: {name: "Home Agent Address Discovery Reply"},
	146: {name: "Mobile Prefix Solicitation"},
	147: {name: "Mobile Prefix Advertisement"},
	148: {name: "Certification Path Solicitation"},
	149: {name: "Certification Path Advertisement"},
	151: {name: "Multicast Router Advertisement"},
	152: {name: "Multicast Router Solicitation"},
	153: {name: "Multicast Router Termination"},
	155: {name: "RPL Control"},
	160: {name: "Extended Echo Request", kind: question, shape: extended, pair: 160},
	161: {name: "Extended Echo Reply", asked: "Extended Echo Request", kind: answer, shape: extended, pair: 160},
}
