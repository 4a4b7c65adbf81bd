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
	name string
	peer string
	// shark and other are the arguments; the last of shark's and what other says
	// write to out.
	shark, other func(out string) []string
}

// tasks returns the tasks on the capture. twin is a copy of it.
func (c *capture) tasks(twin string) []task {
	const filter = "tcp port 8080"
	third := (c.last - c.first) / 3
	from, to := clock(c.first+third), clock(c.first+2*third)
	return []task{
		{
			"filter, beside tcpdump", "tcpdump",
			func(out string) []string { return []string{c.path, "--bpf", filter, "-w", out} },
			func(out string) []string { return []string{"-n", "-r", c.path, "-w", out, filter} },
		},
		{
			"time range, beside editcap", "editcap",
			func(out string) []string { return []string{c.path, "--from", from, "--to", to, "-w", out} },
			func(out string) []string { return []string{"-F", "pcap", "-A", from, "-B", to, c.path, out} },
		},
		{
			"merge of two, beside mergecap", "mergecap",
			func(out string) []string { return []string{c.path, twin, "-w", out} },
			func(out string) []string { return []string{"-F", "pcap", "-w", out, c.path, twin} },
		},
	}
}

// clock is a time as all programs read it.
func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z") }

// exports measures what is done to packets alone. Nothing is asked of it.
func (b *bench) exports(ctx context.Context) error {
	twin := filepath.Join(b.tmp, "twin.pcap")
	if err := os.Link(b.capture.path, twin); err != nil {
		return err
	}
	t := newTable(b.w, "packets alone", "shark CPU s", "its CPU s", "shark MB/CPU-s", "its", "CPU to its", "shark packets", "its", "shark peak MiB")
	for _, k := range b.capture.tasks(twin) {
		if _, err := exec.LookPath(k.peer); err != nil {
			fmt.Fprintln(b.w, err)
			continue
		}
		if err := b.beside(ctx, t, k); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	t.print()
	return nil
}

// beside measures one task.
func (b *bench) beside(ctx context.Context, t *table, k task) error {
	var shark, other series
	var found, its int64
	for range b.rounds {
		var u usage
		var err error
		args := append([]string{"export", "--quiet", "--cache", b.tmp}, k.shark(filepath.Join(b.tmp, "shark.pcap"))...)
		if u, found, err = b.write(ctx, "shark.pcap", b.shark, args); err != nil {
			return err
		}
		shark = append(shark, u)
		if u, its, err = b.write(ctx, "other.pcap", k.peer, k.other(filepath.Join(b.tmp, "other.pcap"))); err != nil {
			return err
		}
		other = append(other, u)
	}
	mb := float64(b.capture.bytes) / 1e6
	if k.peer == "mergecap" {
		mb *= 2
	}
	t.row(k.name, seconds(shark.cpu()), seconds(other.cpu()), fixed(mb/shark.cpu(), 0), fixed(mb/other.cpu(), 0),
		fmt.Sprintf("1 : %.2f", other.cpu()/shark.cpu()), fmt.Sprint(found), fmt.Sprint(its), mebibytes(shark.peak()))
	return nil
}

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
