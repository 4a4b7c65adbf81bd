package radius

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"

	"shark/dissector"
	"shark/dissector/outline"
)

// form is how the value of an attribute is written.
type form byte

const (
	octets form = iota
	text
	number
	address
	prefix // of IPv6, RFC 3162 section 2.3
	moment
	secret // what proves who somebody is, or hides a password or a key
	eap
)

// attributeNames are the attributes by type (IANA's register "RADIUS Attribute Types").
var attributeNames = [256]struct {
	name string
	form form
}{
	1: {"User-Name", text}, 2: {"User-Password", secret}, 3: {"CHAP-Password", secret}, 4: {"NAS-IP-Address", address}, 5: {"NAS-Port", number},
	6: {"Service-Type", number}, 7: {"Framed-Protocol", number}, 8: {"Framed-IP-Address", address}, 9: {"Framed-IP-Netmask", address},
	10: {"Framed-Routing", number}, 11: {"Filter-Id", text}, 12: {"Framed-MTU", number}, 13: {"Framed-Compression", number},
	14: {"Login-IP-Host", address}, 15: {"Login-Service", number}, 16: {"Login-TCP-Port", number}, 18: {"Reply-Message", text},
	19: {"Callback-Number", text}, 20: {"Callback-Id", text}, 22: {"Framed-Route", text}, 23: {"Framed-IPX-Network", number}, 24: {"State", octets},
	25: {"Class", octets}, 26: {"Vendor-Specific", octets}, 27: {"Session-Timeout", number}, 28: {"Idle-Timeout", number},
	29: {"Termination-Action", number}, 30: {"Called-Station-Id", text}, 31: {"Calling-Station-Id", text}, 32: {"NAS-Identifier", text},
	33: {"Proxy-State", octets}, 34: {"Login-LAT-Service", text}, 35: {"Login-LAT-Node", text}, 36: {"Login-LAT-Group", octets},
	37: {"Framed-AppleTalk-Link", number}, 38: {"Framed-AppleTalk-Network", number}, 39: {"Framed-AppleTalk-Zone", text},
	40: {"Acct-Status-Type", number}, 41: {"Acct-Delay-Time", number}, 42: {"Acct-Input-Octets", number}, 43: {"Acct-Output-Octets", number},
	44: {"Acct-Session-Id", text}, 45: {"Acct-Authentic", number}, 46: {"Acct-Session-Time", number}, 47: {"Acct-Input-Packets", number},
	48: {"Acct-Output-Packets", number}, 49: {"Acct-Terminate-Cause", number}, 50: {"Acct-Multi-Session-Id", text}, 51: {"Acct-Link-Count", number},
	52: {"Acct-Input-Gigawords", number}, 53: {"Acct-Output-Gigawords", number}, 55: {"Event-Timestamp", moment}, 60: {"CHAP-Challenge", secret},
	61: {"NAS-Port-Type", number}, 62: {"Port-Limit", number}, 63: {"Login-LAT-Port", text}, 64: {"Tunnel-Type", number},
	65: {"Tunnel-Medium-Type", number}, 66: {"Tunnel-Client-Endpoint", text}, 67: {"Tunnel-Server-Endpoint", text},
	68: {"Acct-Tunnel-Connection", text}, 69: {"Tunnel-Password", secret}, 70: {"ARAP-Password", secret}, 71: {"ARAP-Features", octets},
	72: {"ARAP-Zone-Access", number}, 73: {"ARAP-Security", number}, 74: {"ARAP-Security-Data", secret}, 75: {"Password-Retry", number},
	76: {"Prompt", number}, 77: {"Connect-Info", text}, 78: {"Configuration-Token", text}, 79: {"EAP-Message", eap},
	80: {"Message-Authenticator", octets}, 81: {"Tunnel-Private-Group-Id", text}, 82: {"Tunnel-Assignment-Id", text},
	83: {"Tunnel-Preference", number}, 84: {"ARAP-Challenge-Response", secret}, 85: {"Acct-Interim-Interval", number},
	86: {"Acct-Tunnel-Packets-Lost", number}, 87: {"NAS-Port-Id", text}, 88: {"Framed-Pool", text}, 89: {"CUI", octets},
	90: {"Tunnel-Client-Auth-Id", text}, 91: {"Tunnel-Server-Auth-Id", text}, 92: {"NAS-Filter-Rule", text}, 94: {"Originating-Line-Info", octets},
	95: {"NAS-IPv6-Address", address}, 96: {"Framed-Interface-Id", octets}, 97: {"Framed-IPv6-Prefix", prefix}, 98: {"Login-IPv6-Host", address},
	99: {"Framed-IPv6-Route", text}, 100: {"Framed-IPv6-Pool", text}, 101: {"Error-Cause", number}, 102: {"EAP-Key-Name", octets},
	103: {"Digest-Response", secret}, 104: {"Digest-Realm", text}, 105: {"Digest-Nonce", secret}, 106: {"Digest-Response-Auth", secret},
	107: {"Digest-Nextnonce", secret}, 108: {"Digest-Method", text}, 109: {"Digest-URI", text}, 115: {"Digest-Username", text},
	121: {"Digest-HA1", secret}, 123: {"Delegated-IPv6-Prefix", prefix}, 126: {"Operator-Name", text}, 161: {"Service-Selection", text},
	168: {"Framed-IPv6-Address", address}, 169: {"DNS-Server-IPv6-Address", address},
}

