package filter

// proto is a protocol word of the language.
type proto uint8

const (
	protoNone  proto = iota // nothing said
	protoUnset              // nothing to inherit: an id here is an error
	protoLink               // ether, link, ...
	protoIP
	protoARP
	protoRARP
	protoIPv6
	protoATalk
	protoAARP
	protoDECnet
	protoSCA
	protoLAT
	protoMOPDL
	protoMOPRC
	protoISO
	protoSTP
	protoIPX
	protoNetBEUI
	protoTCP
	protoUDP
	protoSCTP
	protoICMP
	protoICMPv6
	protoIGMP
	protoIGRP
	protoPIM
	protoVRRP
	protoCARP
	protoAH
	protoESP
	protoCLNP
	protoESIS
	protoISIS
	protoL1
	protoL2
	protoIIH
	protoLSP
	protoSNP
	protoCSNP
	protoPSNP
	protoRadio
)

// protoWords maps keywords to protocols.
var protoWords = map[string]proto{
	"link": protoLink, "ether": protoLink, "ppp": protoLink, "slip": protoLink,
	"fddi": protoLink, "tr": protoLink, "wlan": protoLink,
	"ip": protoIP, "arp": protoARP, "rarp": protoRARP, "ip6": protoIPv6,
	"atalk": protoATalk, "aarp": protoAARP, "decnet": protoDECnet, "sca": protoSCA, "lat": protoLAT,
	"mopdl": protoMOPDL, "moprc": protoMOPRC, "iso": protoISO, "stp": protoSTP, "ipx": protoIPX, "netbeui": protoNetBEUI,
	"tcp": protoTCP, "udp": protoUDP, "sctp": protoSCTP, "icmp": protoICMP, "icmp6": protoICMPv6,
	"igmp": protoIGMP, "igrp": protoIGRP, "pim": protoPIM, "vrrp": protoVRRP, "carp": protoCARP,
	"ah": protoAH, "esp": protoESP, "clnp": protoCLNP, "esis": protoESIS, "es-is": protoESIS,
	"isis": protoISIS, "is-is": protoISIS, "l1": protoL1, "l2": protoL2, "iih": protoIIH, "lsp": protoLSP,
	"snp": protoSNP, "csnp": protoCSNP, "psnp": protoPSNP, "radio": protoRadio,
}

// EtherTypes: https://www.iana.org/assignments/ieee-802-numbers.
const (
	etherIP     = 0x0800
	etherARP    = 0x0806
	etherNS     = 0x0600
	etherMOPDL  = 0x6001
	etherMOPRC  = 0x6002
	etherDECnet = 0x6003
	etherLAT    = 0x6004
	etherSCA    = 0x6007
	etherTEB    = 0x6558 // transparent Ethernet bridging
	etherRARP   = 0x8035
	etherATalk  = 0x809b
	etherAARP   = 0x80f3
	etherVLAN   = 0x8100
	etherIPX    = 0x8137
	etherIPv6   = 0x86dd
	etherMPLS   = 0x8847
	etherPPPoED = 0x8863
	etherPPPoES = 0x8864
	etherQinQ   = 0x88a8
	etherLoop   = 0x9000
	etherOldQ   = 0x9100
)

// LLC service access points (IEEE 802.2), which stand in the place of EtherTypes
// where they are at most etherMTU.
const (
	etherMTU   = 1500
	sapIP      = 0x06
	sapSTP     = 0x42
	sapSNAP    = 0xaa
	sapIPX     = 0xe0
	sapNetBEUI = 0xf0
	sapISO     = 0xfe
)

// IP protocol numbers: https://www.iana.org/assignments/protocol-numbers.
const (
	numHopOpts  = 0
	numRouting  = 43
	numFragment = 44
	numAH       = 51
	numDstOpts  = 60

	numTCP    = 6
	numUDP    = 17
	numICMPv6 = 58
	numSCTP   = 132
)

// etherTypes has the protocols that a link-layer type alone tells.
var etherTypes = map[proto]uint32{
	protoIP: etherIP, protoARP: etherARP, protoRARP: etherRARP, protoIPv6: etherIPv6,
	protoATalk: etherATalk, protoAARP: etherAARP, protoDECnet: etherDECnet, protoSCA: etherSCA,
	protoLAT: etherLAT, protoMOPDL: etherMOPDL, protoMOPRC: etherMOPRC,
	protoISO: sapISO, protoSTP: sapSTP, protoIPX: sapIPX, protoNetBEUI: sapNetBEUI,
}

// etherNames has the names known after "ether proto".
var etherNames = map[string]uint32{
	"aarp": etherAARP, "arp": etherARP, "atalk": etherATalk, "decnet": etherDECnet, "ip": etherIP, "ip6": etherIPv6,
	"lat": etherLAT, "loopback": etherLoop, "mopdl": etherMOPDL, "moprc": etherMOPRC, "rarp": etherRARP, "sca": etherSCA,
	"iso": sapISO, "stp": sapSTP, "ipx": sapIPX, "netbeui": sapNetBEUI,
}

// NLPIDs of the OSI protocols (ISO/IEC TR 9577).
const (
	nlpidCLNP = 0x81
	nlpidESIS = 0x82
	nlpidISIS = 0x83
)

