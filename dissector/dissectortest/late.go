package dissectortest

import (
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/packet"
)

// moved is how far from a protocol's port its connections are moved.
const moved = 20000

// late joins the connections of a capture in their middle, on the port that they had and on
// one that is nobody's: what was said before is not known, so requests and answers may stay
// without each other, but a pair that has no mark is one of the whole capture.
func late(t *testing.T, recs []packet.Record, opts dissector.Options) {
	segs := segments(recs)
	var data []int
	for i := range segs {
		if segs[i].Proto == packet.TCP && len(segs[i].payload) > 0 {
			data = append(data, i)
		}
	}
	whole, _ := dissect(t, records(segs), opts)
	rounds := min(len(data), roundsFor(segs))
	for _, by := range []uint16{0, moved} {
		there := move(segs, opts.Protocols, by)
		for k := range rounds {
			i := data[k*len(data)/rounds]
			calls, _ := dissect(t, records(there[i:]), opts)
			for j := range calls {
				if c := &calls[j]; c.marks == 0 && c.pair != "" && !slices.ContainsFunc(whole, c.partOf) {
					t.Fatalf("from packet %d on, with ports moved by %d: a pair that is not there in the whole capture and has no mark: %s\n%s", segs[i].Number, by, c.pair, c.text)
				}
			}
		}
	}
}

// move gives the connections of TCP on a port of the protocols another one.
func move(segs []segment, protocols []*dissector.Protocol, by uint16) []segment {
	usual := func(port uint16) bool {
		return slices.ContainsFunc(protocols, func(p *dissector.Protocol) bool { return slices.Contains(p.Ports, port) })
	}
	out := slices.Clone(segs)
	for i := range out {
		s := &out[i]
		switch {
		case s.Proto != packet.TCP:
		case usual(s.DstPort):
			s.DstPort += by
		case usual(s.SrcPort):
			s.SrcPort += by
		}
	}
	return out
}

// partOf tells whether a call of a capture that begins late says nothing that w, of the whole
// one, does not: what was said before may be missing in it. Then what it is about may be
// named by less, such as by the number of a statement in place of its text.
func (c *call) partOf(w call) bool {
	if w.pair == "" || c.span[0] < w.span[0] || c.span[1] > w.span[1] || c.span[2] < w.span[2] || c.span[3] > w.span[3] {
		return false
	}
	_, fields, _ := strings.Cut(unmeasured(c.text), "\n")
	_, all, _ := strings.Cut(unmeasured(w.text), "\n")
	known := strings.Split(all, "\n")
	said := strings.Split(fields, "\n")
	for _, line := range said {
		if !slices.Contains(known, line) && (len(said) >= len(known) || !strings.HasPrefix(line, "\tsummary = ")) {
			return false
		}
	}
	return true
}
