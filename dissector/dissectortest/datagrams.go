package dissectortest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/packet"
)

// mishap is what happens to datagrams on their way: it returns the packets as they are
// then, and those that it happened to.
type mishap struct {
	name   string
	befall func(segs []segment, i int, rng *rand.Rand) (after []segment, hit []packet.Packet)
}

var mishaps = []mishap{
	{"lost", func(segs []segment, i int, _ *rand.Rand) ([]segment, []packet.Packet) {
		return slices.Concat(segs[:i], segs[i+1:]), []packet.Packet{segs[i].Packet}
	}},
	{"lost with those behind it", func(segs []segment, i int, rng *rand.Rand) (after []segment, hit []packet.Packet) {
		end := i + 2 + rng.IntN(8)
		for k := range segs {
			if isDatagram(&segs[k]) && i <= k && k < end {
				hit = append(hit, segs[k].Packet)
			} else {
				after = append(after, segs[k])
			}
		}
		return after, hit
	}},
	{"doubled", func(segs []segment, i int, rng *rand.Rand) ([]segment, []packet.Packet) {
		return slices.Concat(segs[:i], later(segs, i, rng.IntN(4), segs[i])), []packet.Packet{segs[i].Packet}
	}},
	{"late", func(segs []segment, i int, rng *rand.Rand) ([]segment, []packet.Packet) {
		return slices.Concat(segs[:i], later(segs, i, 1+rng.IntN(4))), []packet.Packet{segs[i].Packet}
	}},
}

// later returns first and the packets behind i, with i some places further back. It stays
// before what its receiver says: identifiers come again, and nobody could tell then what an
// answer is to.
func later(segs []segment, i, places int, first ...segment) []segment {
	to, flow := i, segs[i].Flow()
	for places > 0 && to+1 < len(segs) && (segs[to+1].Flow() == flow || oneWay(segs[to+1].Flow()) != oneWay(flow)) {
		to, places = to+1, places-1
	}
	late := segs[i]
	late.Time = segs[to].Time
	return slices.Concat(first, segs[i+1:to+1], []segment{late}, segs[to+1:])
}

func isDatagram(s *segment) bool {
	return s.Proto != packet.TCP && s.Proto != packet.SCTP && len(s.payload) > 0
}

