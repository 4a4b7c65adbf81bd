package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// allowance is what one stage may cost, without the stage that it contains.
type allowance struct {
	stage string
	ns    float64 // CPU time of a packet or a call
}

// readBudget reads the budget: lines of a stage, nanoseconds and for what, apart
// by tabs, under a head and comments that begin with #. Every stage but the first
// must be there, and no other.
func readBudget(path string) ([]allowance, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []allowance
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			return nil, fmt.Errorf("%s:%d: there are %d columns, not 3", path, n, len(f))
		}
		s, err := stageNamed(f[0])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		ns, err := strconv.ParseFloat(f[1], 64)
		if err != nil || f[2] != s.per {
			return nil, fmt.Errorf("%s:%d: %q is not nanoseconds of a %s", path, n, f[1]+" "+f[2], s.per)
		}
		list = append(list, allowance{s.name, ns})
	}
	if len(list) != len(stages)-1 {
		return nil, fmt.Errorf("%s: it has %d stages; there are %d", path, len(list), len(stages)-1)
	}
	return list, lines.Err()
}

// cost is what the rounds of a stage took.
type cost struct {
	series
	heap heap
}

// stages measures all stages and prints them beside the budget.
func (b *bench) stages(ctx context.Context, captures []*capture, rounds int) error {
	c := captures[0]
	self, err := os.Executable()
	if err != nil {
		return err
	}
	costs := make(map[string]*cost)
	for range rounds {
		for _, s := range stages {
			k := costs[s.name]
			if k == nil {
				k = new(cost)
				costs[s.name] = k
			}
			var out bytes.Buffer
			u, err := measure(ctx, &out, self, "-stage", s.name, "-dir", b.tmp, c.path)
			if err := errors.Join(err, json.Unmarshal(out.Bytes(), &k.heap)); err != nil {
				return fmt.Errorf("stage %s: %w", s.name, err)
			}
			k.series = append(k.series, u)
		}
	}
	if err := b.profile(ctx, self, c); err != nil {
		return err
	}
	return b.budgetTable(c, costs)
}

// profile runs each stage once more with profiles, which cost time themselves.
func (b *bench) profile(ctx context.Context, self string, c *capture) error {
	if b.profiles == "" {
		return nil
	}
	for _, s := range stages {
		if _, err := measure(ctx, nil, self, "-stage", s.name, "-dir", b.tmp, "-profile", b.profiles, c.path); err != nil {
			return fmt.Errorf("profile of stage %s: %w", s.name, err)
		}
	}
	return nil
}

// budgetTable prints what each stage adds to the one that it contains.
func (b *bench) budgetTable(c *capture, costs map[string]*cost) error {
	t := newTable(b.w, "stage, one worker", "CPU s", "ns/packet", "ns/call", "budget", "today", "allocs/packet", "allocs/call", "B/packet")
	packets, calls := float64(c.packets), float64(c.calls)
	for _, a := range b.allowances {
		s, err := stageNamed(a.stage)
		if err != nil {
			return err
		}
		k, under := costs[s.name], costs[s.after]
		cpu := k.cpu() - under.cpu()
		today := cpu * 1e9 / packets
		if s.per == "call" {
			today = cpu * 1e9 / calls
		}
		allocs := float64(k.heap.Allocations) - float64(under.heap.Allocations)
		bytes := float64(k.heap.Bytes) - float64(under.heap.Bytes)
		t.row(s.name, fixed(cpu, 3), fixed(cpu*1e9/packets, 0), fixed(cpu*1e9/calls, 0),
			fmt.Sprintf("%.0f/%s", a.ns, s.per), fmt.Sprintf("%.0f %%", 100*today/a.ns),
			fixed(allocs/packets, 3), fixed(allocs/calls, 3), fixed(bytes/packets, 0))
	}
	t.print()
	return nil
}
