package packet_test

import (
	"testing"

	"shark/packet"
)

// linkTypes are those decoded.
var linkTypes = []packet.LinkType{
	0, 1, 8, 9, 12, 14, 50, 100, 101, 104, 105, 107, 108, 113, 117, 119, 127, 163, 192,
	228, 229, 239, 258, 276, 281, 282, 284, 285,
}

// FuzzDecode decodes the same bytes behind every link type, cut in two, with a
// Decoder that keeps fragments in between.
func FuzzDecode(f *testing.F) {
	f.Add(ether(0x0800, web()), uint16(40))
	f.Add(ether(0x8847, join("00011140 00000000", ether(0x86dd, web6()))), uint16(0))
	f.Add(ether(0x0800, ipv4(17, nodeA, nodeB, udp(1, 4789, join("08000000 00002a00", ether(0x0800, web()))))), uint16(9))
	f.Add(ether(0x0800, ipv4(17, nodeA, nodeB, udp(2152, 2152, join("34ff", uint16(90), uint32(42), "00000085 01100900", web())))), uint16(9))
	f.Add(ether(0x0800, ipv4(47, nodeA, nodeB, join("3081 880b 0010 0001 00000001 00000002 ff03 0021", web()))), uint16(0))
	f.Add(join("0000 0900 02000000 00", "8801", make([]byte, 24), snap(0x0800), web()), uint16(0))
	for _, part := range pieces(udp(5000, 53, text(100)), 56) {
		f.Add(part.frame4(17, 1), uint16(0))
		f.Add(part.frame6(17, 1), uint16(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, extra uint16) {
		d := packet.NewDecoder()
		var p packet.Packet
		for i, link := range linkTypes {
			for j, cut := range []int{len(data), len(data) / 2} {
				r := packet.Record{
					Data: data[:cut:cut], OrigLen: uint32(len(data) + int(extra)), Link: link,
					Number: uint64(2*i + j), Time: int64(i) * 1e9,
				}
				d.Decode(&r, &p)
				checkPacket(t, &r, &p)
			}
		}
		d.Flush(func(p *packet.Packet) {
			if p.Kind != packet.Transport || uint32(len(p.Payload)) > p.PayloadLen {
				t.Errorf("flushed: %+v", p)
			}
		})
		if s := d.Stats(); s.Evicted > s.Held {
			t.Errorf("stats %+v", s)
		}
	})
}

// checkPacket checks what holds for every decoded packet.
func checkPacket(t *testing.T, r *packet.Record, p *packet.Packet) {
	if uint32(len(p.Payload)) > p.PayloadLen {
		t.Errorf("link %d: payload of %d bytes has length %d", r.Link, len(p.Payload), p.PayloadLen)
	}
	if p.Number != r.Number || p.Time != r.Time || int(p.CapLen) != len(r.Data) || p.OrigLen != r.OrigLen {
		t.Errorf("link %d: record's fields: %+v", r.Link, p)
	}
	switch p.Kind {
	case packet.Other:
		if p.Proto != 0 || p.Payload != nil || p.Src != (packet.Addr{}) || p.Tunnel.Kind != packet.NoTunnel {
			t.Errorf("link %d: other, but %+v", r.Link, p)
		}
	case packet.Transport:
		if p.Proto.String() == "" {
			t.Errorf("link %d: transport %d", r.Link, p.Proto)
		}
	case packet.IPOnly, packet.Held, packet.Malformed:
	default:
		t.Errorf("link %d: kind %d", r.Link, p.Kind)
	}
	for _, f := range p.Fragments {
		if f.Number >= p.Number {
			t.Errorf("packet %d lists fragment %d", p.Number, f.Number)
		}
	}
}