// datagrams loses, repeats and delays datagrams: the calls that have none of those are as
// they were, and no message and no pair is new.
func datagrams(t *testing.T, p *dissector.Protocol, recs []packet.Record, opts dissector.Options) {
	segs := segments(recs)
	var all []int
	for i := range segs {
		if isDatagram(&segs[i]) {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return
	}
	calls, _ := dissect(t, records(segs), opts)
	known := trafficOf(segs, slices.Contains(joined, p.Name))
	known.follow(t, segs, calls, opts)
	rng := rand.New(rand.NewPCG(5, 5))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for round := range max(len(mishaps), roundsFor(segs)) {
		m := &mishaps[round%len(mishaps)]
		i := all[round/len(mishaps)%len(all)]
		after, hit := m.befall(segs, i, rng)
		got, _ := dissect(t, records(after), opts)
		what := known.differ(calls, got, hit)
		if what == "" && p.Transport == dissector.QUIC {
			what = known.unlike(p.Name, calls, got, hit)
		}
		if what != "" {
			t.Fatalf("packet %d %s: %s", segs[i].Number, m.name, what)
		}
	}
}

// joined are the protocols whose datagrams cannot be read without those before them.
var joined = []string{"quic", "http3"}

// traffic knows the datagrams of a capture by their numbers.
type traffic struct {
	// alike is the first datagram that can stand for another: that says the same and goes the
	// same way, or, of a protocol that is joined, is of the same connection.
	alike map[uint64]uint64
	// opening is the first datagram of a connection: it may be all that names the protocol.
	opening map[packet.Flow]uint64
	// follows are the connections that say nothing without another one, which they go on with.
	follows map[packet.Flow]bool
}

// follow finds the connections that go on with another one.
func (w *traffic) follow(t *testing.T, segs []segment, calls []call, opts dissector.Options) {
	w.follows = make(map[packet.Flow]bool)
	for i := range calls {
		conn := oneWay(calls[i].flow)
		if _, done := w.follows[conn]; done {
			continue
		}
		alone := slices.DeleteFunc(slices.Clone(segs), func(s segment) bool { return oneWay(s.Flow()) != conn })
		got, _ := dissect(t, records(alone), opts)
		w.follows[conn] = len(got) == 0
	}
}

func trafficOf(segs []segment, joined bool) *traffic {
	type content struct {
		flow    packet.Flow
		payload string
	}
	w := &traffic{alike: make(map[uint64]uint64), opening: make(map[packet.Flow]uint64)}
	first := make(map[content]uint64)
	for i := range segs {
		n, conn := segs[i].Number, oneWay(segs[i].Flow())
		is := content{flow: segs[i].Flow(), payload: string(segs[i].payload)}
		if joined {
			is = content{flow: conn}
		}
		if first[is] == 0 {
			first[is] = n
		}
		if w.opening[conn] == 0 {
			w.opening[conn] = n
		}
		w.alike[n] = first[is]
	}
	return w
}

// oneWay returns the same flow for both directions.
func oneWay(f packet.Flow) packet.Flow {
	if c := bytes.Compare(f.Src[:], f.Dst[:]); c > 0 || c == 0 && f.SrcPort > f.DstPort {
		return f.Reverse()
	}
	return f
}

// differ says what a mishap to the datagrams hit did to calls that it must not do.
func (w *traffic) differ(want, got []call, hit []packet.Packet) string {
	touched := make(map[uint64]bool)
	for _, p := range hit {
		touched[w.alike[p.Number]] = true
	}
	untouched, pairs, halves := make(map[string]int), make(map[[2]uint64]bool), make(map[uint64]bool)
	for _, c := range want {
		first := [2]uint64{w.alike[c.span[0]], w.alike[c.span[2]]}
		pairs[first], halves[first[0]], halves[first[1]] = true, true, true
		if !w.has(&c, touched) {
			untouched[c.text]++
		}
	}
	for _, c := range got {
		first := [2]uint64{w.alike[c.span[0]], w.alike[c.span[2]]}
		switch {
		case !halves[first[0]] && first[0] != 0 || !halves[first[1]] && first[1] != 0:
			return "a message that is not there without it:\n" + c.times + c.text
		case c.pair != "" && !pairs[first]:
			return "a pair that is not there without it:\n" + c.pair + "\n" + c.text
		}
		untouched[c.text]--
	}
	for text, n := range untouched {
		if n > 0 {
			return "another call is not as it was:\n" + text
		}
	}
	return ""
}

// unlike says what a mishap to datagrams of an encrypted session did that it must not do to what
// is said in its streams: a call without a mark is as it was, where the client stayed, and one that has none of the
// datagrams is still there, if only marked. All calls depend on the handshake, which is the
// first one of their connection.
func (w *traffic) unlike(proto string, want, got []call, hit []packet.Packet) string {
	touched, shaken := make(map[uint64]bool), make(map[packet.Flow]bool)
	for _, p := range hit {
		touched[p.Number] = true
	}
	known := make(map[string]int)
	for _, c := range want {
		known[c.own()]++
		conn := oneWay(c.flow)
		if _, seen := shaken[conn]; !seen {
			shaken[conn] = w.follows[conn]
			for n := w.opening[conn]; n <= c.span[3]; n++ {
				shaken[conn] = shaken[conn] || touched[n]
			}
		}
	}
	there := make(map[[4]uint64]bool)
	for _, c := range got {
		there[c.span] = true
		if c.marks != 0 || c.pair == "" || c.proto != proto || w.follows[oneWay(c.flow)] {
			continue
		}
		if known[c.own()]--; known[c.own()] < 0 {
			return "a call that has no mark is not as it was:\n" + c.text
		}
	}
	for _, c := range want {
		hurt := shaken[oneWay(c.flow)]
		for _, s := range [][2]uint64{{c.span[0], c.span[1]}, {c.span[2], c.span[3]}} {
			for n := s[0]; n <= s[1]; n++ {
				hurt = hurt || touched[n]
			}
		}
		if !hurt && !there[c.span] {
			return "a call is not there any more:\n" + c.text
		}
	}
	return ""
}

// own is the call's text without what is said of all calls of its connection.
func (c *call) own() string { return strings.Replace(c.text, "\n\thttp3_goaway = true", "", 1) }

// has tells whether a call depends on one of the packets, or on one alike.
func (w *traffic) has(c *call, touched map[uint64]bool) bool {
	spans := [][2]uint64{{c.span[0], c.span[1]}, {c.span[2], c.span[3]}}
	if c.parts {
		spans = [][2]uint64{{c.span[0], c.span[3]}}
	}
	for _, s := range spans {
		for n := s[0]; n <= s[1]; n++ {
			if touched[w.alike[n]] {
				return true
			}
		}
	}
	return touched[w.alike[w.opening[oneWay(c.flow)]]] || w.follows[oneWay(c.flow)]
}
