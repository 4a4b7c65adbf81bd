package packet_test

import (
	"bytes"
	"testing"

	"shark/packet"
)

func decode(r *packet.Record) packet.Packet {
	var p packet.Packet
	packet.NewDecoder().Decode(r, &p)
	return p
}

// TestFlowBehindEveryHeader puts the same flow behind every header there is.
func TestFlowBehindEveryHeader(t *testing.T) {
	const ip, ip6 = 0x0800, 0x86dd
	outer := func(proto int, payload []byte) []byte { return ether(ip, ipv4(proto, nodeA, nodeB, payload)) }
	over := func(port uint16, payload []byte) []byte { return outer(17, udp(50000, port, payload)) }
	tests := []struct {
		name   string
		link   packet.LinkType
		data   []byte
		vlan   uint16
		tunnel packet.TunnelKind
		id     uint32
	}{
		{name: "Ethernet", link: 1, data: ether(ip, web())},
		{name: "Ethernet padded", link: 1, data: join(ether(ip, web()), make([]byte, 40))},
		{name: "Ethernet IPv6", link: 1, data: ether(ip6, web6())},
		{name: "LLC SNAP", link: 1, data: ether(8+len(web()), join(snap(ip), web(), "0000"))},
		{name: "LLC IP", link: 1, data: ether(3+len(web()), join("060603", web()))},
		{name: "VLAN", link: 1, data: ether(0x8100, join(uint16(0x6005), uint16(ip), web())), vlan: 6},
		{name: "QinQ", link: 1, data: ether(0x88a8, join(uint16(7), uint16(0x8100), uint16(5), uint16(ip6), web6())), vlan: 8},
		{name: "old QinQ", link: 1, data: ether(0x9100, join(uint16(7), uint16(0x8100), uint16(5), uint16(ip), web())), vlan: 8},
		{name: "MPLS", link: 1, data: ether(0x8847, join("00010040 00011140", web()))},
		{name: "MPLS IPv6", link: 1, data: ether(0x8848, join("00011140", web6()))},
		{name: "MPLS pseudowire", link: 1, data: ether(0x8847, join("00011140", ether(ip, web())))},
		{name: "MPLS control word", link: 1, data: ether(0x8847, join("00011140 00000000", ether(ip, web())))},
		{name: "MPLS address like IPv4", link: 1, data: ether(0x8847, join("00011140", "450000000002", ether(ip, web())[6:]))},
		{name: "Cisco MetaData", link: 1, data: ether(0x8909, join("0101 0001 0005 0800 "[:14], uint16(ip), web()))},
		{name: "NSH", link: 1, data: ether(0x894f, join("0fc60101 00000000", make([]byte, 16), web()))},
		{name: "PPPoE", link: 1, data: ether(0x8864, join("1100 0001", uint16(2+len(web())), "0021", web(), "0000"))},
		{name: "PPPoE IPv6", link: 1, data: ether(0x8864, join("1100 0001", uint16(2+len(web6())), "0057", web6()))},
		{name: "NULL little-endian", link: 0, data: join("02000000", web())},
		{name: "NULL big-endian", link: 0, data: join("00000002", web())},
		{name: "NULL IPv6 FreeBSD", link: 0, data: join("1c000000", web6())},
		{name: "NULL IPv6 Darwin", link: 0, data: join("1e000000", web6())},
		{name: "NULL EtherType", link: 0, data: join("00000800", web())},
		{name: "LOOP IPv6 OpenBSD", link: 108, data: join("00000018", web6())},
		{name: "SLIP", link: 8, data: join(make([]byte, 16), web())},
		{name: "PPP", link: 9, data: join("0021", web())},
		{name: "PPP one-byte protocol", link: 9, data: join("21", web())},
		{name: "PPP HDLC", link: 50, data: join("ff03 0021", web())},
		{name: "PPP in Cisco HDLC", link: 50, data: join("0f00 0800", web())},
		{name: "PPP MPLS", link: 9, data: join("ff03 0281 00011140", web())},
		{name: "RAW 12", link: 12, data: web()},
		{name: "RAW 14", link: 14, data: web6()},
		{name: "RAW", link: 101, data: web()},
		{name: "IPV4", link: 228, data: web()},
		{name: "IPV6", link: 229, data: web6()},
		{name: "RFC 1483", link: 100, data: join(snap(ip), web())},
		{name: "C_HDLC", link: 104, data: join("0f00 0800", web())},
		{name: "Frame Relay", link: 107, data: join("1841 03cc", web())},
		{name: "Frame Relay SNAP", link: 107, data: join("1841 0300 80 000000 0800", web())},
		{name: "Frame Relay Cisco", link: 107, data: join("1841 0800", web())},
		{name: "SLL", link: 113, data: join("0000 0001 0006 0000000000000000 0800", web())},
		{name: "SLL VLAN", link: 113, data: join("0000 0001 0006 0000000000000000 8100 0005 86dd", web6()), vlan: 6},
		{name: "SLL2", link: 276, data: join("86dd 0000 00000002 0001 00 06 0000000000000000", web6())},
		{name: "PFLOG", link: 117, data: join("3d02", make([]byte, 62), web())},
		{name: "PKTAP", link: 258, data: join("14000000 01000000 01000000 0000000000000000", ether(ip, web()))},
		{name: "PPI", link: 192, data: join("0000 0c00 01000000 00000000", ether(ip, web()))},
		{name: "NFLOG", link: 239, data: join("02000000 08000100 08000100 0500 0a00 61 000000", byteSwap(uint16(4+len(web()))), "0900", web())},
		{name: "NFLOG big-endian", link: 239, data: join("02000000 00080001 08000100", uint16(4+len(web())), "0009", web())},
		{name: "Broadcom tag", link: 281, data: join("020000000002 020000000001 00000000 0800", web())},
		{name: "Broadcom tag in front", link: 282, data: join("00000000", ether(ip, web()))},
		{name: "EDSA", link: 285, data: join("020000000002 020000000001 dada0000 00000000 0800", web())},
		{name: "802.11", link: 105, data: join("0801", make([]byte, 22), snap(ip), web())},
		{name: "802.11 QoS four addresses", link: 105, data: join("8803", make([]byte, 28), "0000", snap(ip), web())},
		{name: "802.11 A-MSDU", link: 105, data: join("8801", make([]byte, 22), "8000", make([]byte, 14), snap(ip), web())},
		{name: "radiotap", link: 127, data: join("0000 0900 02000000 00", "0801", make([]byte, 22), snap(ip), web(), "fcfcfcfc")},
		{name: "radiotap padded", link: 127, data: join(radiotapPadded(), "8801", make([]byte, 22), "0000 0000", snap(ip), web())},
		{name: "Prism", link: 119, data: join("44000000 90000000", make([]byte, 136), "0801", make([]byte, 22), snap(ip), web())},
		{name: "AVS", link: 163, data: join("80211001 00000040", make([]byte, 56), "0801", make([]byte, 22), snap(ip), web())},

		{name: "IPIP", link: 1, data: outer(4, web()), tunnel: packet.IPinIP},
		{name: "6in4", link: 1, data: outer(41, web6()), tunnel: packet.IPinIP},
		{name: "4in6", link: 1, data: ether(ip6, ipv6(4, "fd01::1", "fd01::2", web())), tunnel: packet.IPinIP},
		{name: "Teredo", link: 1, data: over(3544, web6()), tunnel: packet.IPinIP},
		{name: "Teredo with indications", link: 1, data: over(3544, join("0001 0000 0000000000000000 00 0000 1234 01020304", web6())), tunnel: packet.IPinIP},
		{name: "VXLAN", link: 1, data: over(4789, join("08000000 00002a00", ether(ip, web()))), tunnel: packet.VXLAN, id: 42},
		{name: "VXLAN on Linux's port", link: 1, data: over(8472, join("08000000 00002a00", ether(ip, web()))), tunnel: packet.VXLAN, id: 42},
		{name: "VXLAN-GPE", link: 1, data: over(4790, join("0c000002 00002a00", web6())), tunnel: packet.VXLAN, id: 42},
		{name: "VXLAN-GPE with NSH", link: 1, data: over(4790, join("0c000004 00002a00", "0fc20203 00000000", ether(ip, web()))), tunnel: packet.VXLAN, id: 42},
		{name: "Geneve", link: 1, data: over(6081, join("0200 6558 00002a00 0102030405060708", ether(ip, web()))), tunnel: packet.Geneve, id: 42},
		{name: "Geneve from its port", link: 1, data: outer(17, udp(6081, 50000, join("0000 0800 00002a00", web()))), tunnel: packet.Geneve, id: 42},
		{name: "Geneve IPv6", link: 1, data: over(6081, join("0000 86dd 00002a00", web6())), tunnel: packet.Geneve, id: 42},
		{name: "GTP-U", link: 1, data: over(2152, join("30ff", uint16(len(web())), uint32(42), web())), tunnel: packet.GTPU, id: 42},
		{name: "GTP-U extended", link: 1, data: over(2152, join("34ff", uint16(len(web())+8), uint32(42), "00000085 01100900", web())), tunnel: packet.GTPU, id: 42},
		{name: "CAPWAP", link: 1, data: over(5247, join("00 100301 00000000", "0802", make([]byte, 22), snap(ip), web())), tunnel: packet.CAPWAP},
		{name: "CAPWAP swapped", link: 1, data: over(5247, join("00 254310 00000000 06 020000000001 00", "0208", make([]byte, 22), snap(ip), web())), tunnel: packet.CAPWAP, id: 21},
		{name: "CAPWAP Ethernet", link: 1, data: over(5247, join("00 100200 00000000", ether(ip, web()))), tunnel: packet.CAPWAP},
		{name: "GRE", link: 1, data: outer(47, join("0000 0800", web())), tunnel: packet.GRE},
		{name: "GRE key, checksum, sequence", link: 1, data: outer(47, join("b000 86dd 00000000 0000002a 00000001", web6())), tunnel: packet.GRE, id: 42},
		{name: "GRE routing", link: 1, data: outer(47, join("4000 0800 00000000 0800 0004 01020304 00000000", web())), tunnel: packet.GRE},
		{name: "GRE Ethernet", link: 1, data: outer(47, join("0000 6558", ether(ip, web()))), tunnel: packet.GRE},
		{name: "ERSPAN type I", link: 1, data: outer(47, join("0000 88be", ether(ip, web()))), tunnel: packet.GRE},
		{name: "ERSPAN type II", link: 1, data: outer(47, join("1000 88be 00000001 1000000000000000", ether(ip, web()))), tunnel: packet.GRE},
		{name: "ERSPAN type III", link: 1, data: outer(47, join("1000 22eb 00000001 200000000000000000000001 0000000000000000", ether(ip, web()))), tunnel: packet.GRE},
		{name: "PPTP", link: 1, data: outer(47, join("3081 880b", uint16(4+len(web())), uint16(42), uint32(1), uint32(2), "ff03 0021", web())), tunnel: packet.GRE, id: 42},
		{name: "VXLAN in GRE keeps the outermost", link: 1, tunnel: packet.GRE, id: 7, data: outer(47, join("2000 0800", uint32(7),
			ipv4(17, "172.16.0.1", "172.16.0.2", udp(1, 4789, join("08000000 00002a00", ether(ip, web()))))))},

		{name: "IPv4 options", link: 101, data: join("46", web()[1:2], uint16(len(web())+4), web()[4:20], "01010100", web()[20:])},
		{name: "IPv4 length left to the hardware", link: 101, data: join("4500 0000", web()[4:])},
		{name: "IPv6 length left to the hardware", link: 101, data: join(web6()[:4], "0000", web6()[6:])},
		{name: "IPv4 authentication header", link: 101, data: ipv4(51, hostA, hostB, join("0604 0000", make([]byte, 20), web()[20:]))},
		{name: "IPv6 extension headers", link: 101, data: ipv6(0, hostA6, hostB6, join(
			"2b00 000000000000", "3c01", make([]byte, 14), "3300 000000000000", "0604 0000", make([]byte, 20), web6()[40:]))},
		{name: "IPv6 atomic fragment", link: 101, data: ipv6(44, hostA6, hostB6, join("0600 0000 00000001", web6()[40:]))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := decode(record(test.link, test.data))
			if p.Kind != packet.Transport || p.Proto != packet.TCP {
				t.Fatalf("kind %d, protocol %d", p.Kind, p.Proto)
			}
			src, dst := hostA, hostB
			if !p.Src.Is4() {
				src, dst = hostA6, hostB6
			}
			if p.Src.String() != src || p.Dst.String() != dst || p.SrcPort != 40000 || p.DstPort != 80 {
				t.Errorf("flow %v:%d > %v:%d", p.Src, p.SrcPort, p.Dst, p.DstPort)
			}
			if string(p.Payload) != "hello" || p.PayloadLen != 5 {
				t.Errorf("payload %q of %d bytes", p.Payload, p.PayloadLen)
			}
			if p.Seq != 1000 || p.Ack != 2000 || p.Flags != packet.PSH|packet.ACK || p.Window != 501 || len(p.Options) != 12 || p.TTL != 64 {
				t.Errorf("header fields: %+v", p)
			}
			if p.VLAN != test.vlan || p.Tunnel.Kind != test.tunnel || p.Tunnel.ID != test.id {
				t.Errorf("vlan %d, tunnel %+v", p.VLAN, p.Tunnel)
			}
			if (test.tunnel != packet.NoTunnel) != (p.Tunnel.Src != packet.Addr{}) {
				t.Errorf("tunnel addresses %v > %v", p.Tunnel.Src, p.Tunnel.Dst)
			}
		})
	}
}

