package sightingtest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"shark/packet"
)

// talk is one conversation. End 0 is on node A.
type talk struct {
	kind  Kind
	pod   [2]int
	ends  [2]netip.AddrPort // as B and the way between have them
	seen  [2]netip.AddrPort // as the pod on A has them
	seq   [2]uint32
	stamp [2]uint32 // of TCP timestamps, at Epoch
	last  [2]uint32 // timestamp that came last from the other end

	arrived [2][4]time.Duration // when the latest packet of each end was at each interface on its way
}

func (k Kind) has(some Kind) bool { return k&some != 0 }

// transport is what a packet carries.
type transport struct {
	proto    packet.Proto
	flags    uint16
	seq, ack uint32
	window   uint16
	stamps   [2]uint32
	stamped  bool
	payload  []byte
	id       uint16
	flow     uint32 // label, of IPv6
}

// identify returns the identification of a packet that an end sends.
func (t *talk) identify(w *World, from int) uint16 {
	if t.kind.has(Beat) || t.kind.has(UDP) && from == 1 {
		return 0
	}
	n := &w.ids[from][t.pod[from]]
	if *n++; *n == 0 {
		*n++
	}
	return *n
}

// talk makes conversation i.
func (w *World) talk(i int) {
	all := w.o.Only
	if all == 0 {
		all = kinds - 1
	}
	kind := TCP // most of what is said
	if w.o.Only != 0 || w.rng.IntN(2) == 0 {
		for kind = 1 << w.rng.IntN(8); !all.has(kind); kind = 1 << w.rng.IntN(8) {
			continue
		}
	}
	t := &talk{kind: kind, pod: [2]int{w.rng.IntN(pods), w.rng.IntN(pods)}}
	t.seq = [2]uint32{w.rng.Uint32(), w.rng.Uint32()}
	t.stamp = [2]uint32{w.rng.Uint32(), w.rng.Uint32()}
	server := uint16(8080)
	if kind.has(UDP | UDP6) {
		server = 53
	}
	t.ends = [2]netip.AddrPort{w.addr(0, t.pod[0], uint16(20000+i%40000)), w.addr(1, t.pod[1], server)}
	if kind.has(TCP6 | TCP6Plain | UDP6) {
		for e := range t.ends {
			b := t.ends[e].Addr().As4()
			t.ends[e] = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0xfd, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}), t.ends[e].Port())
		}
	}
	t.seen = t.ends
	if w.o.NAT && kind.has(TCP|TCPPlain|UDP|Ping) && w.rng.IntN(2) == 0 {
		t.seen[1] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 96, 0, byte(t.pod[1])}), 80)
		if kind.has(UDP) {
			t.seen[1] = netip.AddrPortFrom(t.seen[1].Addr(), 53)
		}
		if kind.has(TCP|TCPPlain) && w.rng.IntN(3) == 0 { // and the source is hidden
			t.ends[0] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 0, 1}), uint16(40000+i%20000))
		}
	}
	begin := time.Duration(w.rng.Int64N(int64(w.o.Spread)))
	switch {
	case kind.has(TCP | TCPPlain | TCP6 | TCP6Plain):
		w.connection(t, begin)
	case kind.has(UDP | UDP6):
		w.lookup(t, begin)
	case kind.has(Ping):
		w.pings(t, begin)
	default:
		w.beats(t, begin)
	}
}

func (w *World) addr(node, pod int, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 244, byte(node), byte(pod + 2)}), port)
}

// segment is what an end sends at a time.
func (t *talk) segment(from int, at time.Duration, flags uint16, payload []byte) *transport {
	p := &transport{proto: packet.TCP, flags: flags, seq: t.seq[from], window: 501, payload: payload}
	if flags&packet.ACK != 0 {
		p.ack = t.seq[1-from]
	}
	t.restamp(p, from, at)
	t.seq[from] += uint32(len(payload))
	if flags&(packet.SYN|packet.FIN) != 0 {
		t.seq[from]++
	}
	return p
}

// restamp sets the timestamps, which count milliseconds.
func (t *talk) restamp(p *transport, from int, at time.Duration) {
	p.stamped = t.kind.has(TCP | TCP6)
	p.stamps = [2]uint32{t.stamp[from] + uint32(at/time.Millisecond), t.last[from]}
	t.last[1-from] = p.stamps[0]
}

