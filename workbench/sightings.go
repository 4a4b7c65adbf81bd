package workbench

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/packet/sighting"
)

// Sightings says what of the packets was captured more than once.
type Sightings struct {
	Merged    int64         `json:"merged"`              // sightings of packets that another had captured before
	Filled    int64         `json:"filled,omitempty"`    // packets that only another clock's node captured than most of their connection
	Doubtful  int64         `json:"doubtful,omitempty"`  // packets that may be further sightings, of which packet nothing proves
	Forgotten int64         `json:"forgotten,omitempty"` // packets whose further sightings the memory limit may have missed
	Offsets   []ClockOffset `json:"offsets,omitempty"`
}

// ClockOffset is by how much the clocks of two nodes differ; where nothing names nodes, of two
// files.
type ClockOffset struct {
	A             string `json:"a"`
	B             string `json:"b"`
	OffsetNS      int64  `json:"offset_ns"` // what B shows less what A shows at one moment
	UncertaintyNS int64  `json:"uncertainty_ns"`
	Pairs         int64  `json:"pairs"`             // of sightings that it rests on
	OneWay        bool   `json:"one_way,omitempty"` // all packets went one way, and the time they took is in the offset
}

// seenTwice is what is kept of the sightings of a dissection.
type seenTwice struct {
	Merged    int64             `json:"merged"`
	Bytes     int64             `json:"bytes"` // captured, of these
	Filled    int64             `json:"filled,omitempty"`
	Doubtful  int64             `json:"doubtful,omitempty"`
	Forgotten int64             `json:"forgotten,omitempty"`
	Offsets   []sighting.Offset `json:"offsets,omitempty"` // by place in Clocks
	Clocks    []string          `json:"clocks,omitempty"`
}

// clocks names the clocks that packets were captured by: nodes, or files.
func (e *Evidence) clocks() []string {
	if e.snapshot != nil {
		return e.nodes()
	}
	names := make([]string, len(e.inputs))
	for i := range e.inputs {
		names[i] = e.inputs[i].label
	}
	return names
}

// placed is a source that tells where its interfaces are.
type placed interface {
	Origins() []pcapng.Origin
	Nodes() []string
}

// clock returns which clock an interface of src was captured by, as a place in clocks.
func (e *Evidence) clock(src placed) func(iface uint32) int {
	names := e.clocks()
	var known []int
	return func(iface uint32) int {
		if int(iface) >= len(known) {
			known = known[:0]
			if e.snapshot == nil {
				for _, o := range src.Origins() {
					known = append(known, int(o.File))
				}
			} else {
				for _, node := range src.Nodes() {
					known = append(known, max(slices.Index(names, node), 0))
				}
			}
		}
		if int(iface) >= len(known) {
			return 0
		}
		return known[iface]
	}
}

// once is src with each packet once, for the dissector. What NAT makes of a packet stays: it is
// of another connection.
func (e *Evidence) once(src source) *sighting.Source {
	return sighting.Once(src, e.clock(src), sighting.Options{ByFlow: true})
}

// inOrder is packets that a dissection chose, in the order in which it had them.
func (e *Evidence) inOrder(x *opened, src *selection) packet.Source {
	if x.account.Sightings == nil || len(x.account.Sightings.Offsets) == 0 {
		return src
	}
	return sighting.Once(src, e.clock(src), sighting.Options{Keep: true, Offsets: x.account.Sightings.Offsets})
}

// add takes what a source left out.
func (t *seenTwice) add(s *sighting.Source) {
	merged, bytes := s.Merged()
	stats := s.Tracker().Stats()
	t.join(&seenTwice{
		Merged: merged, Bytes: bytes, Filled: s.Filled(),
		Doubtful: stats.Doubtful, Forgotten: stats.Forgotten, Offsets: s.Tracker().Offsets(),
	})
}

