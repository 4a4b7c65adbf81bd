// Command bench measures how fast shark turns packets into an index, in how
// little memory, and whether the index holds what the capture does.
//
//	make bench
//	make bench-full
//	bench/run -size 20M -tshark 0
//	bench/run -full -size 20M -rounds 1 -cases small,large,flows
//	bench/run -profile build/bench/profiles -rounds 1 -cases stages
//
// A case (cases.go) is captures and what is measured on them. The run of make bench
// has those that take some minutes, on 200 MB; that of make bench-full has all, on
// 1 GB and more. The captures are made first: by make_bench_pcap.sh of the folder that
// SHARK_BENCH names, or else by the generator of this repository, which makes what the
// script cannot as well. Both say what they wrote. Captures are kept and used again,
// but for the longest.
//
// Every capture is read once, so that it lies in memory. Then shark, tshark at its
// nearest work and other programs do theirs, one after the other in every round, each
// in a process of its own. CPU seconds are those of user and system: they hold where
// the machine is busy with other things too. Every figure is the median of its rounds;
// a ratio is the median of the ratios of the rounds.
//
// The last lines say whether the limits (limits.go) hold. Where one does not, or an
// index is not exactly what the generator wrote, the exit code is 1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

// options are the command line.
type options struct {
	generator string // folder of make_bench_pcap.sh; empty: the repository's own
	dir       string // where everything is made
	budget    string // file of the stages' budget
	full      bool
	cases     string // names, apart by commas; empty: those of the run
	size      string
	seed      uint64
	rounds    int // of everything but tshark
	tshark    int // rounds of tshark, which takes minutes
	profiles  string

	stage string // be the process that runs this stage
}

func main() {
	var o options
	flag.StringVar(&o.generator, "generator", os.Getenv("SHARK_BENCH"), "`folder` of make_bench_pcap.sh, which makes the captures (SHARK_BENCH; default: the repository's own generator does)")
	flag.StringVar(&o.dir, "dir", "build/bench", "`folder` for the captures and what is made of them")
	flag.StringVar(&o.budget, "budget", "bench/BUDGET.tsv", "`file` that says what each stage may cost")
	flag.BoolVar(&o.full, "full", false, "run all cases, on 1 GB and more")
	flag.StringVar(&o.cases, "cases", "", "run these `cases` only, apart by commas: of "+caseNames())
	flag.StringVar(&o.size, "size", "", "`bytes` of the mix, with K, M or G behind; other captures go with it (default 200M, with -full 1G)")
	flag.Uint64Var(&o.seed, "seed", 1, "another seed is another capture")
	flag.IntVar(&o.rounds, "rounds", 7, "how often everything but tshark is measured")
	flag.IntVar(&o.tshark, "tshark", 1, "in how many of the rounds tshark takes part; with 0 its limit is not checked")
	flag.StringVar(&o.profiles, "profile", "", "write CPU and allocation profiles of each stage into this `folder`")
	flag.StringVar(&o.stage, "stage", "", "run one stage in this process and print what it allocated; the program calls itself so")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, o, flag.Args()); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, o options, args []string) error {
	if o.stage != "" {
		if len(args) != 1 {
			return errors.New("a stage takes one capture")
		}
		h, err := runStage(ctx, o.stage, args[0], o.dir, o.profiles)
		return errors.Join(err, json.NewEncoder(w).Encode(h))
	}
	if len(args) > 0 {
		return fmt.Errorf("there are no arguments, such as %q; bench -h lists the flags", args[0])
	}
	b, list, err := newBench(w, o)
	if err != nil {
		return err
	}
	return b.all(ctx, list)
}

// bench is one run of the program.
type bench struct {
	options
	w          io.Writer
	report     *report
	bytes      int64 // of the mix
	allowances []allowance
	shark      string // the program that is measured
	tmp        string // for what is removed in the end
}

// newBench looks for everything before minutes are spent.
func newBench(w io.Writer, o options) (*bench, []benchCase, error) {
	if o.rounds < 1 || o.tshark < 0 || o.tshark > o.rounds {
		return nil, nil, errors.New("wrong usage: there is at least one round, and no more with tshark than there are")
	}
	list, err := chosen(o.cases, o.full)
	if err != nil {
		return nil, nil, err
	}
	if _, err := exec.LookPath("tshark"); err != nil && o.tshark > 0 {
		return nil, nil, fmt.Errorf("nothing to compare with; -tshark 0 does without: %w", err)
	}
	b := &bench{options: o, w: w, report: &report{w: w}, shark: filepath.Join(o.dir, "shark")}
	if b.size == "" {
		b.size = "200M"
		if o.full {
			b.size = "1G"
		}
	}
	if b.bytes, err = parseSize(b.size); err != nil {
		return nil, nil, err
	}
	b.allowances, err = readBudget(o.budget)
	return b, list, err
}

// all builds shark and runs cases. One that cannot be run does not keep the others from
// it.
func (b *bench) all(ctx context.Context, list []benchCase) (err error) {
	for _, dir := range []string{b.dir, b.profiles} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.shark, "./cmd/shark")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building shark: %w", err)
	}
	if b.tmp, err = os.MkdirTemp(b.dir, "run-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.tmp)) }()
	for _, c := range list {
		if err := b.one(ctx, c); errors.Is(err, errNoRoom) {
			b.report.pass(fmt.Sprintf("%s: %v", c.name, err))
		} else if ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			b.report.say(false, fmt.Sprintf("%s: %v", c.name, err))
		}
		fmt.Fprintln(b.w)
	}
	return b.report.close()
}

// one makes the captures of a case and runs it.
func (b *bench) one(ctx context.Context, c benchCase) (err error) {
	fmt.Fprintf(b.w, "== %s: %s\n", c.name, c.what)
	var captures []*capture
	for i := range c.recipes {
		made, err := b.obtain(ctx, &c.recipes[i])
		if err != nil {
			return err
		}
		captures = append(captures, made)
		if c.recipes[i].once {
			defer func() { err = errors.Join(err, made.remove()) }()
		}
		fmt.Fprintf(b.w, "%s, %s: %.1f MB, %d packets, %d connections, %d calls\n",
			made.name, filepath.Base(made.path), float64(made.bytes)/1e6, made.packets, made.connections, made.calls)
	}
	if note := tightMemory(captures); note != "" {
		fmt.Fprintln(b.w, note)
	}
	fmt.Fprintln(b.w)
	rounds := b.rounds
	if c.rounds > 0 {
		rounds = min(rounds, c.rounds)
	}
	return c.run(b, ctx, captures, rounds)
}
