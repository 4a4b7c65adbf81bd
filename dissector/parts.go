package dissector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"shark/packet"
)

// Selector is a source that gives other packets besides those that are asked for.
type Selector interface {
	// Wants tells whether a packet is asked for. Either all packets of a conversation are, or
	// none. It is called for what fragments are put together to, not for them.
	Wants(p *packet.Packet) bool
}

// RunParts dissects an input that is partitioned already: all packets between two
// addresses, and all fragments, are in one part, in their order. open is asked for each of
// up to Partitions parts once, by one worker at a time; nil has no packets. Each worker
// reads a part to its end before it takes the next, so that no more connections are kept
// than those of one part for each. Of a part that is a Selector it dissects what that wants; the
// report counts all packets that were read. Else it is like Run. The report is the same for any
// number of workers, and so is what of Memory a part has: of few parts each has more.
func RunParts(ctx context.Context, parts int, open func(ctx context.Context, part int) (packet.Source, error), opts Options, sink func(worker int) Sink) (*Report, error) {
	if parts > Partitions {
		return nil, fmt.Errorf("%d parts are more than %d", parts, Partitions)
	}
	if opts.Memory <= 0 {
		opts.Memory = DefaultMemory
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &partsRun{opts: &opts, known: newRegistry(opts.Protocols), open: open, reports: make([]Report, parts)}
	var wg sync.WaitGroup
	for w := range min(max(opts.Workers, 1), parts) {
		s := sink(w)
		wg.Go(func() {
			for part := int(r.next.Add(1)) - 1; part < parts && ctx.Err() == nil; part = int(r.next.Add(1)) - 1 {
				if err := r.part(ctx, part, s); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	report := new(Report)
	for i := range r.reports {
		report.Add(&r.reports[i])
	}
	return report, context.Cause(ctx)
}

// partsRun is a run over parts under way.
type partsRun struct {
	opts    *Options
	known   *registry
	open    func(context.Context, int) (packet.Source, error)
	next    atomic.Int64 // part
	reports []Report     // of each part

	mu             sync.Mutex // of what follows, and of Progress
	packets, bytes int64
}

// part opens and dissects one part.
func (r *partsRun) part(ctx context.Context, number int, s Sink) error {
	src, err := r.open(ctx, number)
	if err != nil || src == nil {
		return err
	}
	opts := *r.opts
	if opts.Done != nil {
		opts.Secrets = opts.Secrets.View()
	}
	err = errors.Join(r.dissect(ctx, newPartition(&opts, r.known, number), src, s), src.Close())
	if err == nil && opts.Done != nil {
		err = opts.Done(number, &r.reports[number], opts.Secrets)
	}
	return err
}

// dissect dissects the packets of a part.
func (r *partsRun) dissect(ctx context.Context, p *partition, src packet.Source, s Sink) error {
	p.sink = s
	report := &p.report
	defer func() { r.reports[p.number] = *report }()
	u := unit{wants: func(*packet.Packet) bool { return true }}
	if some, ok := src.(Selector); ok {
		u.wants = some.Wants
	}
	dec := packet.NewDecoder()
	for {
		packets, bytes := report.Packets, report.Bytes
		end := u.read(src, dec, report)
		if errors.Is(end, io.EOF) {
			dec.Flush(u.add)
		}
		p.packets(u.lists[0])
		r.progress(report.Packets-packets, report.Bytes-bytes)
		switch {
		case p.err != nil:
			return p.err
		case errors.Is(end, io.EOF):
			stats := dec.Stats()
			report.Fragments = int64(stats.Evicted)
			p.finish()
			return p.err
		case end != nil:
			return fmt.Errorf("reading packets: %w", end)
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

func (r *partsRun) progress(packets, bytes int64) {
	if r.opts.Progress == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets, r.bytes = r.packets+packets, r.bytes+bytes
	r.opts.Progress(r.packets, r.bytes)
}
