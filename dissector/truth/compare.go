package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// difference is an item that shark has more or less often than the oracle.
type difference struct {
	capture string
	item
	n int // how often more; negative: less
}

// score says how far shark and the oracle agree on a kind.
type score struct {
	items, matched int // of the oracle
	extra          int // seen by shark only
}

// compare holds what shark got against what an oracle wants.
func compare(capture string, got, want tally) (scores map[string]*score, diffs []difference) {
	scores = make(map[string]*score)
	of := func(kind string) *score {
		if scores[kind] == nil {
			scores[kind] = new(score)
		}
		return scores[kind]
	}
	var missing, extra []difference
	for i, n := range want {
		s := of(i.kind)
		s.items += n
		s.matched += min(n, got[i])
		if got[i] < n {
			missing = append(missing, difference{capture, i, got[i] - n})
		}
	}
	for i, n := range got {
		if n > want[i] && !floor(i.kind) {
			extra = append(extra, difference{capture, i, n - want[i]})
		}
	}
	missing, extra, diffs = elsewhere(missing, extra)
	for _, d := range diffs {
		kind, _, _ := strings.Cut(d.text, " ")
		of(kind).matched -= d.n
	}
	for _, d := range extra {
		of(d.kind).extra += d.n
	}
	diffs = append(append(diffs, missing...), extra...)
	slices.SortFunc(diffs, compareDifferences)
	return scores, diffs
}

// elsewhere finds calls that are both missing and too much, but for the frame of
// the answer: that is one and the same call, which ends elsewhere.
func elsewhere(missing, extra []difference) (stillMissing, stillExtra, moved []difference) {
	slices.SortFunc(missing, compareDifferences)
	slices.SortFunc(extra, compareDifferences)
	for _, m := range missing {
		call, end, found := cutLast(m.text, answered)
		for i := 0; found && m.n < 0 && i < len(extra); i++ {
			x := &extra[i]
			same, other, _ := cutLast(x.text, answered)
			if x.n == 0 || x.kind != m.kind || same != call {
				continue
			}
			n := min(-m.n, x.n)
			m.n, x.n = m.n+n, x.n-n
			text := fmt.Sprintf("%s %s%s%s, not %s", m.kind, call, answered, other, end)
			moved = append(moved, difference{m.capture, item{kindFrames, text}, -n})
		}
		if m.n < 0 {
			stillMissing = append(stillMissing, m)
		}
	}
	return stillMissing, slices.DeleteFunc(extra, func(d difference) bool { return d.n == 0 }), moved
}

// cutLast is strings.Cut around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// compareDifferences orders by capture, kind, what is missing before what is too
// much, and text.
func compareDifferences(a, b difference) int {
	return cmp.Or(
		cmp.Compare(a.capture, b.capture),
		cmp.Compare(slices.Index(kinds, a.kind), slices.Index(kinds, b.kind)),
		cmp.Compare(sign(a.n), sign(b.n)),
		cmp.Compare(a.text, b.text),
	)
}

func sign(n int) int { return cmp.Compare(n, 0) }
