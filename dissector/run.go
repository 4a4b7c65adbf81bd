package dissector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"shark/packet"
	"shark/packet/keylog"
)

// Options say how to dissect.
type Options struct {
	Protocols []*Protocol
	Workers   int           // goroutines that dissect, 1 to Partitions; 0 means 1
	Memory    int64         // bytes that all connections together may keep; 0 means DefaultMemory
	Split     int           // of RunParts: how many parts have connections, which Memory is divided among; 0 means Partitions
	Detail    bool          // messages keep their bytes and bodies, up to MaxDetail each
	Secrets   *keylog.Table // of TLS sessions; nil: none
	Tap       Tap           // listens to the bytes in order; wants Workers 1
	TapClear  bool          // Tap hears what is said in TLS, as far as that can be read, and not the records
	// Progress is called now and then by the goroutine that reads, with the
	// packets and captured bytes read so far.
	Progress func(packets, bytes int64)
	// Done is called by RunParts for each part that was dissected to its end and closed, with
	// its account and the secrets as it asked for them, by the worker whose Sink has all of its
	// entries. Its error ends the run. Run has no parts.
	Done func(part int, r *Report, secrets *keylog.Table) error
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
	// TLS counts the connections with TLS by how they could be read, with the reason behind a
	// colon where they could not.
	TLS map[string]int64
}

// Add adds the account of another part of the work.
func (r *Report) Add(o *Report) {
	if o.Packets > 0 && (r.Packets == 0 || o.First < r.First) {
		r.First = o.First
	}
	if o.Packets > 0 && (r.Packets == 0 || o.Last > r.Last) {
		r.Last = o.Last
	}
	r.Packets += o.Packets
	r.Bytes += o.Bytes
	r.WireBytes += o.WireBytes
	r.Cut += o.Cut
	r.Other += o.Other
	r.NoTransport += o.NoTransport
	r.Malformed += o.Malformed
	r.Fragments += o.Fragments
	r.Connections += o.Connections
	r.Unknown += o.Unknown
	r.Entries += o.Entries
	r.ParseErrors += o.ParseErrors
	r.Evicted += o.Evicted
	r.Missing += o.Missing
	r.Skipped += o.Skipped
	for how, n := range o.TLS {
		if r.TLS == nil {
			r.TLS = make(map[string]int64)
		}
		r.TLS[how] += n
	}
}

// unit is some batches on their way through the workers. A partition's packets of a unit
// are dissected one after the other: the more there are, the less often what it keeps has
// to be fetched from memory. With 16 batches the mix takes a tenth less time than with
// one, with more no less.
type unit struct {
	batches [unitBatches]packet.Batch
	lists   [Partitions][]packet.Packet // of each partition, those with a transport
	wants   func(*packet.Packet) bool   // of the packets of one part, which are all in lists[0]; nil: they are of all
	decoded packet.Packet
	left    atomic.Int32 // lanes that are not done with it, and the reader
	plain   []bool       // the interfaces that have what was taken from TLS libraries
}

// run is a run under way.
type run struct {
	ctx    context.Context // when it ends, nothing more is dissected
	lanes  []*lane
	ready  chan *lane // that have units and no worker
	free   chan *unit
	open   atomic.Int32 // lanes that are not finished
	cancel context.CancelCauseFunc
}

// Run dissects all packets of src. sink is asked once for the Sink of each
// worker, 0 to Workers-1. It returns the report as far as it came, and the first
// error: of src, of a sink or of ctx.
func Run(ctx context.Context, src packet.Source, opts Options, sink func(worker int) Sink) (*Report, error) {
	opts.Workers = min(max(opts.Workers, 1), Partitions)
	if opts.Memory <= 0 {
		opts.Memory = DefaultMemory
	}
	opts.Split = Partitions
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	parts, known := make([]*partition, Partitions), newRegistry(opts.Protocols)
	for i := range parts {
		parts[i] = newPartition(&opts, known, i)
	}
	r := newRun(ctx, cancel, parts, opts.Workers)
	var wg sync.WaitGroup
	for w := range opts.Workers {
		s := sink(w)
		wg.Go(func() { r.work(s) })
	}
	report := new(Report)
	err := r.read(ctx, src, &opts, report)
	for _, l := range r.lanes {
		r.give(l, nil)
	}
	wg.Wait()
	for _, p := range parts {
		report.Add(&p.report)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return report, err
}

// read reads and decodes batches and gives them to the lanes.
func (r *run) read(ctx context.Context, src packet.Source, opts *Options, report *Report) error {
	dec := packet.NewDecoder()
	for {
		var u *unit
		select {
		case u = <-r.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := u.read(src, dec, report)
		if errors.Is(err, io.EOF) {
			dec.Flush(u.add)
		}
		r.spread(u)
		if opts.Progress != nil {
			opts.Progress(report.Packets, report.Bytes)
		}
		if errors.Is(err, io.EOF) {
			stats := dec.Stats()
			report.Fragments = int64(stats.Evicted)
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading packets: %w", err)
		}
	}
}

const (
	// unitBatches is how many batches a unit has at most.
	unitBatches = 16
	// bulk is how many bytes a packet has on average where bodies are passed over. There it
	// counts more that a batch is still in the cache: a fourth of the time.
	bulk = 900
	// minList is how many packets of a partition a unit may always have room for.
	minList = 64
)

// read fills the unit with packets and decodes them. It returns what the source did in the
// end, after the packets before it.
func (u *unit) read(src packet.Source, dec *packet.Decoder, r *Report) error {
	u.empty()
	for i := range u.batches {
		b := &u.batches[i]
		err := src.ReadBatch(b)
		u.notePlain(src.Interfaces())
		u.decode(b, dec, r)
		if err != nil || len(b.Buf) > bulk*len(b.Records) {
			return err
		}
	}
	return nil
}

// decode decodes a batch.
func (u *unit) decode(b *packet.Batch, dec *packet.Decoder, r *Report) {
	p := &u.decoded
	for i := range b.Records {
		rec := &b.Records[i]
		dec.Decode(rec, p)
		if int(rec.Interface) < len(u.plain) {
			p.Plaintext = u.plain[rec.Interface]
		}
		r.count(rec, p)
		u.add(p)
	}
}

// notePlain notes the interfaces by their names, of which there are none that matter as a rule.
func (u *unit) notePlain(all []packet.Interface) {
	for i := range all {
		if all[i].Name != packet.PlaintextInterface {
			continue
		}
		for len(u.plain) <= i {
			u.plain = append(u.plain, false)
		}
		u.plain[i] = true
	}
}

// add appends a packet to those of its partition: there it is read in the order in which it
// lies in memory.
func (u *unit) add(p *packet.Packet) {
	if p.Kind != packet.Transport {
		return
	}
	list := &u.lists[0]
	if u.wants == nil {
		list = &u.lists[p.Partition()%Partitions]
	} else if !u.wants(p) {
		return
	}
	*list = append(*list, *p)
}

// empty empties the lists. One that had room for many more is let go of: the next unit may
// have as many of another partition.
func (u *unit) empty() {
	for i, list := range u.lists {
		if cap(list) > minList+4*len(list) {
			list = nil
		}
		u.lists[i] = list[:0]
	}
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
