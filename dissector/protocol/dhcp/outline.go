package dhcp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"shark/dissector"
	"shark/dissector/outline"
)

// form is how the value of an option is written.
type form byte

const (
	octets    form = iota
	text           // in both versions
	addresses      // of 4 or 16 bytes
	number         // of 1, 2 or 4 bytes, without a sign
	flag
	names  // of domains, without compression
	url    // whose credentials are masked
	secret // what proves who somebody is
	parameters
	routes // RFC 3442
)

// option is what an option is called, and how it is written.
type option struct {
	name string
	form form
}

// options4 are the options of DHCP (RFC 2132; IANA's register "BOOTP Vendor Extensions and DHCP Options").
var options4 = map[byte]option{
	1: {"subnet mask", addresses}, 2: {"time offset", octets}, 3: {"routers", addresses}, 4: {"time servers", addresses},
	5: {"IEN-116 name servers", addresses}, 6: {"name servers", addresses}, 7: {"log servers", addresses}, 9: {"LPR servers", addresses},
	12: {"host name", text}, 13: {"boot file size", number}, 15: {"domain", text}, 16: {"swap server", addresses}, 17: {"root path", text},
	18: {"extensions path", text}, 19: {"IP forwarding", flag}, 22: {"maximum datagram", number}, 23: {"TTL", number}, 26: {"MTU", number},
	28: {"broadcast", addresses}, 31: {"router discovery", flag}, 33: {"static routes", addresses}, 35: {"ARP timeout", number},
	40: {"NIS domain", text}, 41: {"NIS servers", addresses}, 42: {"NTP servers", addresses}, 43: {"vendor options", octets},
	44: {"NetBIOS name servers", addresses}, 46: {"NetBIOS node type", number}, 47: {"NetBIOS scope", text}, 50: {"requested address", addresses},
	51: {"lease time", number}, 52: {"overload", number}, 53: {"message type", number}, 54: {"server", addresses},
	55: {"parameters", parameters}, 56: {"message", text}, 57: {"maximum message", number}, 58: {"renewal time", number},
	59: {"rebinding time", number}, 60: {"vendor class", text}, 61: {"client id", octets}, 64: {"NIS+ domain", text}, 65: {"NIS+ servers", addresses},
	66: {"TFTP server", text}, 67: {"boot file", url}, 69: {"SMTP servers", addresses}, 70: {"POP3 servers", addresses}, 77: {"user class", octets},
	80: {"rapid commit", octets}, 81: {"client FQDN", octets}, 82: {"relay agent", octets}, 90: {"authentication", secret},
	91: {"last transaction", number}, 93: {"client architecture", number}, 94: {"client interface", octets}, 97: {"client UUID", octets},
	100: {"POSIX time zone", text}, 101: {"time zone", text}, 108: {"IPv6-only preferred", number}, 114: {"captive portal", url},
	116: {"auto-configure", number}, 118: {"subnet selection", addresses}, 119: {"search domains", octets}, 120: {"SIP servers", octets},
	121: {"classless routes", routes}, 125: {"vendor information", octets}, 150: {"TFTP server address", addresses}, 209: {"configuration file", text},
	210: {"path prefix", text}, 249: {"classless routes (Microsoft)", routes}, 252: {"proxy configuration", url},
}

// names6 are the options of DHCPv6 (RFC 8415 section 21; IANA's register "DHCPv6 Options").
var names6 = map[uint16]option{
	1: {"client id", octets}, 2: {"server id", octets}, 3: {"IA_NA", octets}, 4: {"IA_TA", octets}, 5: {"address", octets}, 6: {"parameters", parameters},
	7: {"preference", number}, 8: {"elapsed time", number}, 9: {"relayed message", octets}, 11: {"authentication", secret},
	12: {"server unicast", addresses}, 13: {"status", octets}, 14: {"rapid commit", octets}, 15: {"user class", octets}, 16: {"vendor class", octets},
	17: {"vendor options", octets}, 18: {"interface id", octets}, 19: {"reconfigure message", number}, 20: {"reconfigure accept", octets},
	21: {"SIP server names", names}, 22: {"SIP servers", addresses}, 23: {"name servers", addresses}, 24: {"search domains", names},
	25: {"IA_PD", octets}, 26: {"prefix", octets}, 27: {"NIS servers", addresses}, 29: {"NIS domain", names}, 31: {"SNTP servers", addresses},
	32: {"refresh time", number}, 37: {"remote id", octets}, 38: {"subscriber id", octets}, 39: {"client FQDN", octets}, 56: {"NTP server", octets},
	59: {"boot file", url}, 60: {"boot parameters", octets}, 61: {"client architecture", number}, 62: {"client interface", octets},
	64: {"AFTR name", names}, 79: {"link-layer address", octets}, 82: {"SOL_MAX_RT", number}, 83: {"INF_MAX_RT", number}, 103: {"captive portal", url},
}

