package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"shark/dissector"
	"shark/dissector/protocol"
	"shark/packet/keylog"
	"shark/packet/pcapng"
)

const (
	// maxTime is how long one capture may take.
	maxTime = time.Minute
	// maxMemory is how much memory the dissection may ever take, in bytes.
	maxMemory = 1 << 30
	// workers is how many goroutines dissect, as an everyday run has several.
	workers = 2
)

// capture is one line of the index of captures.
type capture struct {
	name    string
	packets int // as the index counts them
}

// readIndex lists the captures: the first column of the index is the path, the
// tenth the number of packets.
func readIndex(dir string) ([]capture, error) {
	text, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		return nil, err
	}
	var list []capture
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if i == 0 {
			continue
		}
		col := strings.Split(line, "\t")
		if len(col) < 10 {
			return nil, fmt.Errorf("line %d of the index of captures has %d columns", i+1, len(col))
		}
		n, err := strconv.Atoi(col[9])
		if err != nil {
			return nil, fmt.Errorf("line %d of the index of captures: %w", i+1, err)
		}
		list = append(list, capture{col[0], n})
	}
	return list, nil
}

// outcome is what came of one capture.
type outcome struct {
	capture string
	packets int
	damage  int // places that could not be read
	oracle  bool
	scores  map[string]*score
	diffs   []difference
}

// check dissects a capture and compares it with its oracle.
func check(dir string, c capture) (*outcome, error) {
	seen, err := dissectInTime(filepath.Join(dir, filepath.FromSlash(c.name)))
	if err != nil {
		return nil, err
	}
	o, err := readOracle(dir, c.name)
	if err != nil {
		return nil, err
	}
	want, packets := tally(nil), c.packets
	switch {
	case o == nil:
	case o.Packets != nil:
		want, packets = o.items(), *o.Packets
		if err := o.cut(want, seen.tally); err != nil {
			return nil, err
		}
	case o.Whole != nil:
		packets = *o.Whole
		if want, err = o.original(dir, seen); err != nil {
			return nil, err
		}
	}
	if want == nil { // there is nothing but packets to compare
		want, seen.tally = make(tally), make(tally)
	}
	want.count(kindPackets, packets)
	seen.count(kindPackets, seen.packets)
	out := &outcome{capture: c.name, packets: seen.packets, damage: seen.damage, oracle: o != nil}
	out.scores, out.diffs = compare(c.name, seen.tally, want)
	return out, nil
}

// original returns the items of the capture of which this one is a copy; none
// when the copy has not all of its packets, or only the beginning of each.
func (o *oracle) original(dir string, copied *seen) (tally, error) {
	base, err := readOracle(dir, o.Same)
	if err != nil || base == nil || base.Packets == nil || *base.Packets != *o.Whole || copied.cut {
		return nil, err
	}
	return base.items(), nil
}

// seen is what shark saw in a capture.
type seen struct {
	tally
	packets int
	damage  int  // places that could not be read
	cut     bool // the capture has not all bytes of each packet
}

// dissectInTime is dissect with its limits on time and memory.
func dissectInTime(path string) (*seen, error) {
	type result struct {
		seen *seen
		err  error
	}
	done := make(chan result, 1)
	go func() {
		s, err := dissect(path)
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		if m := memory(); r.err == nil && m > maxMemory {
			return nil, fmt.Errorf("%d MiB of memory taken", m>>20)
		}
		return r.seen, r.err
	case <-time.After(maxTime):
		return nil, fmt.Errorf("not done after %v", maxTime)
	}
}

// dissect returns what shark sees in a capture: nothing, and one place of damage,
// in a file that is none.
func dissect(path string) (*seen, error) {
	src, err := pcapng.Open(path)
	if errors.Is(err, pcapng.ErrFormat) {
		return &seen{tally: make(tally), damage: 1}, nil
	}
	if err != nil {
		return nil, err
	}
	defer src.Close()
	var parts []sightings
	keys := new(keylog.Table)
	opts := dissector.Options{Protocols: protocol.All(), Workers: workers, Secrets: keys}
	report, err := dissector.Run(context.Background(), pcapng.Keyed(src, keys), opts, func(int) dissector.Sink {
		parts = append(parts, sightings{make(tally)})
		return parts[len(parts)-1]
	})
	if err != nil {
		return nil, err
	}
	s := &seen{tally: make(tally), packets: int(report.Packets), damage: len(src.Damage()), cut: report.Cut > 0}
	for _, p := range parts {
		for i, n := range p.tally {
			s.tally[i] += n
		}
	}
	return s, nil
}

// memory returns the most memory that the program ever had from the system: what
// it gave back still counts.
func memory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
