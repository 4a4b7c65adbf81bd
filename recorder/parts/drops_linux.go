package parts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"shark/bpf/drops"
	"shark/recorder"
	"shark/recorder/metrics"
	"shark/snapshot/identity"
)

const (
	// countDrops is how often the kernel is asked what it dropped.
	countDrops = time.Second
	// maxDropRows is how many counters the status and metrics have, those with most packets.
	maxDropRows = 200
	// maxDropRecords is how many are written at a time, of those that changed; others wait.
	maxDropRecords = 256
)

// Drops records how many packets the kernel dropped, in the namespaces that are captured: by
// device and the kernel's reason, in records of the identity log.
func Drops(c *Capture) recorder.Part {
	return recorder.Part{Name: "drops", Open: func(_ context.Context, s recorder.Sinks) (recorder.Running, error) {
		set, err := drops.Open()
		if err != nil {
			return nil, err
		}
		return newDropped(set, c.has, s.Identity), nil
	}}
}

// counts are what says how many packets were dropped.
type counts interface {
	Counts() (all []drops.Count, crowded uint64, err error)
	Close() error
}

// dropped is the count at work.
type dropped struct {
	from  counts
	has   func(netns uint64) bool
	write func(...identity.Record) error
	began time.Time
	told  map[drops.Count]uint64 // packets, by what is counted; run's alone

	mu      sync.Mutex
	all     []drops.Count
	crowded uint64
	failed  error // the last record that could not be written
}

func newDropped(from counts, has func(uint64) bool, write func(...identity.Record) error) *dropped {
	return &dropped{from: from, has: has, write: write, began: time.Now(), told: make(map[drops.Count]uint64)}
}

// Run implements recorder.Running.
func (d *dropped) Run(ctx context.Context) error {
	tick := time.NewTicker(countDrops)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.Join(d.count(drops.MaxCounts), d.from.Close())
		case <-tick.C:
			if err := d.count(maxDropRecords); err != nil {
				return errors.Join(err, d.from.Close())
			}
		}
	}
}

// count asks what was dropped, and writes down what is new of it.
func (d *dropped) count(most int) error {
	now := time.Now()
	all, crowded, err := d.from.Counts()
	if err != nil {
		return err
	}
	in := make(map[uint32]bool)
	all = slices.DeleteFunc(all, func(c drops.Count) bool {
		if _, asked := in[c.NetNS]; !asked {
			in[c.NetNS] = d.has(uint64(c.NetNS))
		}
		return !in[c.NetNS]
	})
	slices.SortFunc(all, func(a, b drops.Count) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.NetNS, b.NetNS), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Reason, b.Reason))
	})
	var records []identity.Record
	for _, c := range all {
		key := c
		key.Packets = 0
		if d.told[key] != c.Packets && len(records) < most {
			d.told[key] = c.Packets
			records = append(records, d.record(&c, now))
		}
	}
	if len(records) > 0 {
		if err = d.write(records...); err != nil {
			clear(d.told) // they are told again
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all, d.crowded = all, crowded
	d.failed = err
	return nil
}

// record is what the log has of a counter.
func (d *dropped) record(c *drops.Count, now time.Time) identity.Record {
	return identity.Record{
		Time: now, Op: identity.Upsert, Source: "kernel", Kind: identity.Drops, UID: fmt.Sprintf("drops-%d-%d-%s", c.NetNS, c.Index, c.Reason),
		Name: fmt.Sprintf("%s on %s", c.Reason, cmp.Or(c.Device, "no device")), Netns: uint64(c.NetNS),
		Labels: map[string]string{
			"device": c.Device, "reason": c.Reason, "packets": fmt.Sprint(c.Packets), "since": d.began.UTC().Format(time.RFC3339Nano),
		},
	}
}

// dropsDetails are what the status says.
type dropsDetails struct {
	Packets uint64    `json:"packets"`
	Counts  []dropRow `json:"counts"` // those with most packets
	Crowded uint64    `json:"found_no_room,omitempty"`
}

// String names the reasons with most packets.
func (d dropsDetails) String() string {
	if d.Packets == 0 {
		return "the kernel dropped no packets"
	}
	const named = 5
	var list []string
	for i, c := range d.Counts {
		if i == named {
			list = append(list, fmt.Sprintf("%d more reasons and devices", len(d.Counts)-named))
			break
		}
		list = append(list, fmt.Sprintf("%d for %s on %s", c.Packets, c.Reason, cmp.Or(c.Device, "no device")))
	}
	return fmt.Sprintf("the kernel dropped %d packets: %s", d.Packets, strings.Join(list, ", "))
}

type dropRow struct {
	NetNS   uint32 `json:"netns,omitempty"`
	Device  string `json:"device,omitempty"`
	Reason  string `json:"reason"`
	Packets uint64 `json:"packets"`
}

// Report implements recorder.Running.
func (d *dropped) Report() recorder.Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	details := dropsDetails{Crowded: d.crowded, Counts: []dropRow{}}
	f := metrics.Family{Name: "shark_recorder_kernel_dropped_packets_total", Kind: metrics.Counter, Help: "Packets that the kernel dropped, by its reason, network device and namespace; those with most."}
	for i, c := range d.all {
		details.Packets += c.Packets
		if i >= maxDropRows {
			continue
		}
		details.Counts = append(details.Counts, dropRow{c.NetNS, c.Device, c.Reason, c.Packets})
		f.Samples = append(f.Samples, metrics.Sample{Value: float64(c.Packets), Labels: []metrics.Label{
			{Name: "reason", Value: c.Reason}, {Name: "device", Value: c.Device}, {Name: "netns", Value: fmt.Sprint(c.NetNS)}, {Name: "index", Value: fmt.Sprint(c.Index)},
		}})
	}
	r := recorder.Report{Details: details, Metrics: []metrics.Family{f}}
	if d.failed != nil {
		r.Missing = append(r.Missing, d.failed.Error())
	}
	if d.crowded > 0 {
		r.Missing = append(r.Missing, fmt.Sprintf("%d dropped packets are not told apart: there are more than %d devices and reasons", d.crowded, drops.MaxCounts))
	}
	return r
}