// outlined shows a message: its head and its options by name.
func outlined(m, _ *dissector.Message, limit int) []byte {
	o := outline.New(limit)
	if m.Flow.Src.Is4() {
		outline4(o, m.Raw)
	} else {
		outline6(o, m.Raw, 0)
	}
	return o.Bytes()
}

func outline4(o *outline.Writer, b []byte) {
	if len(b) < fixedLen {
		return
	}
	o.Named("op", int64(b[0]), map[byte]string{bootRequest: "request", bootReply: "reply"}[b[0]])
	o.Unsigned("hops", uint64(b[3]))
	o.Hex("transaction", uint64(binary.BigEndian.Uint32(b[4:])), 8)
	o.Unsigned("seconds", uint64(binary.BigEndian.Uint16(b[8:])))
	o.Flag("broadcast", b[10]&0x80 != 0)
	for i, name := range []string{"client address", "your address", "next server", "relay"} {
		if a := [4]byte(b[12+4*i:]); a != [4]byte{} {
			o.Say(name, netip.AddrFrom4(a).String())
		}
	}
	o.Say("client hardware address", hardware(b[28:28+min(16, int(b[2]))]))
	over := byte(0)
	options(b[fixedLen:], func(code byte, value []byte) {
		if code == optOverload {
			over = value0(value)
		}
	})
	each := func(code byte, value []byte) { writeOption4(o, code, value) }
	if s := upToZero(b[serverName:bootFile]); over&2 == 0 && len(s) > 0 {
		o.Text("server name", s)
	}
	if s := upToZero(b[bootFile : fixedLen-len(cookie)]); over&1 == 0 && len(s) > 0 {
		o.Text("boot file", withoutCredentials(s))
	}
	if !options(b[fixedLen:], each) {
		o.Say("options", "cut")
	}
	if over&1 != 0 {
		options(b[bootFile:fixedLen-len(cookie)], each)
	}
	if over&2 != 0 {
		options(b[serverName:bootFile], each)
	}
}

// hardware writes a hardware address.
func hardware(b []byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", ":")
}

func writeOption4(o *outline.Writer, code byte, value []byte) {
	x := options4[code]
	if x.name == "" {
		x.name = "option " + strconv.Itoa(int(code))
	}
	switch {
	case code == optType && len(value) == 1 && int(value[0]) < len(types):
		o.Named(x.name, int64(value[0]), types[value[0]])
	case code == optClientID && len(value) == 1+macLen && value[0] == ethernet:
		o.Say(x.name, hardware(value[1:]))
	case x.form == parameters:
		list := make([]string, 0, len(value))
		for _, c := range value {
			name := options4[c].name
			if name == "" {
				name = strconv.Itoa(int(c))
			}
			list = append(list, name)
		}
		o.Say(x.name, strings.Join(list, ", "))
	case code == 82: // RFC 3046
		o.Group(x.name, func() { relayAgent(o, value) })
	default:
		writeOption(o, x, value, 4)
	}
}

// relayAgent writes what a relay adds (RFC 3046, RFC 3527, RFC 5107).
func relayAgent(o *outline.Writer, b []byte) {
	for len(b) >= 2 && len(b) >= 2+int(b[1]) && !o.Full() {
		value := b[2 : 2+int(b[1])]
		switch b[0] {
		case 1:
			o.Octets("circuit id", value)
		case 2:
			o.Octets("remote id", value)
		case 5:
			writeOption(o, option{"link selection", addresses}, value, 4)
		case 8:
			o.Secret("authentication")
		case 11:
			writeOption(o, option{"server override", addresses}, value, 4)
		default:
			o.Octets("suboption "+strconv.Itoa(int(b[0])), value)
		}
		b = b[2+int(b[1]):]
	}
}

// writeOption writes an option by its form; one that is not of it as it is. size is that of
// addresses.
func writeOption(o *outline.Writer, x option, value []byte, size int) {
	n := len(value)
	switch {
	case x.form == text:
		o.Text(x.name, upToZero(value))
	case x.form == url:
		o.Text(x.name, withoutCredentials(upToZero(value)))
	case x.form == secret:
		o.Secret(x.name)
	case x.form == flag && n == 1:
		o.Flag(x.name, value[0] != 0)
	case x.form == number && (n == 1 || n == 2 || n == 4):
		v := uint64(0)
		for _, c := range value {
			v = v<<8 | uint64(c)
		}
		o.Unsigned(x.name, v)
	case x.form == addresses && n > 0 && n%size == 0:
		var list []string
		for ; len(value) > 0; value = value[size:] {
			a, _ := netip.AddrFromSlice(value[:size])
			list = append(list, a.String())
		}
		o.Say(x.name, strings.Join(list, ", "))
	case x.form == names && domains(value) != "":
		o.Text(x.name, []byte(domains(value)))
	case x.form == routes:
		o.Say(x.name, classless(value))
	default:
		o.Octets(x.name, value)
	}
}

