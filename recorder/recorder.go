package recorder

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"shark/recorder/freeze"
	"shark/recorder/ring"
	"shark/snapshot"
)

// plaintextFolder is where the ring of plaintext is, in that of packets.
const plaintextFolder = freeze.Plaintext

// flushTime is how long a window waits at most for what was recorded last to be on disk.
const flushTime = 2 * time.Second

// Options say what a recorder keeps, and of which parts it is.
type Options struct {
	Dir  string // of the rings
	Ring ring.Options
	// PlaintextBytes is how many the ring of plaintext may have; 0: a quarter of Ring.Bytes.
	PlaintextBytes int64
	Parts          []Part
	Version        string       // of the program
	Capabilities   []string     // that the process has, for the status; more than it needs where it could not give them up
	Log            *slog.Logger // nil: nothing is said
	// Retry is how long a part that does not run waits until it is tried again for the first
	// time; 0: a second.
	Retry time.Duration
}

// Recorder is a node's recorder.
type Recorder struct {
	o         Options
	log       *slog.Logger
	began     time.Time
	packets   *ring.Writer
	plaintext *ring.Writer
	recording snapshot.Recording
	clock     *clock
	parts     *Supervised
}

// Open opens the rings and the parts. The caller calls Run once, or Close.
func Open(ctx context.Context, o Options) (*Recorder, error) {
	r := &Recorder{o: o, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), began: time.Now()}
	r.clock = newClock(r.log)
	if err := r.openRings(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	var err error
	if r.parts, err = Supervise(ctx, o.Parts, r.sinks(), r.log, cmp.Or(o.Retry, firstRetry)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Recorder) openRings() error {
	var err error
	if r.packets, err = ring.Create(r.o.Dir, r.o.Ring); err != nil {
		return err
	}
	o := r.o.Ring
	o.Bytes = cmp.Or(r.o.PlaintextBytes, o.Bytes/4)
	o.PinBytes, o.SegmentBytes, o.BufferBytes = 0, 0, o.BufferBytes/4
	if r.plaintext, err = ring.Create(filepath.Join(r.o.Dir, plaintextFolder), o); err != nil {
		return err
	}
	list, err := freeze.Rings(r.o.Dir)
	if err != nil {
		return err
	}
	r.recording = &live{list[0], r}
	return nil
}

// live is what was recorded up to now: what waits in memory is written before a window is pinned.
type live struct {
	snapshot.Recording
	r *Recorder
}

// Pin implements snapshot.Recording.
func (l *live) Pin(from, to time.Time) (snapshot.Pinned, error) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	for _, w := range []*ring.Writer{l.r.packets, l.r.plaintext} {
		_ = w.Flush(ctx) // a disk that takes nothing is in the status; what there is can be had
	}
	return l.Recording.Pin(from, to)
}

func (r *Recorder) sinks() Sinks {
	return Sinks{Packets: r.packets, Plaintext: r.plaintext, Secrets: r.packets.Secrets, Identity: r.packets.Identity, Holds: r.packets.Holds}
}

// Run records until ctx ends. Then the parts end, and what they gave is on disk and sealed
// when it returns. Its error is the disk's.
func (r *Recorder) Run(ctx context.Context) error {
	var parts, watch sync.WaitGroup
	parts.Go(func() { r.parts.Run(ctx) })
	watch.Go(func() { r.clock.run(ctx) })
	watch.Go(func() { r.watch(ctx) })
	parts.Wait()
	watch.Wait()
	r.log.Info("sealing the rings")
	return r.Close()
}

// Close seals the rings.
func (r *Recorder) Close() error {
	var errs []error
	for _, w := range []*ring.Writer{r.packets, r.plaintext} {
		if w != nil {
			errs = append(errs, w.Close())
		}
	}
	return errors.Join(errs...)
}

// Recording returns what was recorded, of which windows can be pinned at any time.
func (r *Recorder) Recording() snapshot.Recording { return r.recording }

// How often the log says that packets are lost, and how all goes.
const (
	watchTime   = 10 * time.Second
	summaryTime = 10 * time.Minute
)

// watch says in the log what an operator has to know: that packets are lost, that the disk
// takes nothing, and now and then how all goes.
func (r *Recorder) watch(ctx context.Context) {
	tick, summary := time.NewTicker(watchTime), time.NewTicker(summaryTime)
	defer tick.Stop()
	defer summary.Stop()
	var before [2]RingStatus
	for {
		select {
		case <-ctx.Done():
			return
		case <-summary.C:
			for _, s := range r.rings() {
				r.log.Info("ring", "name", s.Name, "oldest", s.Oldest, "bytes", s.Bytes, "packets", s.Recorded, "dropped", s.Dropped.sum())
			}
		case <-tick.C:
			now := r.rings()
			for i := range now {
				r.changed(&before[i], &now[i])
			}
			before = now
		}
	}
}

// changed says in the log what became worse.
func (r *Recorder) changed(was, is *RingStatus) {
	if is.Dropped.sum() > was.Dropped.sum() {
		r.log.Warn("packets were dropped", "ring", is.Name, "before_the_ring", is.Dropped.Before-was.Dropped.Before,
			"no_memory", is.Dropped.Memory-was.Dropped.Memory, "not_written", is.Dropped.Disk-was.Dropped.Disk)
	}
	if is.Error != "" && is.Error != was.Error {
		r.log.Error("the disk does not take what is recorded", "ring", is.Name, "error", is.Error)
	}
	if is.SecretsFrom.After(was.SecretsFrom) && was.SecretsFrom.IsZero() {
		r.log.Warn("TLS secrets go before their packets: there is no room for all", "from", is.SecretsFrom)
	}
}
