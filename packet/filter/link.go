package filter

import "shark/packet"

// Link types that filters can be applied to, by their numbers in capture files:
// https://www.tcpdump.org/linktypes.html.
const (
	linkNull      packet.LinkType = 0
	linkEthernet  packet.LinkType = 1
	linkPPP       packet.LinkType = 9
	linkOldRaw    packet.LinkType = 12 // written by some systems for raw IP
	linkPPPSerial packet.LinkType = 50
	linkPPPEther  packet.LinkType = 51
	linkRaw       packet.LinkType = 101
	linkHDLC      packet.LinkType = 104
	linkLoop      packet.LinkType = 108
	linkSLL       packet.LinkType = 113
	linkIPv4      packet.LinkType = 228
	linkIPv6      packet.LinkType = 229
	linkSLL2      packet.LinkType = 276
)

// links lists the supported link types. Ethernet is first: Compile reports its
// error when no link type can answer an expression.
var links = [...]packet.LinkType{
	linkEthernet, linkSLL, linkSLL2, linkRaw, linkIPv4, linkIPv6,
	linkNull, linkLoop, linkPPP, linkPPPSerial, linkPPPEther, linkHDLC,
}

// linkIndex returns the place of a link type in links, -1 when it is not there.
func linkIndex(link packet.LinkType) int {
	switch link {
	case linkEthernet:
		return 0
	case linkSLL:
		return 1
	case linkSLL2:
		return 2
	case linkRaw, linkOldRaw:
		return 3
	case linkIPv4:
		return 4
	case linkIPv6:
		return 5
	case linkNull:
		return 6
	case linkLoop:
		return 7
	case linkPPP:
		return 8
	case linkPPPSerial:
		return 9
	case linkPPPEther:
		return 10
	case linkHDLC:
		return 11
	}
	return -1
}

// linkName names a link type in errors.
func linkName(link packet.LinkType) string {
	switch link {
	case linkNull, linkLoop:
		return "BSD loopback"
	case linkEthernet:
		return "Ethernet"
	case linkPPP, linkPPPSerial, linkPPPEther:
		return "PPP"
	case linkHDLC:
		return "Cisco HDLC"
	case linkSLL, linkSLL2:
		return "Linux cooked capture"
	}
	return "raw IP"
}