// say sends a segment, maybe again after some time, and returns when it is answered.
func (w *World) say(t *talk, from int, at time.Duration, flags uint16, payload []byte) time.Duration {
	p := t.segment(from, at, flags, payload)
	there := w.send(t, from, at, p)
	if (len(payload) > 0 || flags&packet.SYN != 0) && w.rng.Float64() < w.o.Resend {
		late := 200*time.Millisecond + time.Duration(w.rng.Int64N(int64(time.Second)))
		if w.rng.IntN(3) == 0 { // fast: as soon as the other end can have asked for it
			late = 2*(there-at) + time.Duration(w.rng.Int64N(int64(500*time.Microsecond)))
		}
		q := *p
		t.restamp(&q, from, at+late)
		w.again(t, from, at+late, late, &q, p)
	}
	return there + time.Duration(w.rng.Int64N(int64(300*time.Microsecond)))
}

// connection is HTTP.
func (w *World) connection(t *talk, at time.Duration) {
	at = w.say(t, 0, at, packet.SYN, nil)
	at = w.say(t, 1, at, packet.SYN|packet.ACK, nil)
	at = w.say(t, 0, at, packet.ACK, nil)
	for i := range 1 + w.rng.IntN(6) {
		w.Requests++
		at = w.say(t, 0, at, packet.ACK|packet.PSH, fmt.Appendf(nil, "GET /%08x/%d HTTP/1.1\r\nHost: shop\r\n\r\n", w.rng.Uint32(), i))
		body := make([]byte, w.rng.IntN(4000))
		for i := range body {
			body[i] = 'a' + byte(w.rng.IntN(26))
		}
		rest := append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body)), body...)
		there := at
		for len(rest) > 0 {
			n := min(1400, len(rest))
			there = max(there, w.say(t, 1, at, packet.ACK|packet.PSH, rest[:n]))
			rest = rest[n:]
			at += 20 * time.Microsecond
		}
		at = w.say(t, 0, there, packet.ACK, nil) + time.Duration(w.rng.Int64N(int64(100*time.Millisecond)))
	}
	at = w.say(t, 0, at, packet.ACK|packet.FIN, nil)
	at = w.say(t, 1, at, packet.ACK|packet.FIN, nil)
	w.say(t, 0, at, packet.ACK, nil)
}

// lookup is a question of DNS, and its answer.
func (w *World) lookup(t *talk, at time.Duration) {
	w.Requests++
	q := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 's', 'h', 'o', 'p', 0, 0, 1, 0, 1}
	binary.BigEndian.PutUint16(q, uint16(w.rng.Uint32()))
	p := &transport{proto: packet.UDP, payload: q}
	there := w.send(t, 0, at, p)
	if w.rng.Float64() < w.o.Resend { // nobody answered in time
		first := *p
		w.again(t, 0, at+time.Second+time.Duration(w.rng.Int64N(int64(time.Millisecond))), time.Second, p, &first)
	}
	a := append([]byte(nil), q...)
	a[2], a[3], a[7] = 0x81, 0x80, 1
	a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, byte(w.rng.Uint32()))
	w.send(t, 1, there+100*time.Microsecond, &transport{proto: packet.UDP, payload: a})
}

// pings are echoes.
func (w *World) pings(t *talk, at time.Duration) {
	id := uint16(w.rng.Uint32())
	for i := range 3 {
		b := binary.BigEndian.AppendUint16([]byte{8, 0, 0, 0}, id)
		b = append(binary.BigEndian.AppendUint16(b, uint16(i)), make([]byte, 48)...)
		there := w.send(t, 0, at, &transport{proto: packet.ICMP, payload: b})
		b = append([]byte{0}, b[1:]...)
		w.send(t, 1, there, &transport{proto: packet.ICMP, payload: b})
		at += time.Second
	}
}

// beats are the same datagram, every 20 ms.
func (w *World) beats(t *talk, at time.Duration) {
	for range 5 {
		w.send(t, 0, at, &transport{proto: packet.UDP, payload: []byte("alive and well")})
		at += 20 * time.Millisecond
	}
}
