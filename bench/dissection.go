package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
)

// exitPartial is shark's exit code when something of the capture is not in the index.
const exitPartial = 3

// workers are the numbers of workers that shark is measured with.
var workers = []int{1, 2}

// dissections is what dissecting one capture took.
type dissections struct {
	capture *capture
	sharks  []series // as workers
	index   int64    // bytes of the database, the largest
	verdict verdict
}

// verdict is what came of comparing an index with the generator's truth.
type verdict struct {
	same   int   // numbers that are
	wrong  error // that some are not
	broken error // that the database is not sound
}

// worst returns the largest figure of any number of workers.
func (d *dissections) worst(figure func(series) float64) float64 {
	var most float64
	for _, s := range d.sharks {
		most = max(most, figure(s))
	}
	return most
}

// How much there is of a capture for each CPU second, with the number of workers that
// takes the most of them.
func (d *dissections) megabytes() float64 {
	return float64(d.capture.bytes) / 1e6 / d.worst(series.cpu)
}
func (d *dissections) calls() float64 { return float64(d.capture.calls) / d.worst(series.cpu) }
func (d *dissections) connections() float64 {
	return float64(d.capture.connections) / d.worst(series.cpu)
}

// peakMiB is the most memory that was taken.
func (d *dissections) peakMiB() float64 {
	return d.worst(func(s series) float64 { return float64(s.peak()) / (1 << 20) })
}