// join adds what was left out of another part. Of two offsets of the same clocks the surer one
// stands, in whichever order they come.
func (t *seenTwice) join(other *seenTwice) {
	t.Merged, t.Bytes, t.Filled = t.Merged+other.Merged, t.Bytes+other.Bytes, t.Filled+other.Filled
	t.Doubtful, t.Forgotten = t.Doubtful+other.Doubtful, t.Forgotten+other.Forgotten
	for _, o := range other.Offsets {
		i := slices.IndexFunc(t.Offsets, func(x sighting.Offset) bool { return x.A == o.A && x.B == o.B })
		if i < 0 {
			t.Offsets = append(t.Offsets, o)
			continue
		}
		best, worse := o, t.Offsets[i]
		if surer(worse, best) {
			best, worse = worse, best
		}
		best.Pairs += worse.Pairs
		t.Offsets[i] = best
	}
	slices.SortFunc(t.Offsets, func(x, y sighting.Offset) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
}

// surer tells whether one of two offsets of the same clocks is to be believed rather.
func surer(a, b sighting.Offset) bool {
	if a.TwoWay != b.TwoWay {
		return a.TwoWay
	}
	return cmp.Or(cmp.Compare(a.Uncertainty, b.Uncertainty), cmp.Compare(a.Offset, b.Offset)) < 0
}

// told is t for people; nil if nothing was captured more than once.
func (t *seenTwice) told() *Sightings {
	if t == nil || t.Merged == 0 {
		return nil
	}
	s := &Sightings{Merged: t.Merged, Filled: t.Filled, Doubtful: t.Doubtful, Forgotten: t.Forgotten}
	for _, o := range t.Offsets {
		if o.A < len(t.Clocks) && o.B < len(t.Clocks) {
			s.Offsets = append(s.Offsets, ClockOffset{t.Clocks[o.A], t.Clocks[o.B], int64(o.Offset), int64(o.Uncertainty), o.Pairs, !o.TwoWay})
		}
	}
	return s
}

// maxClockNotes is of how many pairs of clocks a sentence says how they differ; the rest is in
// Sightings.
const maxClockNotes = 4

// sightings takes what was captured more than once into the coverage.
func (c *Coverage) sightings(t *seenTwice) {
	if c.Sightings = t.told(); c.Sightings == nil {
		return
	}
	c.count(t.Merged, "sightings", "of packets that another interface had captured before; each packet counts once")
	far := slices.Clone(c.Sightings.Offsets)
	slices.SortStableFunc(far, func(a, b ClockOffset) int {
		return cmp.Compare(max(b.OffsetNS, -b.OffsetNS), max(a.OffsetNS, -a.OffsetNS))
	})
	for i, o := range far {
		if i == maxClockNotes {
			c.note(Count(int64(len(far)-i), "pairs") + " of clocks more that differ less")
			break
		}
		c.note(o.String())
	}
	c.count(t.Filled, "packets", "captured only where another clock is than that of most of the connection: times go by that clock")
	c.count(t.Forgotten, "packets", "more than memory holds: further sightings may count as packets")
}

// String says it in a sentence without its full stop.
func (o ClockOffset) String() string {
	d := time.Duration(o.OffsetNS)
	word := "ahead of"
	if d < 0 {
		d, word = -d, "behind"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the clock of %s is %v %s that of %s", o.B, d.Round(time.Microsecond), word, o.A)
	if o.OneWay {
		fmt.Fprintf(&b, ", the time on the way included (%s, one way)", Count(o.Pairs, "packets"))
	} else {
		fmt.Fprintf(&b, ", give or take %v (%s)", time.Duration(o.UncertaintyNS).Round(time.Microsecond), Count(o.Pairs, "packets"))
	}
	return b.String()
}

// dedupe tells which of the packets that are written are sightings of one.
type dedupe struct {
	tracker *sighting.Tracker
	clock   func(iface uint32) int
}

func (e *Evidence) newDedupe(src placed) *dedupe {
	return &dedupe{tracker: sighting.NewTracker(sighting.Options{}), clock: e.clock(src)}
}

// first returns the number of the first sighting of r.
func (d *dedupe) first(r *packet.Record) uint64 {
	if d == nil {
		return r.Number
	}
	return d.tracker.First(r, d.clock(r.Interface))
}

// seen is what was left out.
func (d *dedupe) seen(e *Evidence) *seenTwice {
	if d == nil {
		return nil
	}
	stats := d.tracker.Stats()
	return &seenTwice{Merged: stats.Further, Doubtful: stats.Doubtful, Forgotten: stats.Forgotten, Offsets: d.tracker.Offsets(), Clocks: e.clocks()}
}
