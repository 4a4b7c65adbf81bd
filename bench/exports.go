package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// task is a piece of work on packets that another program does as well.
type task struct {
	name  string
	peer  string
	limit limit
	files int // how many times the capture is read
	// The arguments of both, to write the file out.
	sharkArgs, peerArgs func(out string) []string
}

// tasks returns the tasks on the capture. twin is a copy of it.
func (c *capture) tasks(twin string) []task {
	const filter = "tcp port 8080"
	third := (c.last - c.first) / 3
	from, to := clock(c.first+third), clock(c.first+2*third)
	return []task{
		{
			"filter, beside tcpdump", "tcpdump", exportFilter, 1,
			func(out string) []string { return []string{c.path, "--bpf", filter, "-w", out} },
			func(out string) []string { return []string{"-n", "-r", c.path, "-w", out, filter} },
		},
		{
			"time range, beside editcap", "editcap", exportRange, 1,
			func(out string) []string { return []string{c.path, "--from", from, "--to", to, "-w", out} },
			func(out string) []string { return []string{"-F", "pcap", "-A", from, "-B", to, c.path, out} },
		},
		{
			"merge of two, beside mergecap", "mergecap", exportMerge, 2,
			func(out string) []string { return []string{c.path, twin, "-w", out} },
			func(out string) []string { return []string{"-F", "pcap", "-w", out, c.path, twin} },
		},
	}
}

// clock is a time as all programs read it.
func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z") }

// exports measures what is done to packets alone.
func (b *bench) exports(ctx context.Context, captures []*capture, rounds int) error {
	c := captures[0]
	twin := filepath.Join(b.tmp, "twin.pcap")
	if err := os.Link(c.path, twin); err != nil {
		return err
	}
	var there []*export
	for _, k := range c.tasks(twin) {
		if _, err := exec.LookPath(k.peer); err != nil {
			b.report.pass(fmt.Sprintf("%s: %v", k.name, err))
			continue
		}
		there = append(there, &export{task: k})
	}
	for range rounds {
		for _, e := range there {
			if err := b.beside(ctx, e); err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
		}
	}
	if err := os.Remove(twin); err != nil {
		return err
	}
	b.exported(c, there)
	return nil
}

// export is a task and what it took.
type export struct {
	task
	shark, its   series
	found, other int64 // packets
}

// beside does a task once with both programs.
func (b *bench) beside(ctx context.Context, e *export) (err error) {
	var u usage
	args := append([]string{"export", "--quiet", "--cache", b.tmp}, e.sharkArgs(filepath.Join(b.tmp, "shark.pcap"))...)
	if u, e.found, err = b.write(ctx, "shark.pcap", b.shark, args); err != nil {
		return err
	}
	e.shark = append(e.shark, u)
	if u, e.other, err = b.write(ctx, "other.pcap", e.peer, e.peerArgs(filepath.Join(b.tmp, "other.pcap"))); err != nil {
		return err
	}
	e.its = append(e.its, u)
	return nil
}

// exported prints what the tasks took and looks at their limits.
func (b *bench) exported(c *capture, all []*export) {
	t := newTable(b.w, "packets alone", "shark CPU s", "its CPU s", "shark MB/CPU-s", "its", "its CPU to shark's", "shark packets", "its", "shark peak MiB")
	for _, e := range all {
		mb := float64(c.bytes) / 1e6 * float64(e.files)
		shark, its := e.shark.cpu(), e.its.cpu()
		t.row(e.name, seconds(shark), seconds(its), fixed(mb/shark, 0), fixed(mb/its, 0), fixed(e.ratio(), 2),
			fmt.Sprint(e.found), fmt.Sprint(e.other), mebibytes(e.shark.peak()))
	}
	t.print()
	for _, e := range all {
		b.report.say(e.found == e.other, fmt.Sprintf("%s: %d packets, and %d", e.name, e.found, e.other))
		b.report.limit(e.name, e.limit, e.ratio())
	}
}

func (e *export) ratio() float64 { return paired(e.its, e.shark, cpuSeconds) }

// write measures a program that writes the file out, and counts its packets.
func (b *bench) write(ctx context.Context, out, name string, args []string) (usage, int64, error) {
	path := filepath.Join(b.tmp, out)
	u, err := measure(ctx, nil, name, args...)
	if err != nil {
		return u, 0, err
	}
	n, _, _, err := countPackets(path)
	if err != nil {
		return u, 0, err
	}
	return u, n, os.Remove(path)
}
