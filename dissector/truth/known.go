package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// known is one line of the file of differences: a difference that was looked
// into. One whose text is everything stands for all of its capture, kind and sign
// that have no line of their own, and has their number.
type known struct {
	difference
	right  string // verdicts: who is
	reason string
}

const everything = "*"

// The verdicts.
var verdicts = []string{"shark", "tshark", "undecidable"}

// open is the verdict and the reason of a line that nobody has looked into.
const open = "?"

const head = `# Where shark sees something else than the oracle, and who is right.
# change: how often shark has the item more (+) or less (-) than the oracle.
# item: as the command prints it; * is all of that capture, kind and sign without
# a line of their own.
# capture	kind	change	item	right	reason
`

// readKnown reads the file of differences; without one there are none.
func readKnown(path string) ([]known, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []known
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if line := lines.Text(); line != "" && line[0] != '#' {
			k, err := parseKnown(line)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, n, err)
			}
			list = append(list, k)
		}
	}
	return list, lines.Err()
}

func parseKnown(line string) (k known, err error) {
	col := strings.Split(line, "\t")
	if len(col) != 6 {
		return k, fmt.Errorf("%d columns, not 6", len(col))
	}
	k = known{difference{col[0], item{col[1], col[3]}, 0}, col[4], strings.TrimSpace(col[5])}
	if k.n, err = strconv.Atoi(col[2]); err != nil || k.n == 0 {
		return k, fmt.Errorf("change %q is not a number above or below 0", col[2])
	}
	if !slices.Contains(kinds, k.kind) {
		return k, fmt.Errorf("kind %q is not known", k.kind)
	}
	return k, nil
}

// judged tells whether somebody said who is right, and why.
func (k *known) judged() bool {
	return slices.Contains(verdicts, k.right) && len(k.reason) > len(open)
}

func writeKnown(w io.Writer, list []known) error {
	b := bufio.NewWriter(w)
	b.WriteString(head)
	for _, k := range list {
		fmt.Fprintf(b, "%s\t%s\t%+d\t%s\t%s\t%s\n", k.capture, k.kind, k.n, k.text, k.right, k.reason)
	}
	return b.Flush()
}

// group is what a line for everything stands for.
type group struct {
	capture, kind string
	sign          int
}

func (d *difference) group() group { return group{d.capture, d.kind, sign(d.n)} }

// verdict is what the file of differences says of those that were found.
type verdict struct {
	explained []known      // lines that hold
	open      []difference // found, but not listed
	stale     []known      // listed, but not found so
}

// judge looks up the differences found. Items without text have lines for
// everything.
func judge(found []difference, list []known) (v verdict) {
	left := make(map[difference]bool)
	for _, d := range found {
		left[d] = true
	}
	var wide []known
	for _, k := range list {
		switch {
		case k.text == everything:
			wide = append(wide, k)
		case left[k.difference]:
			delete(left, k.difference)
			v.explained = append(v.explained, k)
		default:
			v.stale = append(v.stale, k)
		}
	}
	sum := make(map[group]int)
	for d := range left {
		sum[d.group()] += d.n
	}
	covered := make(map[group]bool)
	for _, k := range wide {
		if g := k.group(); sum[g] == k.n && !covered[g] {
			covered[g] = true
			v.explained = append(v.explained, k)
		} else {
			v.stale = append(v.stale, k)
		}
	}
	for d := range left {
		if !covered[d.group()] {
			v.open = append(v.open, d)
		}
	}
	slices.SortFunc(v.open, compareDifferences)
	return v
}

// maxSingle is how many open differences of one group are proposed line by line.
const maxSingle = 8

// propose returns the lines that would explain all, but for the reasons of those
// that are open.
func propose(v verdict) []known {
	list := slices.Clone(v.explained)
	groups := make(map[group][]difference)
	for _, d := range v.open {
		groups[d.group()] = append(groups[d.group()], d)
	}
	for _, all := range groups {
		if len(all) <= maxSingle && all[0].text != "" {
			for _, d := range all {
				list = append(list, known{d, open, open})
			}
			continue
		}
		sum := all[0]
		sum.text, sum.n = everything, 0
		for _, d := range all {
			sum.n += d.n
		}
		list = append(list, known{sum, open, open})
	}
	slices.SortFunc(list, func(a, b known) int { return compareDifferences(a.difference, b.difference) })
	return list
}
