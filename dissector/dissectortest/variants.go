package dissectortest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/packet"
)

// variants cuts, repeats and reorders the segments: the calls stay the same. Those of
// SCTP come in the order in which their messages are complete.
func variants(t *testing.T, recs []packet.Record, opts dissector.Options) {
	segs := segments(recs)
	anyOrder := slices.ContainsFunc(segs, func(s segment) bool { return hasData(&s) })
	if !anyOrder && !slices.ContainsFunc(segs, func(s segment) bool { return s.Proto == packet.TCP && len(s.payload) > 0 }) {
		return // datagrams are not cut
	}
	calls, _ := dissect(t, records(segs), opts)
	texts := func(calls []call, times bool) string {
		if anyOrder {
			slices.SortStableFunc(calls, func(a, b call) int { return strings.Compare(a.text, b.text) })
		}
		return texts(calls, times)
	}
	want := texts(calls, false)
	calls, _ = dissect(t, records(single(segs)), opts)
	diff(t, "byte by byte", want, texts(calls, false))
	for round := range roundsFor(segs) {
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		v := cut(segs, func(int, int) int { return 1 + rng.IntN(1+rng.IntN(3000)) })
		if round%2 == 1 {
			v = shuffle(repeat(v, rng), rng)
		}
		calls, _ = dissect(t, records(v), opts)
		diff(t, "variant", want, texts(calls, false))
	}
}

// Of a capture, maxSingle bytes come one by one: all of most.
const maxSingle = 64 << 10 / Part

// single sends each byte in a segment of its own. Of a large capture those are the bytes at
// its front, those around the ends of its segments, where messages mostly begin, and windows
// of the rest.
func single(segs []segment) []segment {
	total := bytesOf(segs)
	if total <= maxSingle {
		return cut(segs, func(int, int) int { return 1 })
	}
	const front, window = maxSingle / 4, 32
	edge := min(max(maxSingle/4/len(segs), 1), window)
	rng := rand.New(rand.NewPCG(uint64(total), 3))
	before, end := 0, 0 // bytes up to the segment, and where its window ends
	return cut(segs, func(off, n int) int {
		if off == 0 {
			before, end = before+n, 0
		}
		switch {
		case before-n+off < front, off < edge, off >= n-edge, off < end:
			return 1
		}
		to := min(off+1+rng.IntN(2*window*total/front), n-edge)
		end = to + window
		return to - off
	})
}

// roundsFor keeps the time that a capture takes in bounds.
func roundsFor(segs []segment) int {
	return max(4, min(rounds, 50_000_000/(bytesOf(segs)+200*len(segs)+1))/Part)
}

func bytesOf(segs []segment) (n int) {
	for i := range segs {
		n += len(segs[i].payload)
	}
	return n
}

// repeat sends some TCP segments, and SCTP packets with data, twice.
func repeat(segs []segment, rng *rand.Rand) []segment {
	var out []segment
	for _, s := range segs {
		out = append(out, s)
		if (s.Proto == packet.TCP && s.Flags&packet.SYN == 0 || hasData(&s)) && rng.IntN(10) == 0 {
			out = append(out, s)
		}
	}
	return out
}

// hasData tells whether a packet is one of SCTP whose first chunk carries data.
func hasData(s *segment) bool {
	return s.Proto == packet.SCTP && len(s.payload) > 12 && (s.payload[12] == 0 || s.payload[12] == 64)
}

// shuffle moves some TCP segments of established connections a few places, and SCTP
// packets with data that the same side sent.
func shuffle(segs []segment, rng *rand.Rand) []segment {
	out := append([]segment(nil), segs...)
	movable := func(s *segment) bool {
		return s.Proto == packet.TCP && s.Flags&(packet.SYN|packet.RST) == 0 && len(s.payload) > 0
	}
	for i := range out {
		j := i + 1 + rng.IntN(4)
		if rng.IntN(5) > 0 || j >= len(out) {
			continue
		}
		ok := true
		for k := i; k <= j; k++ {
			ok = ok && (movable(&out[k]) || hasData(&out[k]) && out[k].Flow() == out[i].Flow())
		}
		if ok {
			out[i], out[j] = out[j], out[i]
		}
	}
	return out
}