func byteSwap(v uint16) uint16 { return v<<8 | v>>8 }

// radiotapPadded is a radiotap header with a timestamp, two presence words and
// flags that announce padding.
func radiotapPadded() []byte {
	return join("0000 1900 03000080 00000000", make([]byte, 4), make([]byte, 8), 0x20)
}

// TestEndsOfDecoding has packets without a flow inside, cut, or contradicting
// themselves.
func TestEndsOfDecoding(t *testing.T) {
	const ip = 0x0800
	cut := func(r *packet.Record, n int) *packet.Record { r.Data = r.Data[:n]; return r }
	outer := func(inner []byte) *packet.Record {
		return record(1, ether(ip, ipv4(17, nodeA, nodeB, udp(50000, 4789, inner))))
	}
	tests := []struct {
		name  string
		r     *packet.Record
		kind  packet.Kind
		proto packet.Proto
		port  uint16 // destination
		have  int    // bytes of payload captured
		want  uint32 // bytes of payload sent
	}{
		{name: "ARP", r: record(1, ether(0x0806, make([]byte, 28))), kind: packet.Other},
		{name: "unknown link type", r: record(65000, web()), kind: packet.Other},
		{name: "netlink", r: record(113, join("0004 0338 0000 0000000000000000 0000", make([]byte, 20))), kind: packet.Other},
		{name: "spanning tree", r: record(1, ether(38, join("424203", make([]byte, 35)))), kind: packet.Other},
		{name: "protected 802.11", r: record(105, join("0841", make([]byte, 60))), kind: packet.Other},
		{name: "empty", r: record(1, nil), kind: packet.Malformed},
		{name: "short Ethernet", r: record(1, make([]byte, 13)), kind: packet.Malformed},
		{name: "IP version 5", r: record(101, join("55", web()[1:])), kind: packet.Malformed},
		{name: "IPv4 header length 16", r: record(101, join("44", web()[1:])), kind: packet.Malformed, proto: 6},
		{name: "IPv4 length below header", r: record(101, join("4500 0013", web()[4:])), kind: packet.Malformed, proto: 6},
		{name: "IPv6 extension runs out", r: record(101, ipv6(0, hostA6, hostB6, join("06ff", make([]byte, 30)))), kind: packet.Malformed},
		{name: "OSPF", r: record(101, ipv4(89, hostA, hostB, make([]byte, 24))), kind: packet.IPOnly, proto: 89, have: 24, want: 24},
		{name: "no next header", r: record(101, ipv6(59, hostA6, hostB6, nil)), kind: packet.IPOnly, proto: 59},
		{name: "ICMP", r: record(101, ipv4(1, hostA, hostB, make([]byte, 64))), kind: packet.Transport, proto: 1, have: 64, want: 64},
		{name: "ICMPv6", r: record(101, ipv6(58, hostA6, hostB6, make([]byte, 24))), kind: packet.Transport, proto: 58, have: 24, want: 24},
		{name: "SCTP", r: record(101, ipv4(132, hostA, hostB, join("0001 0002", make([]byte, 24)))), kind: packet.Transport, proto: 132, port: 2, have: 28, want: 28},
		{name: "UDP shorter than IP says", r: record(101, ipv4(17, hostA, hostB, join("0001 0002 000a 0000", make([]byte, 24)))), kind: packet.Transport, proto: 17, port: 2, have: 2, want: 2},
		{name: "UDP longer than IP says", r: record(101, ipv4(17, hostA, hostB, join("0001 0002 00aa 0000", make([]byte, 24)))), kind: packet.Transport, proto: 17, port: 2, have: 24, want: 24},
		{name: "UDP length 7", r: record(101, ipv4(17, hostA, hostB, join("0001 0002 0007 0000"))), kind: packet.Malformed, proto: 17, port: 2},
		{name: "TCP offset 4", r: record(101, ipv4(6, hostA, hostB, join("0001 0002", make([]byte, 8), 0x40, make([]byte, 20)))), kind: packet.Malformed, proto: 6, port: 2},
		{name: "TCP offset beyond segment", r: record(101, ipv4(6, hostA, hostB, join("0001 0002", make([]byte, 8), 0x60, make([]byte, 7)))), kind: packet.Malformed, proto: 6, port: 2},
		{name: "snapped in payload", r: cut(record(1, ether(ip, web())), 14+20+32+2), kind: packet.Transport, proto: 6, port: 80, have: 2, want: 5},
		{name: "snapped in TCP options", r: cut(record(1, ether(ip, web())), 14+20+24), kind: packet.Transport, proto: 6, port: 80, want: 5},
		{name: "snapped in TCP header", r: cut(record(1, ether(ip, web())), 14+20+16), kind: packet.Malformed, proto: 6, port: 80},
		{name: "snapped offloaded segment", r: cut(record(101, join("4500 0000", web()[4:], make([]byte, 3000))), 100), kind: packet.Transport, proto: 6, port: 80, have: 48, want: 3005},
		{name: "VXLAN with ARP", r: outer(join("08000000 00002a00", ether(0x0806, make([]byte, 28)))), kind: packet.Transport, proto: 17, port: 4789, have: 50, want: 50},
		{name: "VXLAN without its flag", r: outer(join("00000000 00002a00", ether(ip, web()))), kind: packet.Transport, proto: 17, port: 4789, have: 79, want: 79},
		{name: "VXLAN with rubbish", r: outer(join("08000000 00002a00", ether(ip, make([]byte, 40)))), kind: packet.Transport, proto: 17, port: 4789, have: 62, want: 62},
		{name: "GRE with CDP", r: record(101, ipv4(47, hostA, hostB, join("0000 2000", make([]byte, 30)))), kind: packet.IPOnly, proto: 47, have: 34, want: 34},
		{name: "GTP-U extension of length 0", r: record(101, ipv4(17, hostA, hostB, udp(2152, 2152, join("34ff 0010 00000001 00000085 00", make([]byte, 11))))), kind: packet.Transport, proto: 17, port: 2152, have: 24, want: 24},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := decode(test.r)
			if p.Kind != test.kind || p.Proto != test.proto || p.DstPort != test.port {
				t.Errorf("kind %d, protocol %d, port %d; want %d, %d, %d", p.Kind, p.Proto, p.DstPort, test.kind, test.proto, test.port)
			}
			if p.Kind != packet.Malformed && (len(p.Payload) != test.have || p.PayloadLen != test.want) {
				t.Errorf("payload %d of %d bytes, want %d of %d", len(p.Payload), p.PayloadLen, test.have, test.want)
			}
			if p.Tunnel.Kind != packet.NoTunnel {
				t.Errorf("tunnel %+v", p.Tunnel)
			}
		})
	}
}