// inIP has the protocols above IP: number, and whether they are looked for in
// IPv4 and IPv6.
var inIP = map[proto]struct {
	number uint32
	v4, v6 bool
}{
	protoTCP: {numTCP, true, true}, protoUDP: {numUDP, true, true}, protoSCTP: {numSCTP, true, true},
	protoPIM: {103, true, true}, protoAH: {numAH, true, true}, protoESP: {50, true, true},
	protoICMP: {1, true, false}, protoIGMP: {2, true, false}, protoIGRP: {9, true, false},
	protoVRRP: {112, true, false}, protoCARP: {112, true, false},
	protoICMPv6: {numICMPv6, false, true},
}

// isisTypes has the PDU types (ISO 10589) that the IS-IS words stand for.
var isisTypes = map[proto][]uint32{
	protoL1: {26, 24, 18, 15, 17}, protoL2: {27, 25, 20, 16, 17}, protoIIH: {17, 15, 16}, protoLSP: {18, 20},
	protoSNP: {27, 26, 24, 25}, protoCSNP: {24, 25}, protoPSNP: {26, 27},
}

// llcTypes has the values and masks of the control byte that "llc" names.
var llcTypes = map[string]struct{ value, mask uint32 }{
	"i": {0, 0x01}, "s": {0x01, 0x03}, "u": {0x03, 0x03},
	"rr": {0x01, 0x0f}, "rnr": {0x05, 0x0f}, "rej": {0x09, 0x0f},
	"ui": {0x03, 0xef}, "ua": {0x63, 0xef}, "disc": {0x43, 0xef}, "dm": {0x0f, 0xef},
	"sabme": {0x6f, 0xef}, "test": {0xe3, 0xef}, "xid": {0xaf, 0xef}, "frmr": {0x87, 0xef},
}

// words has the keywords that are neither protocols nor numbers. What is only
// meaningful for link types that are not supported is here too: as keywords they
// are no names.
var words = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range []string{
		"dst", "src", "host", "net", "mask", "port", "portrange", "proto", "protochain", "gateway",
		"less", "greater", "byte", "broadcast", "multicast", "and", "or", "not", "len", "length",
		"inbound", "outbound", "ifindex", "vlan", "mpls", "pppoed", "pppoes", "geneve", "llc",
		// 802.11
		"type", "subtype", "direction", "dir", "address1", "addr1", "address2", "addr2",
		"address3", "addr3", "address4", "addr4", "ra", "ta",
		// ATM
		"lane", "metac", "bcc", "oam", "oamf4", "oamf4ec", "oamf4sc", "sc", "ilmic", "vpi", "vci", "connectmsg", "metaconnect",
		// OpenBSD PF log
		"on", "ifname", "rset", "ruleset", "rnr", "rulenum", "srnr", "subrulenum", "reason", "action",
		// SS7
		"fisu", "lssu", "lsu", "msu", "hfisu", "hlssu", "hmsu", "sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls",
	} {
		m[w] = true
	}
	return m
}()

// numbers has the named offsets and values.
var numbers = map[string]uint32{
	"icmptype": 0, "icmpcode": 1,
	"icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8,
	"icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12,
	"icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16,
	"icmp-maskreq": 17, "icmp-maskreply": 18,
	"icmp6type": 0, "icmp6code": 1,
	"icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4,
	"icmp6-echo": 128, "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130,
	"icmp6-multicastlistenerreportv1": 131, "icmp6-multicastlistenerdone": 132,
	"icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135,
	"icmp6-neighboradvert": 136, "icmp6-redirect": 137, "icmp6-routerrenum": 138,
	"icmp6-nodeinformationquery": 139, "icmp6-nodeinformationresponse": 140,
	"icmp6-ineighbordiscoverysolicit": 141, "icmp6-ineighbordiscoveryadvert": 142,
	"icmp6-multicastlistenerreportv2": 143, "icmp6-homeagentdiscoveryrequest": 144,
	"icmp6-homeagentdiscoveryreply": 145, "icmp6-mobileprefixsolicit": 146, "icmp6-mobileprefixadvert": 147,
	"icmp6-certpathsolicit": 148, "icmp6-certpathadvert": 149, "icmp6-multicastrouteradvert": 151,
	"icmp6-multicastroutersolicit": 152, "icmp6-multicastrouterterm": 153,
	"tcpflags": 13, "tcp-fin": 0x01, "tcp-syn": 0x02, "tcp-rst": 0x04, "tcp-push": 0x08,
	"tcp-ack": 0x10, "tcp-urg": 0x20, "tcp-ece": 0x40, "tcp-cwr": 0x80,
}

func isKeyword(text string) bool {
	_, isNumber := numbers[text]
	return isNumber || words[text] || protoWords[text] != protoNone
}

// keyword returns the token of a keyword.
func keyword(text string) token {
	if p := protoWords[text]; p != protoNone {
		return token{kind: tokProto, proto: p, text: text}
	}
	if n, ok := numbers[text]; ok {
		return token{kind: tokNumber, num: n, text: text}
	}
	return token{kind: tokWord, text: text}
}
