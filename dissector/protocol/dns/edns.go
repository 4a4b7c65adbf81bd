package dns

import (
	"net/netip"

	"shark/dissector"
	"shark/dissector/field"
)

// Options of EDNS that are looked into.
const (
	optionSubnet = 8  // RFC 7871
	optionEDE    = 15 // RFC 8914
)

// edns reads the OPT record, RFC 6891 section 6.1.
func (p *parser) edns(h header, msg []byte, r record, v *field.Values) {
	if !h.response() {
		EDNSSize.Set(v, int64(r.class))
	} else if high := int64(r.ttl >> 24); high != 0 {
		dissector.StatusCode.Set(v, high<<4|int64(h.rcode()))
	}
	if r.ttl&(1<<15) != 0 {
		DNSSECOK.Set(v, true)
	}
	c := cursor{msg: msg, off: r.data, end: r.end}
	for c.more() && !c.bad {
		code := c.uint(2)
		data := c.take(int(c.uint(2)))
		switch {
		case c.bad:
		case code == optionSubnet && !v.Has(ClientSubnet):
			if prefix, ok := subnet(data); ok {
				p.text = prefix.AppendTo(p.text[:0])
				ClientSubnet.Set(v, p.text)
			}
		case code == optionEDE && len(data) >= 2 && !v.Has(ExtendedError):
			p.text = extendedError(p.text[:0], data)
			ExtendedError.Set(v, p.text)
		}
	}
}

func subnet(b []byte) (netip.Prefix, bool) {
	if len(b) < 4 {
		return netip.Prefix{}, false
	}
	bits, addr := int(b[2]), b[4:]
	var full [16]byte
	n := 16
	if uint16At(b, 0) == 1 { // address family numbers: 1 IPv4, 2 IPv6
		n = 4
	}
	if len(addr) > n || bits > n*8 {
		return netip.Prefix{}, false
	}
	copy(full[:], addr)
	ip, _ := netip.AddrFromSlice(full[:n])
	return netip.PrefixFrom(ip, bits), true
}

// extendedErrors are the codes of RFC 8914 section 4 and the registry it made.
var extendedErrors = [...]string{
	"Other Error", "Unsupported DNSKEY Algorithm", "Unsupported DS Digest Type", "Stale Answer",
	"Forged Answer", "DNSSEC Indeterminate", "DNSSEC Bogus", "Signature Expired",
	"Signature Not Yet Valid", "DNSKEY Missing", "RRSIGs Missing", "No Zone Key Bit Set",
	"NSEC Missing", "Cached Error", "Not Ready", "Blocked", "Censored", "Filtered", "Prohibited",
	"Stale NXDOMAIN Answer", "Not Authoritative", "Not Supported", "No Reachable Authority",
	"Network Error", "Invalid Data", "Signature Expired before Valid", "Too Early",
	"Unsupported NSEC3 Iterations Value", "Unable to conform to policy", "Synthesized",
	"Invalid Query Type",
}

func extendedError(dst, b []byte) []byte {
	code := int(uint16At(b, 0))
	dst = appendInt(dst, int64(code))
	if code < len(extendedErrors) {
		dst = append(append(dst, ' '), extendedErrors[code]...)
	}
	if text := b[2:]; len(text) > 0 {
		dst = append(append(dst, ": "...), text[:min(len(text), maxText)]...)
	}
	return dst
}
