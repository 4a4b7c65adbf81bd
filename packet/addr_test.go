package packet_test

import (
	"net/netip"
	"testing"

	"shark/packet"
)

func TestAddr(t *testing.T) {
	seen := map[packet.Addr]string{{}: "none"}
	for _, text := range []string{"::", "0.0.0.0", "::1", "10.0.0.1", "255.255.255.255", "fe80::1", "ff02::16", "64:ff9b::a00:1"} {
		ip := netip.MustParseAddr(text)
		a := packet.AddrFrom(ip)
		if other, ok := seen[a]; ok {
			t.Errorf("%s is as %s", text, other)
		}
		seen[a] = text
		if a.String() != text || a.IP() != ip || a.Is4() != ip.Is4() {
			t.Errorf("%s becomes %q, %v, IPv4 %v", text, a, a.IP(), a.Is4())
		}
		raw := packet.AddrFrom16
		if ip.Is4() {
			raw = packet.AddrFrom4
		}
		if got := raw(ip.AsSlice()); got != a {
			t.Errorf("%s from its bytes: %v", text, got)
		}
	}
	if none := packet.AddrFrom(netip.Addr{}); none != (packet.Addr{}) || none.String() != "" || none.IP().IsValid() {
		t.Errorf("no address: %v %v", none, none.IP())
	}
	if a := packet.AddrFrom(netip.MustParseAddr("fe80::1%eth0")); a.String() != "fe80::1" {
		t.Errorf("with a zone: %v", a)
	}
}

// A host that has no address yet sends from ::, as for duplicate address detection.
func TestPacketFromNoAddressYet(t *testing.T) {
	var p packet.Packet
	data := ether(0x86dd, ipv6(58, "::", "ff02::1", join("87 00 0000 00000000", make([]byte, 16))))
	packet.NewDecoder().Decode(&packet.Record{Data: data, OrigLen: uint32(len(data)), Link: 1}, &p)
	if p.Kind != packet.Transport || p.Src.String() != "::" || p.Dst.String() != "ff02::1" {
		t.Errorf("from %q to %q: %+v", p.Src, p.Dst, p)
	}
}