// domains returns the names in b (RFC 1035 section 3.1), up to what is none.
func domains(b []byte) string {
	var list []string
	var p parser
	for len(b) > 0 {
		end := 0
		for end < len(b) && b[end] > 0 {
			end += 1 + int(b[end])
		}
		if end >= len(b) {
			break
		}
		p.name(b[:end+1], func(name []byte) { list = append(list, string(name)) })
		b = b[end+1:]
	}
	return strings.Join(list, ", ")
}

// classless returns routes, each with its destination and router (RFC 3442).
func classless(b []byte) string {
	var list []string
	for len(b) > 0 && b[0] <= 32 {
		bits := int(b[0])
		n := (bits + 7) / 8
		if len(b) < 1+n+4 {
			break
		}
		var to [4]byte
		copy(to[:], b[1:1+n])
		list = append(list, fmt.Sprintf("%s by %s", netip.PrefixFrom(netip.AddrFrom4(to), bits), netip.AddrFrom4([4]byte(b[1+n:]))))
		b = b[1+n+4:]
	}
	return strings.Join(list, ", ")
}

func outline6(o *outline.Writer, b []byte, hops int) {
	if len(b) < headLen || hops > maxHops {
		return
	}
	kind := ""
	if int(b[0]) < len(types6) {
		kind = types6[b[0]]
	}
	o.Named("type", int64(b[0]), kind)
	if b[0] == relayForw || b[0] == relayRepl {
		if len(b) < relayLen {
			return
		}
		o.Unsigned("hops", uint64(b[1]))
		o.Say("link", netip.AddrFrom16([16]byte(b[2:])).String())
		o.Say("peer", netip.AddrFrom16([16]byte(b[18:])).String())
		b = b[relayLen:]
	} else {
		o.Hex("transaction", uint64(binary.BigEndian.Uint32(b)&0xffffff), 6)
		b = b[headLen:]
	}
	writeOptions6(o, b, hops, 0)
}

// writeOptions6 writes options, and those that are in them, which go down a few levels.
func writeOptions6(o *outline.Writer, b []byte, hops, depth int) {
	if depth > maxNested {
		return
	}
	if !options6(b, func(code uint16, value []byte) {
		if !o.Full() {
			writeOption6(o, code, value, hops, depth)
		}
	}) {
		o.Say("options", "cut")
	}
}

func writeOption6(o *outline.Writer, code uint16, value []byte, hops, depth int) {
	x := names6[code]
	if x.name == "" {
		x.name = "option " + strconv.Itoa(int(code))
	}
	u32 := func(at int) uint64 { return uint64(binary.BigEndian.Uint32(value[at:])) }
	inner := func(at int) { writeOptions6(o, value[at:], hops, depth+1) }
	switch n := len(value); {
	case code == opt6RelayMsg:
		o.Group(x.name, func() { outline6(o, value, hops+1) })
	case (code == opt6IANA || code == opt6IAPD) && n >= 12:
		o.Group(x.name, func() {
			o.Hex("id", u32(0), 8)
			o.Unsigned("renewal time", u32(4))
			o.Unsigned("rebinding time", u32(8))
			inner(12)
		})
	case code == opt6IATA && n >= 4:
		o.Group(x.name, func() {
			o.Hex("id", u32(0), 8)
			inner(4)
		})
	case code == opt6IAAddr && n >= 24:
		o.Group(x.name+" "+netip.AddrFrom16([16]byte(value)).String(), func() {
			o.Unsigned("preferred lifetime", u32(16))
			o.Unsigned("valid lifetime", u32(20))
			inner(24)
		})
	case code == opt6IAPrefix && n >= 25 && value[8] <= 128:
		o.Group(x.name+" "+netip.PrefixFrom(netip.AddrFrom16([16]byte(value[9:])), int(value[8])).String(), func() {
			o.Unsigned("preferred lifetime", u32(0))
			o.Unsigned("valid lifetime", u32(4))
			inner(25)
		})
	case code == opt6Status && n >= 2:
		status := binary.BigEndian.Uint16(value)
		word := ""
		if int(status) < len(statuses) {
			word = statuses[status]
		}
		o.Named(x.name, int64(status), word)
		if n > 2 {
			o.Text("message", value[2:])
		}
	case code == opt6FQDN && n > 1 && domains(value[1:]) != "":
		o.Text(x.name, []byte(domains(value[1:])))
	case x.form == parameters:
		var list []string
		for ; len(value) >= 2; value = value[2:] {
			c := binary.BigEndian.Uint16(value)
			name := names6[c].name
			if name == "" {
				name = strconv.Itoa(int(c))
			}
			list = append(list, name)
		}
		o.Say(x.name, strings.Join(list, ", "))
	default:
		writeOption(o, x, value, 16)
	}
}
