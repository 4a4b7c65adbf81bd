package packet_test

import (
	"bytes"
	"testing"

	"shark/packet"
)

// frames returns one IPv4 packet in the link types that become Ethernet, by name.
func frames() map[string]packet.Record {
	ip := []byte{
		0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x13, 0x88, 0, 53, 0, 12, 0, 0, 'a', 'b', 'c', 'd',
	}
	with := func(link packet.LinkType, head ...byte) packet.Record {
		b := append(head, ip...)
		return packet.Record{Link: link, Data: b, OrigLen: uint32(len(b)) + 7}
	}
	return map[string]packet.Record{
		"Ethernet": with(1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0),
		"raw":      with(101), "raw of BSD": with(12), "IPv4": with(228),
		"null": with(0, 2, 0, 0, 0), "loop": with(108, 0, 0, 0, 2), "null with EtherType": with(0, 0, 0, 8, 0),
		"cooked":           with(113, 0, 4, 0, 1, 0, 6, 7, 8, 9, 10, 11, 12, 0, 0, 8, 0),
		"cooked, loopback": with(113, 0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0),
		"cooked, to all":   with(113, 0, 1, 0, 1, 0, 6, 7, 8, 9, 10, 11, 12, 0, 0, 8, 0),
		"cooked, no MAC":   with(113, 0, 4, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0),
		"cooked 2":         with(276, 8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 7, 8, 9, 10, 11, 12, 0, 0),
		"PPP":              with(9, 0, 0x21), "PPP in HDLC": with(50, 0xff, 3, 0, 0x21), "PPP, short": with(9, 0x21), "Cisco": with(104, 0x0f, 0, 8, 0),
	}
}

// TestAppendEthernet: what is behind the header stays, the sizes too, and of the header
// what Ethernet can say.
func TestAppendEthernet(t *testing.T) {
	none, all, sender := make([]byte, 6), bytes.Repeat([]byte{0xff}, 6), []byte{7, 8, 9, 10, 11, 12}
	want := map[string][2][]byte{
		"Ethernet": {{1, 2, 3, 4, 5, 6}, sender}, "cooked": {none, sender}, "cooked, to all": {all, sender}, "cooked 2": {none, sender},
	}
	ip := frames()["raw"].Data
	for name, r := range frames() {
		got, size, ok := packet.AppendEthernet([]byte("before"), r.Link, r.Data, int(r.OrigLen))
		if !ok || !bytes.HasPrefix(got, []byte("before")) {
			t.Errorf("%s: %t %x", name, ok, got)
			continue
		}
		got = got[len("before"):]
		addrs, stated := want[name]
		if !stated {
			addrs = [2][]byte{none, none}
		}
		head := append(append(bytes.Clone(addrs[0]), addrs[1]...), 8, 0)
		if !bytes.Equal(got, append(head, ip...)) || size != len(got)+7 {
			t.Errorf("%s becomes %x of %d bytes", name, got, size)
		}
	}
}

// TestAppendEthernetRefuses: what does not go into Ethernet, or is cut short.
func TestAppendEthernetRefuses(t *testing.T) {
	for name, r := range map[string]packet.Record{
		"USB":             {Link: 189, Data: make([]byte, 64)},
		"wireless":        {Link: 105, Data: make([]byte, 64)},
		"raw, no version": {Link: 101, Data: []byte{0, 1, 2}},
		"raw, empty":      {Link: 101},
		"null, cut":       {Link: 0, Data: []byte{2, 0, 0}},
		"null, empty":     {Link: 0, Data: []byte{2, 0, 0, 0}},
		"cooked, cut":     {Link: 113, Data: make([]byte, 15)},
		"cooked 2, cut":   {Link: 276, Data: make([]byte, 19)},
		"cooked, CAN":     {Link: 113, Data: []byte{15: 12}},
		"cooked, netlink": {Link: 113, Data: []byte{2: 3, 3: 0x38, 14: 8, 15: 0}},
		"PPP, control":    {Link: 9, Data: []byte{0xc0, 0x21, 1, 2, 3, 4}},
		"Cisco, cut":      {Link: 104, Data: []byte{0x0f, 0, 8}},
	} {
		if got, _, ok := packet.AppendEthernet(nil, r.Link, r.Data, len(r.Data)); ok {
			t.Errorf("%s becomes %x", name, got)
		}
	}
}

// TestAppendEthernetLLC: what a cooked header calls 802.2 has its length in Ethernet.
func TestAppendEthernetLLC(t *testing.T) {
	r := append([]byte{0, 0, 0, 1, 0, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0, 4}, 0x42, 0x42, 3, 0, 0)
	got, size, ok := packet.AppendEthernet(nil, 113, r, len(r))
	if !ok || size != 19 || !bytes.Equal(got[12:], []byte{0, 5, 0x42, 0x42, 3, 0, 0}) {
		t.Errorf("%t: %x of %d bytes", ok, got, size)
	}
	if _, _, ok := packet.AppendEthernet(nil, 113, r, 1600); ok {
		t.Error("a length that Ethernet does not have")
	}
}

// sameInside compares a packet with its Ethernet form: whoever decodes them finds the same.
func sameInside(t *testing.T, r *packet.Record) bool {
	t.Helper()
	frame, size, ok := packet.AppendEthernet(nil, r.Link, r.Data, int(r.OrigLen))
	if !ok {
		return false
	}
	other := packet.Record{Data: frame, OrigLen: uint32(size), Link: packet.Ethernet}
	if size < len(frame) {
		t.Fatalf("%d bytes of %d", len(frame), size)
	}
	var a, b packet.Packet
	packet.NewDecoder().Decode(r, &a)
	packet.NewDecoder().Decode(&other, &b)
	if a.Kind != b.Kind || a.Flow() != b.Flow() || a.Tunnel != b.Tunnel || a.VLAN != b.VLAN || !bytes.Equal(a.Payload, b.Payload) || a.PayloadLen != b.PayloadLen {
		t.Errorf("link type %d: %x is %+v, as Ethernet %+v", r.Link, r.Data, a, b)
	}
	return true
}

func FuzzAppendEthernet(f *testing.F) {
	for _, r := range frames() {
		f.Add(uint16(r.Link), r.Data)
	}
	f.Fuzz(func(t *testing.T, link uint16, b []byte) {
		sameInside(t, &packet.Record{Link: packet.LinkType(link), Data: b, OrigLen: uint32(len(b))})
	})
}
