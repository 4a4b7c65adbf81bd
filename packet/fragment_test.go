package packet_test

import (
	"bytes"
	"slices"
	"testing"

	"shark/packet"
)

// part is a fragment of a datagram: where it begins and its bytes.
type part struct {
	offset int
	more   bool
	data   string
}

// text returns n bytes that differ from place to place.
func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// pieces cuts b at the offsets given.
func pieces(b []byte, at ...int) []part {
	var parts []part
	from := 0
	for _, to := range append(at, len(b)) {
		parts = append(parts, part{from, to < len(b), string(b[from:to])})
		from = to
	}
	return parts
}

func (f part) field() uint16 {
	field := uint16(f.offset / 8)
	if f.more {
		field |= 0x2000
	}
	return field
}

// frame4 and frame6 wrap the fragment in IP.
func (f part) frame4(proto int, id uint16) []byte {
	return ipv4Frag(proto, hostA, hostB, id, f.field(), []byte(f.data))
}

func (f part) frame6(proto int, id uint32) []byte {
	more := 0
	if f.more {
		more = 1
	}
	return ipv6(44, hostA6, hostB6, join(proto, 0, uint16(f.offset|more), id, []byte(f.data)))
}

func TestReassembly(t *testing.T) {
	payload := text(4000)
	whole := udp(5000, 53, payload)
	inOrder := pieces(whole, 1480, 2960)
	reversed := slices.Clone(inOrder)
	slices.Reverse(reversed)
	var tiny []part
	for at := 0; at+8 < len(whole); at += 8 {
		tiny = append(tiny, part{at, true, string(whole[at : at+8])})
	}
	tiny = append(tiny, part{4000, false, string(whole[4000:])})
	cover := func(at, n int, fill byte) part {
		return part{at, true, string(bytes.Repeat([]byte{fill}, n))}
	}
	tests := []struct {
		name  string
		parts []part
	}{
		{"in order", inOrder},
		{"reversed", reversed},
		{"middle last", []part{inOrder[0], inOrder[2], inOrder[1]}},
		{"repeated", []part{inOrder[0], inOrder[0], inOrder[1], inOrder[1], inOrder[2]}},
		{"8 bytes each", tiny},
		{"two ends: the first counts", []part{inOrder[2], {2960, false, "x"}, inOrder[0], inOrder[1]}},
		{"overlap: the one further left wins", []part{inOrder[0], {1400, true, string(bytes.Repeat([]byte{'x'}, 80)) + string(whole[1480:2960])}, inOrder[2]}},
		{"overlap: also when it comes later", []part{{1400, true, string(bytes.Repeat([]byte{'x'}, 80)) + string(whole[1480:2960])}, inOrder[0], inOrder[2]}},
		{"overlap: of two at one place the first wins", []part{inOrder[0], inOrder[1], cover(1480, 1480, 'x'), inOrder[2]}},
		{"teardrop: one inside another", []part{inOrder[0], cover(800, 16, 'x'), inOrder[1], inOrder[2]}},
	}
	for _, test := range tests {
		for _, version := range []int{4, 6} {
			d := packet.NewDecoder()
			var p packet.Packet
			for i, part := range test.parts {
				frame := part.frame4(17, 9)
				if version == 6 {
					frame = part.frame6(17, 0x10009)
				}
				r := record(101, frame)
				r.Number, r.Time = uint64(i+1), int64(i)*1e6
				d.Decode(r, &p)
				clear(r.Data) // the batch is filled again
				if i < len(test.parts)-1 && (p.Kind != packet.Held || p.Proto != packet.UDP) {
					t.Fatalf("%s: IPv%d: fragment %d: kind %d", test.name, version, i, p.Kind)
				}
			}
			if p.Kind != packet.Transport || p.SrcPort != 5000 || p.DstPort != 53 || p.PayloadLen != 4000 {
				t.Fatalf("%s: IPv%d: %+v", test.name, version, p)
			}
			if !bytes.Equal(p.Payload, payload) {
				t.Errorf("%s: IPv%d: payload differs", test.name, version)
			}
			if len(p.Fragments) != len(test.parts)-1 || p.Fragments[0].Number != 1 || p.Number != uint64(len(test.parts)) {
				t.Errorf("%s: IPv%d: fragments %v", test.name, version, p.Fragments)
			}
			if s := d.Stats(); s.Held != uint64(len(test.parts)-1) || s.Completed != 1 || s.Evicted != 0 {
				t.Errorf("%s: IPv%d: stats %+v", test.name, version, s)
			}
		}
	}
}

// TestTunnelFragments completes a datagram that carries VXLAN, and in it one of
// two fragments of an inner datagram.
func TestTunnelFragments(t *testing.T) {
	d := packet.NewDecoder()
	var p packet.Packet
	number := uint64(0)
	send := func(frame []byte) {
		number++
		r := record(101, frame)
		r.Number = number
		d.Decode(r, &p)
	}
	inner := pieces(udp(5000, 53, text(100)), 56)
	for i, f := range inner {
		outer := udp(50000, 4789, join("08000000 00002a00", ether(0x0800, f.frame4(17, 1))))
		for _, g := range pieces(outer, 40) {
			send(ipv4Frag(17, nodeA, nodeB, uint16(i), g.field(), []byte(g.data)))
		}
	}
	if p.Kind != packet.Transport || p.DstPort != 53 || p.PayloadLen != 100 || p.Tunnel.Kind != packet.VXLAN {
		t.Errorf("%+v", p)
	}
	if len(p.Fragments) != 3 || p.Fragments[0].Number != 1 || p.Fragments[1].Number != 2 || p.Fragments[2].Number != 3 {
		t.Errorf("fragments %v", p.Fragments)
	}
}

