package main

import (
	"fmt"
	"io"
)

// print ends the line of a capture.
func (out *outcome) print(w io.Writer, v *verdict, verbose bool) {
	var s score
	for kind, x := range out.scores {
		if counts(kind) {
			s.add(x)
		}
	}
	fmt.Fprintf(w, " packets %6d  items %5d  matched %5d  extra %3d", out.packets, s.items, s.matched, s.extra)
	if out.damage > 0 {
		fmt.Fprintf(w, "  damaged in %d places", out.damage)
	}
	if len(v.explained) > 0 {
		fmt.Fprintf(w, "  %d differences explained", len(v.explained))
	}
	if len(v.open) > 0 {
		fmt.Fprintf(w, "  %d DIFFERENCES OPEN", len(v.open))
	}
	fmt.Fprintln(w)
	if verbose {
		for _, d := range v.open {
			fmt.Fprintf(w, "    %+d %s %s\n", d.n, d.kind, d.text)
		}
	}
}

// summary adds up the captures.
type summary struct {
	captures, withOracle int
	scores               map[string]*score
	right                map[string]map[string]int // differences by kind and who is right
	void                 map[string]int            // items by kind that the oracle is wrong to want
}

func newSummary() *summary {
	return &summary{scores: make(map[string]*score), right: make(map[string]map[string]int), void: make(map[string]int)}
}

func (s *summary) add(out *outcome, v *verdict) {
	s.captures++
	if out.oracle {
		s.withOracle++
	}
	for kind, x := range out.scores {
		if s.scores[kind] == nil {
			s.scores[kind] = new(score)
		}
		s.scores[kind].add(x)
	}
	for _, k := range v.explained {
		if s.right[k.kind] == nil {
			s.right[k.kind] = make(map[string]int)
		}
		s.right[k.kind][k.right] += max(k.n, -k.n)
		if k.n < 0 && k.right == "shark" {
			s.void[k.kind] -= k.n
		}
	}
}

func (s *score) add(x *score) {
	s.items += x.items
	s.matched += x.matched
	s.extra += x.extra
}

// percent is the share of the items that match, in percent; void ones do not count.
func (s *score) percent(void int) float64 {
	if s.items == void {
		return 100
	}
	return 100 * float64(s.matched) / float64(s.items-void)
}

// all adds up the kinds, and their void items.
func (s *summary) all() (sum *score, void int) {
	sum = new(score)
	for kind, x := range s.scores {
		if counts(kind) {
			sum.add(x)
			void += s.void[kind]
		}
	}
	return sum, void
}

func (s *summary) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d captures, %d with an oracle; %d MiB of memory at most\n", s.captures, s.withOracle, memory()>>20)
	fmt.Fprintf(w, "%-8s %7s %8s %8s %8s %6s %12s %13s %12s\n", "kind", "items", "matched", "percent", "of valid", "extra", "shark right", "tshark right", "undecidable")
	for _, kind := range kinds {
		x, r := s.scores[kind], s.right[kind]
		if x == nil && len(r) == 0 {
			continue
		}
		numbers := ""
		if x != nil {
			numbers = fmt.Sprintf("%7d %8d %7.2f%% %7.2f%% %6d", x.items, x.matched, x.percent(0), x.percent(s.void[kind]), x.extra)
		}
		fmt.Fprintf(w, "%-8s %-40s %12d %13d %12d\n", kind, numbers, r["shark"], r["tshark"], r["undecidable"])
	}
	x, void := s.all()
	fmt.Fprintf(w, "%-8s %7d %8d %7.2f%% %7.2f%% %6d\n", "all", x.items, x.matched, x.percent(0), x.percent(void), x.extra)
	for _, kind := range kinds {
		if x := s.scores[kind]; x != nil && counts(kind) && x.percent(s.void[kind]) < enoughEach {
			fmt.Fprintf(w, "%s: fewer than %d %% of its valid items match\n", kind, enoughEach)
		}
	}
	fmt.Fprintln(w, "valid are the items but for those of which the list of differences says that shark is right not to have them")
}

// short is an error when too few of the valid items match.
func (s *summary) short() error {
	if x, void := s.all(); x.percent(void) < enough {
		return fmt.Errorf("%.2f %% of the oracles' valid items match, not %d %%", x.percent(void), enough)
	}
	return nil
}
