package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// enough is the share of the oracles' valid items, in percent, that must match.
const enough = 99

// enoughEach is that share for one kind; those below it are named.
const enoughEach = 97

// options are the command line.
type options struct {
	captures string   // folder of captures
	known    string   // file of differences
	confuse  bool     // print which protocol tshark says, instead
	claims   string   // file of claims that were looked into
	update   bool     // write the file anew, with the open differences in it
	verbose  bool     // print every difference
	only     []string // captures whose names begin so; all when empty
}

func main() {
	var o options
	flag.StringVar(&o.captures, "captures", os.Getenv("SHARK_CAPTURES"), "folder of captures")
	flag.StringVar(&o.known, "differences", "dissector/truth/differences.tsv", "file of differences that were looked into")
	flag.BoolVar(&o.confuse, "confusion", false, "print, for each protocol, what tshark calls the packets that shark says are of it")
	flag.StringVar(&o.claims, "claims", "dissector/truth/claims.tsv", "file of claims that were looked into")
	flag.BoolVar(&o.update, "update", false, "write the file of differences anew, with a question mark where a reason is wanted")
	flag.BoolVar(&o.verbose, "v", false, "print every difference that is not listed")
	flag.Parse()
	o.only = flag.Args()
	if o.captures == "" {
		fmt.Fprintln(os.Stderr, "truth: SHARK_CAPTURES does not name the folder of captures")
		os.Exit(2)
	}
	do := run
	if o.confuse {
		do = confusion
	}
	if err := do(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(1)
	}
}

// run compares the captures and prints how that went.
func run(w io.Writer, o options) error {
	index, err := readIndex(o.captures)
	if err != nil {
		return err
	}
	list, err := readKnown(o.known)
	if err != nil {
		return err
	}
	var failed error
	total := newSummary()
	var all verdict
	for _, c := range index {
		if !o.wants(c.name) {
			continue
		}
		fmt.Fprintf(w, "%-72s", c.name) // first, so that a crash can be told whose it is
		out, err := check(o.captures, c)
		if err != nil {
			fmt.Fprintf(w, "  FAILED: %v\n", err)
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, err))
			continue
		}
		v := judge(out.diffs, of(list, c.name))
		out.print(w, &v, o.verbose)
		total.add(out, &v)
		all.add(&v)
	}
	total.print(w)
	if o.update && failed == nil {
		return o.write(list, all)
	}
	if len(o.only) > 0 {
		return errors.Join(failed, all.err(w))
	}
	all.stale = append(all.stale, strangers(list, index)...)
	return errors.Join(failed, total.short(), all.err(w))
}

func (o *options) wants(name string) bool {
	return len(o.only) == 0 || slices.ContainsFunc(o.only, func(p string) bool { return strings.HasPrefix(name, p) })
}

// of returns the lines about one capture.
func of(list []known, capture string) []known {
	return slices.DeleteFunc(slices.Clone(list), func(k known) bool { return k.capture != capture })
}

// strangers returns the lines about captures that do not exist.
func strangers(list []known, index []capture) []known {
	return slices.DeleteFunc(slices.Clone(list), func(k known) bool {
		return slices.ContainsFunc(index, func(c capture) bool { return c.name == k.capture })
	})
}

func (v *verdict) add(x *verdict) {
	v.explained = append(v.explained, x.explained...)
	v.open = append(v.open, x.open...)
	v.stale = append(v.stale, x.stale...)
}

// err says what is wrong with the file of differences.
func (v *verdict) err(w io.Writer) error {
	unjudged := 0
	for _, k := range v.explained {
		if !k.judged() {
			unjudged++
		}
	}
	for _, k := range v.stale {
		fmt.Fprintf(w, "listed, but not so: %s %s %+d %s\n", k.capture, k.kind, k.n, k.text)
	}
	if len(v.open) == 0 && len(v.stale) == 0 && unjudged == 0 {
		return nil
	}
	return fmt.Errorf("%d differences are not listed, %d listed ones are not so, %d have no verdict or reason", len(v.open), len(v.stale), unjudged)
}

// write writes the file of differences anew. The lines about captures that were
// not looked at stay.
func (o *options) write(list []known, all verdict) error {
	keep := propose(all)
	for _, k := range list {
		if !o.wants(k.capture) {
			keep = append(keep, k)
		}
	}
	slices.SortStableFunc(keep, func(a, b known) int { return compareDifferences(a.difference, b.difference) })
	f, err := os.Create(o.known)
	if err != nil {
		return err
	}
	return errors.Join(writeKnown(f, keep), f.Close())
}
