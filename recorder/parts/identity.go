package parts

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"shark/recorder"
	"shark/recorder/metrics"
	"shark/recorder/netns"
	"shark/recorder/watch"
	"shark/snapshot/identity"
)

const (
	// firstLook is how long it takes the machine at most to tell what there is.
	firstLook = time.Second
	// gather is how long records wait for others, to be written together, and maxGathered how
	// many do.
	gather      = 100 * time.Millisecond
	maxGathered = 4096
)

// Identity records who owns which socket and address, of a node or of one namespace.
func Identity(node string, c *Capture) recorder.Part {
	return recorder.Part{Name: "identity", Open: func(_ context.Context, s recorder.Sinks) (recorder.Running, error) {
		o := watch.Options{Node: node, Cgroup: watch.CgroupRoot()}
		if len(c.Namespaces) == 1 && c.Pods.All() {
			path := namespacePath(c.Namespaces[0])
			if o.Netns = uint32(netns.Inode(path)); o.Netns == 0 {
				return nil, fmt.Errorf("namespace %s: %s is no network namespace that can be seen", c.Namespaces[0], path)
			}
		}
		w, err := watch.Open(o)
		if err != nil {
			return nil, err
		}
		x := &owners{w: w, sinks: s}
		x.api = openAPI(c, node, x.take)
		return x, nil
	}}
}

// owners is the watch at work.
type owners struct {
	w     *watch.Watcher
	api   *api // nil: it is not asked
	sinks recorder.Sinks

	mu      sync.Mutex
	started bool // what there was at the start is written
	records []identity.Record
	count   uint64
	failed  error // the last record that could not be written
}

// Run implements recorder.Running.
func (o *owners) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	begin := make(chan struct{})
	work.Go(func() {
		o.api.settle(ctx)
		close(begin)
	})
	work.Go(func() {
		tick := time.NewTicker(gather)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-begin:
				begin = nil
				o.write(true)
			case <-tick.C:
				o.write(false)
			}
		}
	})
	take := o.take
	if o.api != nil {
		take = o.api.join.Local
		work.Go(func() { o.api.run(ctx) })
	}
	err := o.w.Run(ctx, take)
	cancel()
	work.Wait()
	o.write(true)
	return errors.Join(err, o.w.Close())
}

// take keeps a record until it is written.
func (o *owners) take(r *identity.Record) {
	o.mu.Lock()
	o.records = append(o.records, *r)
	o.count++
	full := o.started && len(o.records) >= maxGathered
	o.mu.Unlock()
	if full {
		o.write(false)
	}
}

// write writes what was gathered. The first time is when all is known that holds.
func (o *owners) write(begin bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var err error
	switch {
	case !o.started && !begin || o.started && len(o.records) == 0:
		return
	case !o.started:
		o.started = true
		err = o.sinks.Holds(o.records...)
	default:
		err = o.sinks.Identity(o.records...)
	}
	if err != nil {
		o.failed = err
	}
	clear(o.records)
	o.records = o.records[:0]
}

// identityDetails are what the status says.
type identityDetails struct {
	Sockets   int    `json:"sockets"`
	Processes int    `json:"processes"`
	Records   uint64 `json:"records"`
	Crowded   uint64 `json:"found_no_room"`
	Homeless  uint64 `json:"without_address"`
	// Kubernetes is what the API tells; nil: it is not asked.
	Kubernetes *kubernetesDetails `json:"kubernetes,omitempty"`
}

// Report implements recorder.Running.
func (o *owners) Report() recorder.Report {
	s := o.w.Status()
	details, missing, families := o.api.report()
	o.mu.Lock()
	defer o.mu.Unlock()
	r := recorder.Report{Missing: s.Missing, Details: identityDetails{s.Sockets, s.Processes, o.count, s.Crowded, s.Homeless, details}}
	r.Missing = append(r.Missing[:len(r.Missing):len(r.Missing)], missing...)
	if o.failed != nil {
		r.Missing = append(r.Missing[:len(r.Missing):len(r.Missing)], o.failed.Error())
	}
	unknown := metrics.Family{Name: "shark_recorder_identity_unknown_total", Kind: metrics.Counter, Help: "Sockets and processes of which nobody is told, by reason."}
	lost := s.Lost.Sockets + s.Lost.Ends + s.Lost.Processes + s.Lost.Exits + s.Lost.Storage
	for reason, n := range map[string]uint64{"no_room": s.Crowded, "no_address": s.Homeless, "lost_in_kernel": lost} {
		unknown.Samples = append(unknown.Samples, metrics.Sample{Labels: []metrics.Label{{Name: "reason", Value: reason}}, Value: float64(n)})
	}
	r.Metrics = append([]metrics.Family{
		unknown,
		metrics.One("shark_recorder_sockets", metrics.Gauge, float64(s.Sockets), "Sockets whose owners are known."),
		metrics.One("shark_recorder_processes", metrics.Gauge, float64(s.Processes), "Processes that use sockets."),
		metrics.One("shark_recorder_identity_records_total", metrics.Counter, float64(o.count), "Records of who owns what."),
	}, families...)
	return r
}
