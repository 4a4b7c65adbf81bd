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

// Options say how to dissect.
type Options struct {
	Protocols []*Protocol
	Workers   int   // goroutines that dissect, 1 to Partitions; 0 means 1
	Memory    int64 // bytes that all connections together may keep; 0 means DefaultMemory
	Detail    bool  // messages keep their bytes and bodies, up to MaxDetail each
	Tap       Tap   // listens to the bytes in order; wants Workers 1
	// Progress is called now and then by the goroutine that reads, with the
	// packets and captured bytes read so far.
	Progress func(packets, bytes int64)
}

// Report is the account of a run: what was read and what of it could not be used.
type Report struct {
	Packets, Bytes int64 // read: captured records and their captured bytes
	WireBytes      int64
	Cut            int64 // packets that the capture cut short
	First, Last    int64 // earliest and latest time, ns; 0 without packets
	Other          int64 // packets without IP inside
	NoTransport    int64 // IP packets of other transports
	Malformed      int64
	Fragments      int64 // records held for their datagram that never was complete
	Connections    int64
	Unknown        int64 // connections with payload whose protocol is not known
	Entries        int64
	ParseErrors    int64
	Evicted        int64 // connections and exchanges cut short by a memory limit
	Missing        int64 // bytes of streams that were never captured
	Skipped        int64 // bytes of known protocols that made no sense to their parser
}

func (r *Report) add(o *Report) {
	r.Connections += o.Connections
	r.Unknown += o.Unknown
	r.Entries += o.Entries
	r.ParseErrors += o.ParseErrors
	r.Evicted += o.Evicted
	r.Missing += o.Missing
	r.Skipped += o.Skipped
}

// unit is a batch on its way through the workers.
type unit struct {
	batch   packet.Batch
	packets []packet.Packet
	lists   [Partitions][]uint32 // the packets of each partition
	left    atomic.Int32
}

// Run dissects all packets of src. sink is asked once for the Sink of each
// worker, 0 to Workers-1. It returns the report as far as it came, and the first
// error: of src, of a sink or of ctx.
func Run(ctx context.Context, src packet.Source, opts Options, sink func(worker int) Sink) (*Report, error) {
	opts.Workers = min(max(opts.Workers, 1), Partitions)
	if opts.Memory <= 0 {
		opts.Memory = DefaultMemory
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	free := make(chan *unit, opts.Workers+2)
	for range cap(free) {
		free <- new(unit)
	}
	queues := make([]chan *unit, opts.Workers)
	parts := make([]*partition, Partitions)
	var wg sync.WaitGroup
	for w := range queues {
		queues[w] = make(chan *unit, cap(free))
		s := sink(w)
		for i := w; i < Partitions; i += opts.Workers {
			parts[i] = newPartition(&opts, s, i)
		}
		wg.Go(func() { work(w, queues[w], free, parts, opts.Workers, cancel) })
	}
	report := new(Report)
	err := read(ctx, src, &opts, report, free, queues)
	for _, q := range queues {
		close(q)
	}
	wg.Wait()
	for _, p := range parts {
		report.add(&p.report)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return report, err
}

// work is one worker: it owns the partitions w, w+workers, and so on. Of each batch
// it takes one partition after the other, so that what a partition keeps is at hand
// for all of its packets.
func work(w int, in <-chan *unit, free chan<- *unit, parts []*partition, workers int, cancel context.CancelCauseFunc) {
	for u := range in {
		for n := w; n < Partitions; n += workers {
			p := parts[n]
			for _, i := range u.lists[n] {
				p.packet(&u.packets[i])
			}
			if p.err != nil {
				cancel(p.err)
				p.err = nil
			}
		}
		if u.left.Add(-1) == 0 {
			free <- u
		}
	}
	for i := w; i < Partitions; i += workers {
		parts[i].finish()
		if parts[i].err != nil {
			cancel(parts[i].err)
		}
	}
}

// read reads and decodes batches and hands them to the workers.
func read(ctx context.Context, src packet.Source, opts *Options, r *Report, free <-chan *unit, queues []chan *unit) error {
	dec := packet.NewDecoder()
	for {
		var u *unit
		select {
		case u = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := src.ReadBatch(&u.batch)
		u.decode(dec, r)
		if errors.Is(err, io.EOF) {
			dec.Flush(u.add)
		}
		u.left.Store(int32(len(queues)))
		for _, q := range queues {
			q <- u
		}
		if opts.Progress != nil {
			opts.Progress(r.Packets, r.Bytes)
		}
		if errors.Is(err, io.EOF) {
			stats := dec.Stats()
			r.Fragments = int64(stats.Evicted)
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading packets: %w", err)
		}
	}
}

// decode decodes the batch and sorts its packets by partition.
func (u *unit) decode(dec *packet.Decoder, r *Report) {
	n := len(u.batch.Records)
	if cap(u.packets) < n {
		u.packets = make([]packet.Packet, n)
	}
	u.packets = u.packets[:n]
	for i := range u.lists {
		u.lists[i] = u.lists[i][:0]
	}
	for i := range u.batch.Records {
		rec, p := &u.batch.Records[i], &u.packets[i]
		dec.Decode(rec, p)
		r.count(rec, p)
		if p.Kind == packet.Transport {
			u.assign(i)
		}
	}
}

// assign gives packet i to its partition.
func (u *unit) assign(i int) {
	part := u.packets[i].Partition() % Partitions
	u.lists[part] = append(u.lists[part], uint32(i))
}

// add appends a packet that stands for fragments whose datagram never was whole.
func (u *unit) add(p *packet.Packet) {
	if p.Kind != packet.Transport {
		return
	}
	u.packets = append(u.packets, *p)
	u.assign(len(u.packets) - 1)
}

// count takes one packet into the account.
func (r *Report) count(rec *packet.Record, p *packet.Packet) {
	if r.Packets == 0 || rec.Time < r.First {
		r.First = rec.Time
	}
	if r.Packets == 0 || rec.Time > r.Last {
		r.Last = rec.Time
	}
	r.Packets++
	r.Bytes += int64(len(rec.Data))
	r.WireBytes += int64(rec.OrigLen)
	if int(rec.OrigLen) > len(rec.Data) {
		r.Cut++
	}
	switch p.Kind {
	case packet.Other:
		r.Other++
	case packet.IPOnly:
		r.NoTransport++
	case packet.Malformed:
		r.Malformed++
	}
}