func TestDatagramsAreKeptApart(t *testing.T) {
	d := packet.NewDecoder()
	var p packet.Packet
	parts := pieces(udp(5000, 53, text(100)), 56)
	end := string(parts[1].data)
	for name, frame := range map[string][]byte{
		"identification": part{56, false, end}.frame4(17, 2),
		"protocol":       part{56, false, end}.frame4(6, 1),
		"addresses":      ipv4Frag(17, hostB, hostA, 1, 7, []byte(end)),
		"version":        part{56, false, end}.frame6(17, 1),
	} {
		d.Decode(record(101, parts[0].frame4(17, 1)), &p)
		d.Decode(record(101, frame), &p)
		if p.Kind != packet.Held {
			t.Errorf("%s: kind %d", name, p.Kind)
		}
	}
	d.Decode(record(1, ether(0x8100, join(uint16(5), uint16(0x0800), parts[1].frame4(17, 1)))), &p)
	if p.Kind != packet.Held {
		t.Errorf("VLAN: kind %d", p.Kind)
	}
}

func TestIncompleteDatagrams(t *testing.T) {
	first := pieces(udp(5000, 53, text(4000)), 1480, 2960)
	at := func(number uint64, time int64, frame []byte) *packet.Record {
		r := record(101, frame)
		r.Number, r.Time = number, time
		return r
	}
	flushed := func(d *packet.Decoder) (all []packet.Packet) {
		d.Flush(func(p *packet.Packet) { all = append(all, *p) })
		return all
	}
	var p packet.Packet

	t.Run("lost fragment", func(t *testing.T) {
		d := packet.NewDecoder()
		d.Decode(at(1, 0, first[0].frame4(17, 1)), &p)
		d.Decode(at(2, 0, first[2].frame4(17, 1)), &p)
		d.Decode(at(3, 0, first[1].frame4(17, 2)), &p)
		got := flushed(d)
		if len(got) != 1 {
			t.Fatalf("%d packets", len(got))
		}
		p := got[0]
		if p.Kind != packet.Transport || p.Number != 1 || p.DstPort != 53 || len(p.Payload) != 1472 || p.PayloadLen != 4000 {
			t.Errorf("%+v", p)
		}
		if len(p.Fragments) != 1 || p.Fragments[0].Number != 2 {
			t.Errorf("fragments %v", p.Fragments)
		}
		if s := d.Stats(); s.Held != 3 || s.Evicted != 3 || s.Completed != 0 {
			t.Errorf("stats %+v", s)
		}
		if again := flushed(d); len(again) != 0 {
			t.Errorf("flushed again: %v", again)
		}
	})
	t.Run("too late", func(t *testing.T) {
		d := packet.NewDecoder()
		for i, f := range first {
			d.Decode(at(uint64(i), int64(i)*16e9, f.frame4(17, 1)), &p)
		}
		if p.Kind != packet.Held || d.Stats().Evicted != 2 {
			t.Errorf("kind %d, stats %+v", p.Kind, d.Stats())
		}
	})
	t.Run("cut by the capture", func(t *testing.T) {
		d := packet.NewDecoder()
		for i, f := range first {
			r := at(uint64(i), 0, f.frame4(17, 1))
			r.Data = r.Data[:100]
			d.Decode(r, &p)
			if i == 0 && (p.Kind != packet.Transport || len(p.Payload) != 72 || p.PayloadLen != 4000) ||
				i > 0 && (p.Kind != packet.IPOnly || p.Proto != packet.UDP) {
				t.Errorf("fragment %d: %+v", i, p)
			}
		}
		if s := d.Stats(); s.CutFragments != 3 || s.Held != 0 {
			t.Errorf("stats %+v", s)
		}
	})
	t.Run("beyond the largest datagram", func(t *testing.T) {
		d := packet.NewDecoder()
		d.Decode(at(1, 0, part{65528, false, "12345678"}.frame4(1, 1)), &p)
		if p.Kind != packet.Malformed || d.Stats().Malformed[packet.FragmentLength] != 1 {
			t.Errorf("kind %d, stats %+v", p.Kind, d.Stats())
		}
	})
	t.Run("longest", func(t *testing.T) {
		d := packet.NewDecoder()
		for _, f := range pieces(text(65535), 32768, 65528) {
			d.Decode(at(1, 0, f.frame4(1, 1)), &p)
		}
		if p.Kind != packet.Transport || p.PayloadLen != 65535 || len(p.Payload) != 65535 {
			t.Errorf("kind %d, payload %d", p.Kind, p.PayloadLen)
		}
	})
}

// TestFloodOfFragments checks that what never completes gives way.
func TestFloodOfFragments(t *testing.T) {
	d := packet.NewDecoder()
	var p packet.Packet
	big := part{0, true, string(text(32768))}
	const n = 3000
	for i := range n {
		d.Decode(record(101, big.frame4(17, uint16(i))), &p)
	}
	s := d.Stats()
	if kept := s.Held - s.Evicted; s.Held != n || kept*32768 > 16<<20 || kept < 400 {
		t.Errorf("stats %+v", s)
	}
	for i := range n { // many fragments of one datagram
		d.Decode(record(101, part{8 * i, true, "12345678"}.frame4(6, 1)), &p)
	}
	d.Flush(func(*packet.Packet) {})
	if s := d.Stats(); s.Held != s.Evicted || s.Held != 2*n {
		t.Errorf("stats %+v", s)
	}
}