// meanings are the words for numbers, by attribute (RFC 2865, RFC 2866, RFC 2869, RFC 2868;
// IANA's register).
var meanings = map[byte]map[uint32]string{
	6: {
		1: "Login", 2: "Framed", 3: "Callback-Login", 4: "Callback-Framed", 5: "Outbound", 6: "Administrative", 7: "NAS-Prompt",
		8: "Authenticate-Only", 9: "Callback-NAS-Prompt", 10: "Call-Check", 11: "Callback-Administrative", 17: "Authorize-Only",
	},
	7:  {1: "PPP", 2: "SLIP", 3: "ARAP", 4: "Gandalf-SLMLP", 5: "Xylogics-IPX-SLIP", 6: "X.75-Synchronous", 7: "GPRS-PDP-Context"},
	40: acctStatus,
	45: {1: "RADIUS", 2: "Local", 3: "Remote", 4: "Diameter"},
	49: {
		1: "User-Request", 2: "Lost-Carrier", 3: "Lost-Service", 4: "Idle-Timeout", 5: "Session-Timeout", 6: "Admin-Reset", 7: "Admin-Reboot",
		8: "Port-Error", 9: "NAS-Error", 10: "NAS-Request", 11: "NAS-Reboot", 12: "Port-Unneeded", 13: "Port-Preempted", 14: "Port-Suspended",
		15: "Service-Unavailable", 16: "Callback", 17: "User-Error", 18: "Host-Request",
	},
	61: {
		0: "Async", 1: "Sync", 2: "ISDN-Sync", 3: "ISDN-Async-V.120", 4: "ISDN-Async-V.110", 5: "Virtual", 15: "Ethernet", 16: "xDSL", 17: "Cable",
		18: "Wireless-Other", 19: "Wireless-802.11",
	},
	101: errorCauses,
}

// outlined shows a packet: its attributes by name. Passwords and what hides them or is made
// of them is left out.
func outlined(m, _ *dissector.Message, limit int) []byte {
	b, o := m.Raw, outline.New(limit)
	if len(b) < headerLen {
		return nil
	}
	o.Named("code", int64(b[0]), codes[b[0]])
	o.Unsigned("identifier", uint64(b[1]))
	o.Say("authenticator", hex.EncodeToString(b[4:headerLen]))
	b = b[headerLen:min(max(headerLen, int(binary.BigEndian.Uint16(b[2:]))), len(b))]
	for len(b) > 0 && !o.Full() {
		kind, value, rest, ok := attribute(b)
		if !ok {
			o.Size("cut", int64(len(b)))
			break
		}
		if b = rest; kind == attrVendorSpecific && len(value) > 4 {
			vendor(o, value)
			continue
		}
		write(o, kind, value)
	}
	return o.Bytes()
}

// write writes an attribute. One whose value is not of its form is written as it is.
func write(o *outline.Writer, kind byte, value []byte) {
	a := attributeNames[kind]
	name := a.name
	if name == "" {
		name = "attribute " + strconv.Itoa(int(kind))
	}
	switch n := len(value); {
	case a.form == secret:
		o.Secret(name)
	case a.form == eap:
		o.Size(name, int64(n))
	case a.form == text:
		o.Text(name, value)
	case a.form == number && n == 4:
		v := binary.BigEndian.Uint32(value)
		o.Named(name, int64(v), meanings[kind][v])
	case a.form == moment && n == 4:
		o.Say(name, time.Unix(int64(binary.BigEndian.Uint32(value)), 0).UTC().Format(time.RFC3339))
	case a.form == address && (n == 4 || n == 16):
		ip, _ := netip.AddrFromSlice(value)
		o.Say(name, ip.String())
	case a.form == prefix && n >= 2 && n <= 18 && value[1] <= 128:
		var ip [16]byte
		copy(ip[:], value[2:])
		o.Say(name, netip.PrefixFrom(netip.AddrFrom16(ip), int(value[1])).String())
	default:
		o.Octets(name, value)
	}
}

// vendor writes what a vendor says, whose attributes nearly always have the same form
// (RFC 2865 section 5.26): text as text, and of all else how long it is, for that may be a
// key.
func vendor(o *outline.Writer, value []byte) {
	id, b := binary.BigEndian.Uint32(value), value[4:]
	o.Group("Vendor-Specific "+named(vendors, id), func() {
		for len(b) > 0 && !o.Full() {
			kind, in, rest, ok := attribute(b)
			if !ok {
				o.Size("data", int64(len(b)))
				return
			}
			b = rest
			name := "attribute " + strconv.Itoa(int(kind))
			switch {
			case outline.IsSecret(in):
				o.Secret(name)
			case outline.IsText(in):
				o.Text(name, in)
			default:
				o.Size(name, int64(len(in)))
			}
		}
	})
}
