package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"shark/packet"
	"shark/recorder/metrics"
	"shark/snapshot/identity"
)

// Sink takes packets. Write and Lost are for one goroutine, and do not keep what they get.
// Interfaces have the same numbers for as long as the sink is used, and only get more.
type Sink interface {
	Write(records []packet.Record, interfaces []packet.Interface)
	// Lost says that n packets of interface i were received and lost.
	Lost(i uint32, n uint64, interfaces []packet.Interface)
}

// Sinks are where parts record to. Each of the first two is for one part, which numbers its
// interfaces as it likes each time it is opened.
type Sinks struct {
	Packets   Sink
	Plaintext Sink
	// Secrets keeps lines of a key log, known at a time. Like the next it may wait for the disk
	// and is for any goroutine.
	Secrets  func(t time.Time, lines []byte) error
	Identity func(records ...identity.Record) error
	// Holds says all that holds at the start: what held before and is not among it ends.
	Holds func(records ...identity.Record) error
}

// Part records one kind of thing.
type Part struct {
	Name string // a word, such as "packets"
	// Open attaches what the part needs. An error says why it cannot, which is no reason for
	// the others to stop.
	Open func(ctx context.Context, s Sinks) (Running, error)
}

// Running is a part at work.
type Running interface {
	// Run records until ctx ends, and then releases all that Open took and returns nil.
	Run(ctx context.Context) error
	// Report may be called by any goroutine while Run runs.
	Report() Report
}

// Report is what a part says of itself.
type Report struct {
	Missing []string         // what it cannot do, and why, each a clause
	Idle    string           // why there is nothing that it could record now; empty: there is
	Details any              // for the status, in JSON; nil: nothing
	Metrics []metrics.Family // named shark_recorder_...
}

// PartStatus is how a part does.
type PartStatus struct {
	Name     string    `json:"name"`
	Running  bool      `json:"running"`
	Since    time.Time `json:"since"`              // that it runs, or does not
	Reason   string    `json:"reason,omitempty"`   // why it does not run
	Restarts int       `json:"restarts,omitempty"` // after it had run
	Idle     string    `json:"idle,omitempty"`     // why there is nothing that it could record now
	Missing  []string  `json:"missing,omitempty"`
	Details  any       `json:"details,omitempty"`
}

// How long a part that does not run waits until it is tried again.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// supervised is a part that is kept running.
type supervised struct {
	Part
	sinks func() Sinks // for the next time that it is opened
	log   *slog.Logger
	now   func() time.Time
	retry time.Duration // the first

	mu      sync.Mutex
	running Running // nil when it is not
	status  PartStatus
}

// open tries to begin.
func (p *supervised) open(ctx context.Context) error {
	r, err := p.Open(ctx, p.sinks())
	if err != nil {
		p.stopped(err)
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = r
	p.status.Running, p.status.Reason, p.status.Since = true, "", p.now()
	return nil
}

// stopped takes down why the part does not run, and says so unless that is known.
func (p *supervised) stopped(err error) {
	p.mu.Lock()
	ran, known := p.running != nil, p.status.Reason
	p.running = nil
	p.status.Running, p.status.Reason, p.status.Since = false, err.Error(), p.now()
	if ran {
		p.status.Restarts++
	}
	p.mu.Unlock()
	if err.Error() != known {
		p.log.Warn("not recording "+p.Name, "reason", err)
	}
}

// Supervised are parts that are kept running.
type Supervised struct{ parts []*supervised }

// ErrNothing says that no part of a recorder works.
var ErrNothing = errors.New("nothing can be recorded")

// Supervise opens parts. One that works is enough. The caller calls Run.
func Supervise(ctx context.Context, list []Part, s Sinks, log *slog.Logger, retry time.Duration) (*Supervised, error) {
	all := new(Supervised)
	packets, plaintext := newNumbered(s.Packets, maxInterfaces), newNumbered(s.Plaintext, maxInterfaces)
	sinks := func() Sinks {
		s := s
		s.Packets, s.Plaintext = packets.begin(), plaintext.begin()
		return s
	}
	var failures []error
	for _, part := range list {
		p := &supervised{Part: part, sinks: sinks, log: log, now: time.Now, retry: retry, status: PartStatus{Name: part.Name}}
		if err := p.open(ctx); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", part.Name, err))
		}
		all.parts = append(all.parts, p)
	}
	if len(failures) == len(list) {
		return nil, fmt.Errorf("%w: %w", ErrNothing, errors.Join(failures...))
	}
	return all, nil
}

// Run keeps the parts running until ctx ends.
func (s *Supervised) Run(ctx context.Context) {
	var work sync.WaitGroup
	for _, p := range s.parts {
		work.Go(func() { p.run(ctx) })
	}
	work.Wait()
}

// Status returns how the parts do.
func (s *Supervised) Status() (all []PartStatus) {
	for _, p := range s.parts {
		status, _ := p.report()
		all = append(all, status)
	}
	return all
}

var errEnded = errors.New("it ended by itself")

// run keeps the part running until ctx ends. It may run already.
func (p *supervised) run(ctx context.Context) {
	wait := p.retry
	for {
		p.mu.Lock()
		r := p.running
		p.mu.Unlock()
		if r != nil {
			p.log.Info("recording " + p.Name)
			began := p.now()
			err := r.Run(ctx)
			if ctx.Err() != nil {
				if err != nil && !errors.Is(err, context.Canceled) {
					p.log.Warn("ending "+p.Name, "error", err)
				}
				return
			}
			if err == nil {
				err = errEnded
			}
			p.stopped(fmt.Errorf("%s: %w", p.Name, err))
			if p.now().Sub(began) > lastRetry {
				wait = p.retry
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRetry)
		_ = p.open(ctx) // it is in the status
	}
}

// report returns how the part does, with its metrics.
func (p *supervised) report() (PartStatus, []metrics.Family) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	if p.running == nil {
		return s, nil
	}
	r := p.running.Report()
	s.Missing, s.Idle, s.Details = r.Missing, r.Idle, r.Details
	return s, r.Metrics
}
