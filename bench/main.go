// Command bench measures how fast shark turns packets into an index, in how
// little memory, and whether the index holds what the capture does.
//
//	make bench
//	bench/run -size 20M -tshark 0
//	bench/run -profile build/bench/profiles -rounds 1 -tshark 0
//
// The capture is made first: by make_bench_pcap.sh of the folder that SHARK_BENCH
// names, or else by the generator of this repository. Both say what they wrote.
// Then shark, tshark at its nearest work and other programs do theirs, one after
// the other, each in a process of its own. CPU seconds are those of user and
// system: they hold where the machine is busy with other things too. Every figure
// is the median of its rounds.
//
// The last lines say whether the limits hold. Where one does not, or the index is
// not exactly what the generator wrote, the exit code is 1.
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
	"strconv"
	"strings"
)

// options are the command line.
type options struct {
	generator string // folder of make_bench_pcap.sh; empty: the repository's own
	dir       string // where everything is made
	budget    string // file of the stages' budget
	size      string
	seed      uint64
	rounds    int // of everything but tshark
	tshark    int // rounds of tshark, which takes minutes
	peers     bool
	profiles  string

	stage string // be the process that runs this stage
}

func main() {
	var o options
	flag.StringVar(&o.generator, "generator", os.Getenv("SHARK_BENCH"), "`folder` of make_bench_pcap.sh, which makes the capture (SHARK_BENCH; default: the repository's own generator does)")
	flag.StringVar(&o.dir, "dir", "build/bench", "`folder` for the capture and what is made of it")
	flag.StringVar(&o.budget, "budget", "bench/BUDGET.tsv", "`file` that says what each stage may cost")
	flag.StringVar(&o.size, "size", "200M", "`bytes` of the capture, with K, M or G behind")
	flag.Uint64Var(&o.seed, "seed", 1, "another seed is another capture")
	flag.IntVar(&o.rounds, "rounds", 7, "how often everything but tshark is measured")
	flag.IntVar(&o.tshark, "tshark", 1, "in how many of the rounds tshark takes part; with 0 its limit is not checked")
	flag.BoolVar(&o.peers, "peers", true, "measure export and merge as well, beside tcpdump, editcap and mergecap where they are installed")
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

func run(ctx context.Context, w io.Writer, o options, args []string) (err error) {
	if o.stage != "" {
		if len(args) != 1 {
			return errors.New("a stage takes one capture")
		}
		h, err := runStage(ctx, o.stage, args[0], o.dir, o.profiles)
		return errors.Join(err, json.NewEncoder(w).Encode(h))
	}
	if len(args) > 0 || o.rounds < 1 || o.tshark < 0 || o.tshark > o.rounds {
		return errors.New("wrong usage: there is at least one round, no more with tshark than there are, and no argument")
	}
	// Everything is looked for before minutes are spent.
	if _, err := exec.LookPath("tshark"); err != nil && o.tshark > 0 {
		return fmt.Errorf("nothing to compare with: %w", err)
	}
	budget, err := readBudget(o.budget)
	if err != nil {
		return err
	}
	for _, dir := range []string{o.dir, o.profiles} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	b := &bench{options: o, w: w, shark: filepath.Join(o.dir, "shark")}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.tmp)) }()
	return b.measure(ctx, budget)
}

// bench is one run of the program.
type bench struct {
	options
	w       io.Writer
	shark   string // the program that is measured
	tmp     string // for what is removed in the end
	capture *capture
}

// prepare builds shark and makes the capture.
func (b *bench) prepare(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.shark, "./cmd/shark")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building shark: %w", err)
	}
	size, err := parseSize(b.size)
	if err != nil {
		return err
	}
	if b.generator != "" {
		b.capture, err = makeGiven(ctx, b.generator, b.dir, b.size, b.seed)
	} else {
		b.capture, err = makeOwn(b.dir, size, b.seed)
	}
	if err != nil {
		return fmt.Errorf("making the capture: %w", err)
	}
	if err := b.capture.survey(); err != nil { // and from now on it is in memory
		return err
	}
	b.tmp, err = os.MkdirTemp(b.dir, "run-")
	return err
}

// measure prints all tables and says in the end what did not hold.
func (b *bench) measure(ctx context.Context, budget []allowance) error {
	c := b.capture
	fmt.Fprintf(b.w, "%s: %.1f MB, %d packets, %d connections, %d calls\n\n", filepath.Base(c.path), float64(c.bytes)/1e6, c.packets, c.connections, c.calls)
	failed := b.dissection(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if b.peers {
		failed = errors.Join(failed, b.exports(ctx))
	}
	return errors.Join(failed, b.stages(ctx, budget))
}

// parseSize reads a number of bytes with K, M or G behind it.
func parseSize(s string) (int64, error) {
	digits, unit := s, int64(1)
	for i, u := range []string{"K", "M", "G"} {
		if t, ok := strings.CutSuffix(strings.ToUpper(s), u); ok {
			digits, unit = t, []int64{1e3, 1e6, 1e9}[i]
		}
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not a size such as 20M", s)
	}
	return n * unit, nil
}
