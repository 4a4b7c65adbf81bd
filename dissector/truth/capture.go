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
	got, damage, err := dissectInTime(filepath.Join(dir, filepath.FromSlash(c.name)))
	if err != nil {
		return nil, err
	}
	o, err := readOracle(dir, c.name)
	if err != nil {
		return nil, err
	}
	out := &outcome{capture: c.name, packets: got[item{kindPackets, ""}], damage: damage, oracle: o != nil}
	want := make(tally)
	switch {
	case o == nil:
		want.count(kindPackets, c.packets)
		got = tally{item{kindPackets, ""}: out.packets}
	case o.Whole != nil:
		if want, err = o.copied(dir, got); err != nil {
			return nil, err
		}
		want.count(kindPackets, *o.Whole)
	default:
		want = o.items()
		if err := o.cut(want, got); err != nil {
			return nil, err
		}
		want.count(kindPackets, *o.Packets)
	}
	out.scores, out.diffs = compare(c.name, got, want)
	return out, nil
}

// copied returns the items of the capture of which this one is a copy. Of a copy
// that is not whole, only packets are compared.
func (o *oracle) copied(dir string, got tally) (tally, error) {
	base, err := readOracle(dir, o.Same)
	if err != nil {
		return nil, err
	}
	if base != nil && *base.Packets == *o.Whole {
		return base.items(), nil
	}
	for i := range got {
		if i.kind != kindPackets {
			delete(got, i)
		}
	}
	return make(tally), nil
}

// dissectInTime is dissect with its limits on time and memory.
func dissectInTime(path string) (got tally, damage int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, damage, err = dissect(path)
	}()
	timer := time.NewTimer(maxTime)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		return nil, 0, fmt.Errorf("not done after %v", maxTime)
	}
	if m := memory(); err == nil && m > maxMemory {
		err = fmt.Errorf("%d MiB of memory taken", m>>20)
	}
	return got, damage, err
}

// dissect returns the items that shark sees in a capture. In a file that is no
// capture there are none, and one place of damage.
func dissect(path string) (got tally, damage int, err error) {
	src, err := pcapng.Open(path)
	if errors.Is(err, pcapng.ErrFormat) {
		return make(tally), 1, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer src.Close()
	var parts []sightings
	opts := dissector.Options{Protocols: protocol.All(), Workers: workers}
	report, err := dissector.Run(context.Background(), src, opts, func(int) dissector.Sink {
		parts = append(parts, sightings{make(tally)})
		return parts[len(parts)-1]
	})
	if err != nil {
		return nil, 0, err
	}
	got = make(tally)
	for _, p := range parts {
		for i, n := range p.tally {
			got[i] += n
		}
	}
	got.count(kindPackets, int(report.Packets))
	return got, len(src.Damage()), nil
}

// memory returns the most memory that the program ever had from the system: what
// it gave back still counts.
func memory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