// dissectAll measures shark dissect on captures, and other programs on each of them:
// in every round all of them, one after the other.
func (b *bench) dissectAll(ctx context.Context, captures []*capture, rounds int, others []*peer) ([]*dissections, error) {
	var all []*dissections
	for _, c := range captures {
		all = append(all, &dissections{capture: c, sharks: make([]series, len(workers))})
	}
	for round := range rounds {
		for _, d := range all {
			for i, n := range workers {
				u, err := b.dissect(ctx, d, n, round == 0)
				if err != nil {
					return nil, err
				}
				d.sharks[i] = append(d.sharks[i], u)
			}
			for _, p := range others {
				if err := b.runPeer(ctx, p, d.capture, round); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

// dissect measures one shark dissect that nothing has been done for before, and may
// look at what came out.
func (b *bench) dissect(ctx context.Context, d *dissections, workers int, verify bool) (usage, error) {
	dir, err := os.MkdirTemp(b.tmp, "dissect-")
	if err != nil {
		return usage{}, err
	}
	db := filepath.Join(dir, "x.db")
	u, err := measure(ctx, nil, b.shark, "dissect", "--quiet", "--force", "--cache", filepath.Join(dir, "cache"), "--workers", strconv.Itoa(workers), "-o", db, d.capture.path)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitPartial {
		d.verdict.wrong, err = errors.Join(d.verdict.wrong, err), nil
	}
	if err == nil && verify {
		err = d.look(ctx, db)
	}
	return u, errors.Join(err, os.RemoveAll(dir))
}

// look looks at an index.
func (d *dissections) look(ctx context.Context, db string) error {
	info, err := os.Stat(db)
	if err != nil {
		return err
	}
	d.index = max(d.index, info.Size())
	same, wrong := d.capture.verify(ctx, db)
	d.verdict.add(verdict{same, wrong, checkIntegrity(ctx, db)})
	return ctx.Err()
}

// add joins what came of another index of the same capture.
func (v *verdict) add(o verdict) {
	v.same += o.same
	v.wrong = errors.Join(v.wrong, o.wrong)
	v.broken = errors.Join(v.broken, o.broken)
}

// judge says whether the indexes hold what the generator wrote.
func (b *bench) judge(all ...*dissections) {
	for _, d := range all {
		v, name := d.verdict, d.capture.name
		what := fmt.Sprintf("%s: %d numbers of the generator's are the same in the index", name, v.same)
		if v.wrong != nil {
			what = fmt.Sprintf("%s: the index is not what the generator wrote:\n%v", name, v.wrong)
		}
		b.report.say(v.wrong == nil, what)
		what = name + ": PRAGMA integrity_check finds nothing"
		if v.broken != nil {
			what = fmt.Sprintf("%s: PRAGMA integrity_check: %v", name, v.broken)
		}
		b.report.say(v.broken == nil, what)
	}
}

// speeds prints the table of dissections, with what other programs took. The last
// column is to shark with one worker.
func (b *bench) speeds(all []*dissections, others []*peer) {
	t := newTable(b.w, "dissection", "CPU s", "wall s", "MB/CPU-s", "MB/s", "calls/CPU-s", "connections/CPU-s", "index", "peak MiB", "CPU to shark's")
	for _, d := range all {
		mb := float64(d.capture.bytes) / 1e6
		row := func(name string, s series, calls, connections, index string) {
			t.row(d.capture.name+", "+name, seconds(s.cpu()), seconds(s.wall()), fixed(mb/s.cpu(), 1), fixed(mb/s.wall(), 1),
				calls, connections, index, mebibytes(s.peak()), fixed(paired(s, d.sharks[0], cpuSeconds), 2))
		}
		for i, s := range d.sharks {
			row(fmt.Sprintf("shark --workers %d", workers[i]), s, fixed(float64(d.capture.calls)/s.cpu(), 0),
				fixed(float64(d.capture.connections)/s.cpu(), 0), fixed(d.percent(), 1)+" %")
		}
		for _, p := range others {
			if len(p.took) > 0 {
				row(p.label, p.took, "-", "-", "-")
			}
		}
	}
	t.print()
}

// percent is the size of the index to that of the capture.
func (d *dissections) percent() float64 { return 100 * float64(d.index) / float64(d.capture.bytes) }

// mix measures all protocols together, beside other programs.
func (b *bench) mix(ctx context.Context, captures []*capture, rounds int) error {
	tshark := &peer{program: "tshark", label: "tshark -T fields", rounds: b.tshark, args: tsharkArgs}
	others := append([]*peer{tshark}, lesserPeers(rounds)...)
	all, err := b.dissectAll(ctx, captures, rounds, others)
	if err != nil {
		return err
	}
	b.speeds(all, others)
	d := all[0]
	name := fmt.Sprintf("mix of %.0f MB", float64(d.capture.bytes)/1e6)
	if runtime.NumCPU() > 1 {
		gain, err := b.processors(ctx, d.capture, rounds)
		if err != nil {
			return err
		}
		b.sayProcessors(gain)
	}
	b.judge(d)
	b.report.limit(name, mixSpeed, d.megabytes())
	if len(tshark.took) == 0 {
		b.report.pass(name + ": " + mixTshark.what + ": tshark did not take part")
	} else {
		b.report.limit(name, mixTshark, slowest(tshark.took, d.sharks))
	}
	if runtime.NumCPU() < 2 {
		b.report.pass(name + ": " + mixWorkers.what + ": there is one processor")
	} else {
		b.report.limit(name, mixWorkers, paired(d.sharks[0], d.sharks[1], wallSeconds))
	}
	b.limitPeak(name, mixPeak, d.peakMiB(), d)
	b.report.limit(name, mixIndex, d.percent())
	return nil
}

// slowest returns the least of the ratios of another program's CPU time to shark's.
func slowest(other series, sharks []series) float64 {
	least := paired(other, sharks[0], cpuSeconds)
	for _, s := range sharks[1:] {
		least = min(least, paired(other, s, cpuSeconds))
	}
	return least
}

// limitPeak looks at memory, where the system tells.
func (b *bench) limitPeak(of string, l limit, figure float64, known *dissections) {
	if known.peakMiB() == 0 {
		b.report.pass(of + ": " + l.what + ": the system does not tell")
		return
	}
	b.report.limit(of, l, figure)
}

// memory measures what a longer capture takes.
func (b *bench) memory(ctx context.Context, captures []*capture, rounds int) error {
	all, err := b.dissectAll(ctx, captures, rounds, nil)
	if err != nil {
		return err
	}
	b.speeds(all, nil)
	b.judge(all...)
	b.limitPeak("memory", longPeak, all[1].peakMiB()/all[0].peakMiB(), all[0])
	return nil
}

func (b *bench) small(ctx context.Context, captures []*capture, rounds int) error {
	return b.alone(ctx, captures, rounds, smallCalls, (*dissections).calls)
}

func (b *bench) large(ctx context.Context, captures []*capture, rounds int) error {
	return b.alone(ctx, captures, rounds, largeBodies, (*dissections).megabytes)
}

func (b *bench) flows(ctx context.Context, captures []*capture, rounds int) error {
	return b.alone(ctx, captures, rounds, shortConnections, (*dissections).connections)
}

// alone measures one capture that has one limit.
func (b *bench) alone(ctx context.Context, captures []*capture, rounds int, l limit, figure func(*dissections) float64) error {
	all, err := b.dissectAll(ctx, captures, rounds, nil)
	if err != nil {
		return err
	}
	b.speeds(all, nil)
	b.judge(all...)
	b.report.limit(all[0].capture.name, l, figure(all[0]))
	return nil
}

// variants measures captures beside the first of them, byte by byte: they are not all
// of the very same size.
func (b *bench) variants(ctx context.Context, captures []*capture, rounds int) error {
	all, err := b.dissectAll(ctx, captures, rounds, nil)
	if err != nil {
		return err
	}
	b.speeds(all, nil)
	b.judge(all...)
	plain := all[0]
	for _, d := range all[1:] {
		var most float64
		for i := range workers {
			most = max(most, paired(d.sharks[i], plain.sharks[i], cpuSeconds))
		}
		b.report.limit(d.capture.name, variantCost, most*float64(plain.capture.bytes)/float64(d.capture.bytes))
	}
	return nil
}

// busyWorkers are the numbers of workers of dissections that all run at once.
var busyWorkers = []int{1, 2, 3, 8}

// load looks whether the same is found when several dissections are in each other's way.
func (b *bench) load(ctx context.Context, captures []*capture, _ int) error {
	made := make([]dissections, len(busyWorkers))
	errs := make(chan error)
	for i, n := range busyWorkers {
		made[i].capture = captures[0]
		go func() {
			_, err := b.dissect(ctx, &made[i], n, true)
			errs <- err
		}()
	}
	var failed error
	for range busyWorkers {
		failed = errors.Join(failed, <-errs)
	}
	if failed != nil {
		return failed
	}
	all := &dissections{capture: captures[0]}
	for i := range made {
		all.verdict.add(made[i].verdict)
	}
	fmt.Fprintf(b.w, "%d dissections at once, with %v workers\n\n", len(busyWorkers), busyWorkers)
	b.judge(all)
	return nil
}
