package packet

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// The short way through the usual headers and the long one come to the same end,
// whatever the bytes: a frame of TCP, of UDP in a tunnel and of ICMP, with any byte
// changed and cut anywhere.
func TestUsualIsTheSame(t *testing.T) {
	ip := func(proto byte, payload ...byte) []byte {
		b := append(make([]byte, 12), 8, 0, 0x45, 0, 0, byte(20+len(payload)), 0, 1, 0x40, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
		return append(b, payload...)
	}
	tcp := append([]byte{0x1f, 0x90, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x60, 0x18, 1, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4}, "GET /"...)
	inner := ip(byte(TCP), tcp...)
	vxlan := append([]byte{0, 1, 0x12, 0xb5, 0, byte(16 + len(inner)), 0, 0, 8, 0, 0, 0, 0, 0, 42, 0}, inner...)
	frames := [][]byte{ip(byte(TCP), tcp...), ip(byte(UDP), vxlan...), ip(byte(ICMP), 8, 0, 0, 0, 1, 2)}
	rng := rand.New(rand.NewPCG(1, 2))
	usual := 0
	for range 60_000 {
		b := slices.Clone(frames[rng.IntN(len(frames))])
		for range rng.IntN(3) {
			b[12+rng.IntN(len(b)-12)] = []byte{0, 0xff, 0x45, byte(rng.IntN(256))}[rng.IntN(4)]
		}
		b = append(b, make([]byte, rng.IntN(3))...)
		if rng.IntN(4) == 0 {
			b = b[:rng.IntN(len(b)+1)]
		}
		r := Record{Data: b, OrigLen: uint32(len(b) + rng.IntN(2)*9), Link: linkEthernet, Number: 1, Time: 5}
		var got, want Packet
		short, long := NewDecoder(), NewDecoder()
		short.Decode(&r, &got)
		want = Packet{Time: r.Time, Number: r.Number, CapLen: uint32(len(b)), OrigLen: r.OrigLen}
		long.layers = maxLayers
		long.link(&want, r.Link, b, max(int(r.OrigLen), len(b)))
		if !reflect.DeepEqual(got, want) || short.fault != long.fault || short.layers != long.layers {
			t.Fatalf("% x\n got %+v\nwant %+v", b, got, want)
		}
		if NewDecoder().usual(new(Packet), b) {
			usual++
		}
	}
	if usual < 20_000 {
		t.Errorf("only %d packets went the short way", usual)
	}
}
