package main

import (
	"bytes"
	"slices"
	"testing"

	"shark/dissector/protocol"
	"shark/dissector/protocol/redis"
	"shark/packet"
)

// Copies of a frame are the frame between other addresses, and nothing else.
func TestElsewhereMovesAddressesOnly(t *testing.T) {
	ipv4 := make([]byte, 60)
	ipv4[12], ipv4[13] = 0x08, 0x00
	ipv6 := make([]byte, 80)
	ipv6[12], ipv6[13] = 0x86, 0xdd
	for _, c := range []struct {
		name    string
		frame   []byte
		changed []int
	}{
		{"IPv4", ipv4, []int{27, 28, 31, 32}},
		{"IPv6", ipv6, []int{30, 31, 46, 47}},
		{"ARP", append([]byte{12: 0x08, 13: 0x06}, make([]byte, 40)...), nil},
		{"cut IPv4", ipv4[:20], nil},
		{"no Ethernet", []byte{1, 2, 3}, nil},
	} {
		before := bytes.Clone(c.frame)
		got := elsewhere(c.frame, 5, 9)
		for i := range got {
			if want := slices.Contains(c.changed, i); (got[i] != c.frame[i]) != want {
				t.Errorf("%s: byte %d changed: %v", c.name, i, !want)
			}
		}
		if len(got) != len(c.frame) || !bytes.Equal(before, c.frame) {
			t.Errorf("%s: the frame itself changed", c.name)
		}
	}
}

// No protocol is left out for want of captures.
func TestEveryProtocolHasRecordings(t *testing.T) {
	t.Chdir("..")
	for _, p := range protocol.All() {
		if p.Over != "" && len(p.Fields) == 0 {
			continue // it says of another one's calls what carried them
		}
		if files, err := recordings(p.Name); err != nil || len(files) == 0 {
			t.Errorf("%s: no captures, %v", p.Name, err)
		}
	}
}

// Each copy of the captures has the calls that the captures have.
func TestRehearsalHasEachCopysCalls(t *testing.T) {
	t.Chdir("..")
	r, err := rehearse(t.Context(), redis.Protocol)
	if err != nil || r == nil {
		t.Fatal(err)
	}
	first := make(map[packet.Addr]bool)
	dec, p := packet.NewDecoder(), packet.Packet{}
	for i := range r.records {
		dec.Decode(&r.records[i], &p)
		first[p.Src] = true
	}
	if r.bytes < protocolBytes || r.calls < 10_000 || len(first) < 100 {
		t.Errorf("%d bytes, %d calls, %d addresses", r.bytes, r.calls, len(first))
	}
	if again, err := r.dissect(t.Context()); err != nil || again != r.calls {
		t.Errorf("%d calls, then %d: %v", r.calls, again, err)
	}
}
