package packet_test

import (
	"testing"

	"shark/packet"
)

func BenchmarkDecode(b *testing.B) {
	tests := []struct {
		name string
		link packet.LinkType
		data []byte
	}{
		{"Ethernet/IPv4/TCP", 1, ether(0x0800, web())},
		{"Ethernet/IPv6/UDP", 1, ether(0x86dd, ipv6(17, hostA6, hostB6, udp(40000, 53, make([]byte, 40))))},
		{"VXLAN/IPv4/TCP", 1, ether(0x0800, ipv4(17, nodeA, nodeB, udp(1, 4789, join("08000000 00002a00", ether(0x0800, web())))))},
		{"SLL/IPv4/TCP", 113, join("0000 0001 0006 0000000000000000 0800", web())},
	}
	for _, test := range tests {
		b.Run(test.name, func(b *testing.B) {
			d := packet.NewDecoder()
			r := packet.Record{Data: test.data, OrigLen: uint32(len(test.data)), Link: test.link}
			var p packet.Packet
			b.ReportAllocs()
			for b.Loop() {
				d.Decode(&r, &p)
			}
			if p.Kind != packet.Transport {
				b.Fatalf("kind %d", p.Kind)
			}
		})
	}
}