// TestNestingIsBounded sends more headers than are followed.
func TestNestingIsBounded(t *testing.T) {
	inner := web()
	for range 200 {
		inner = ipv4(4, nodeA, nodeB, inner)
	}
	p := decode(record(101, inner))
	if p.Kind != packet.IPOnly || p.Proto != 4 {
		t.Errorf("kind %d, protocol %d", p.Kind, p.Proto)
	}
	tags := bytes.Repeat(join("0001 8100"), 200)
	d := packet.NewDecoder()
	d.Decode(record(1, ether(0x8100, tags)), &p)
	if p.Kind != packet.Malformed || d.Stats().Malformed[packet.TooDeep] != 1 {
		t.Errorf("kind %d, stats %+v", p.Kind, d.Stats())
	}
}

// TestDecodeReplaces checks that nothing of the last packet stays.
func TestDecodeReplaces(t *testing.T) {
	d := packet.NewDecoder()
	var p, fresh packet.Packet
	d.Decode(record(1, ether(0x8100, join("0005 0800", web()))), &p)
	d.Decode(record(1, ether(0x0806, make([]byte, 28))), &p)
	d.Decode(record(1, ether(0x0806, make([]byte, 28))), &fresh)
	if p.VLAN != 0 || p.Proto != 0 || p.Payload != nil || p.Src != fresh.Src || p.CapLen != fresh.CapLen {
		t.Errorf("left over: %+v", p)
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	d := packet.NewDecoder()
	var p packet.Packet
	for _, r := range []*packet.Record{
		record(1, ether(0x0800, web())),
		record(1, ether(0x86dd, web6())),
		record(1, ether(0x0800, ipv4(17, nodeA, nodeB, udp(1, 4789, join("08000000 00002a00", ether(0x0800, web())))))),
		record(1, ether(0x8847, join("00011140 00000000", ether(0x0800, web())))),
		record(101, join("55", web()[1:])),
	} {
		if n := testing.AllocsPerRun(100, func() { d.Decode(r, &p) }); n != 0 {
			t.Errorf("%v allocations for % x", n, r.Data)
		}
	}
}

// TestSnappedFlow cuts packets everywhere: what is decoded is what the whole
// packet has, or a packet known to be cut.
func TestSnappedFlow(t *testing.T) {
	for _, r := range []*packet.Record{
		record(1, ether(0x0800, web())),
		record(1, ether(0x8100, join(uint16(5), uint16(0x86dd), ipv6(60, hostA6, hostB6, join("1100 000000000000", udp(1, 2, text(30))))))),
		record(276, join("86dd 0000 00000002 0001 00 06 0000000000000000", web6())),
		record(101, ipv4(132, hostA, hostB, join("0001 0002", make([]byte, 24)))),
	} {
		whole := decode(r)
		for n := range r.Data {
			cut := *r
			cut.Data = r.Data[:n:n]
			p := decode(&cut)
			switch {
			case p.Kind == packet.Malformed:
			case p.Kind != packet.Transport || p.Flow() != whole.Flow() || p.PayloadLen != whole.PayloadLen:
				t.Errorf("cut to %d bytes: %+v", n, p)
			case !bytes.HasPrefix(whole.Payload, p.Payload) || !bytes.HasPrefix(whole.Options, p.Options):
				t.Errorf("cut to %d bytes: payload % x, options % x", n, p.Payload, p.Options)
			}
		}
	}
}
