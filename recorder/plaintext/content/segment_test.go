package content

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"shark/packet"
)

// ones is the sum, by the rule of RFC 1071, of 16 bit words, one by one.
func ones(parts ...[]byte) uint16 {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	if len(b)%2 != 0 {
		b = append(b, 0)
	}
	var s uint32
	for i := 0; i < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

func TestSegment(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, ends := range [][2]string{{"10.0.0.1:40000", "192.168.255.254:443"}, {"[fe80::1]:65535", "[2001:db8::ff]:1"}} {
		from, to := netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1])
		for _, n := range []int{0, 1, 2, 1459, 16384} {
			payload := make([]byte, n)
			for i := range payload {
				payload[i] = byte(r.Uint32())
			}
			g := segment{from: from, to: to, seq: 0xfffffff0, ack: 77, flags: flagACK | flagPSH, payload: payload}
			b := g.appendTo([]byte("before"))[6:]
			src, dst := from.Addr().AsSlice(), to.Addr().AsSlice()
			ip := len(b) - 20 - n
			if from.Addr().Is4() && ones(b[:20]) != 0xffff {
				t.Errorf("%v, %d bytes: the header's sum is %x", from, n, ones(b[:20]))
			}
			length := 20 + n
			if got := ones(src, dst, []byte{0, 6, byte(length >> 8), byte(length)}, b[ip:]); got != 0xffff {
				t.Errorf("%v, %d bytes: the segment's sum is %x", from, n, got)
			}
			var d packet.Decoder
			var p packet.Packet
			d.Decode(&packet.Record{Data: b, OrigLen: uint32(len(b)), Link: linkRaw}, &p)
			if p.Proto != packet.TCP || p.Src.IP() != from.Addr() || p.Dst.IP() != to.Addr() || p.SrcPort != from.Port() || p.DstPort != to.Port() ||
				p.Seq != g.seq || p.Ack != g.ack || p.Flags != packet.ACK|packet.PSH || !bytes.Equal(p.Payload, payload) || p.PayloadLen != uint32(n) {
				t.Errorf("%v, %d bytes: decoded as %+v", from, n, p)
			}
		}
	}
}
