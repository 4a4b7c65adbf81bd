package workbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"shark/packet"
	"shark/packet/filter"
	"shark/packet/pcapng"
	"shark/snapshot"
)

// Export asks for packets. A packet must satisfy all that is set.
type Export struct {
	KFL      string // packets of the connections that have a matching entry; of a flow, all its connections
	BPF      string // pcap-filter(7) expression
	Node     string // that captured it
	Workload string // name of a pod, service or workload, or namespace/name, at either end at its time
	IP       string // address or CIDR block at either end, outside or inside a tunnel
	From, To When   // packets captured in [From, To); zero: no limit
	Format   pcapng.Format
	Dedupe   bool // of a packet that several interfaces captured, the first sighting only
}

// Exported is what Export wrote.
type Exported struct {
	Packets    int64
	Bytes      int64 // of the file
	Conns      int   // connections that KFL selected; 0 without KFL
	OutOfOrder int64 // packets that are earlier than one before them
	Dropped    int64 // further sightings, with Dedupe
	Coverage   Coverage
}

// Export writes the packets that are asked for to out, in order of time. A pcapng
// file also keeps what the input says beside its packets: interfaces with their
// statistics, comments, address names and TLS session secrets.
func (e *Evidence) Export(ctx context.Context, q Export, out io.Writer) (*Exported, error) {
	x := &exporter{e: e, format: q.Format, result: new(Exported)}
	if err := x.prepare(ctx, q); err != nil {
		return nil, err
	}
	src, err := x.source(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { src.Close() }() // only read from
	if q.Dedupe {
		x.dedupe = e.newDedupe(src)
	}
	if err := x.copy(ctx, q, src, out); err != nil {
		return nil, err
	}
	return x.result, nil
}

// reorderBytes is how many bytes of packets are held back to put them in order of time.
const reorderBytes = 8 << 20

// exporter selects packets.
type exporter struct {
	e        *Evidence
	format   pcapng.Format
	index    *opened  // with KFL
	numbers  []uint64 // of the packets that KFL selects
	hints    []string
	bpf      *filter.Filter
	checked  int // interfaces whose link type is known to suit bpf
	from, to int64
	window   [2]time.Time // the same as it was asked for
	node     string
	ends     *ends
	dedupe   *dedupe // nil: all sightings
	extras   extras
	w        *pcapng.Writer // nil until there is something to write
	seen     Coverage       // of the packets read
	span     [2]int64       // first and last time of those
	last     int64          // latest time of a packet written
	result   *Exported
}

// prepare checks the question before anything is written.
func (x *exporter) prepare(ctx context.Context, q Export) error {
	var err error
	if !x.e.hasPackets() {
		return x.e.packetless()
	}
	if q.BPF != "" {
		if x.bpf, err = filter.Compile(q.BPF); err != nil {
			return usage("%w", err)
		}
	}
	if x.ends, err = x.e.newEnds(q.Workload, q.IP); err != nil {
		return err
	}
	if q.Node != "" && !slices.Contains(x.e.nodes(), q.Node) {
		return usage("no packets of a node %q; there are those of %s", q.Node, x.e.nodeNames())
	}
	x.node = q.Node
	if err := x.setWindow(ctx, q); err != nil || q.KFL == "" {
		return err
	}
	return x.ask(ctx, q)
}

// ask finds the packets of the connections that a query selects in the window.
func (x *exporter) ask(ctx context.Context, q Export) error {
	opened, plan, err := x.e.plan(ctx, q.KFL)
	if err != nil {
		return err
	}
	opts, err := x.e.options(opened, Query{From: q.From, To: q.To})
	if err != nil {
		return err
	}
	x.index = opened
	var u undecided
	opts.Undecided = u.add
	selected, flows := make(map[uint64]bool), make(map[int64]bool)
	for row, err := range opened.db.Query(ctx, plan, opts) {
		if err != nil {
			return err
		}
		if p := x.e.w.place(row); p.isFlow {
			flows[p.flow] = true
		} else {
			selected[p.conn] = true
		}
	}
	conns, err := x.e.connsOf(ctx, opened, flows)
	if err != nil {
		return err
	}
	for id := range selected {
		conns = append(conns, id)
	}
	slices.Sort(conns)
	conns = slices.Compact(conns)
	x.result.Conns, x.hints = len(conns), slices.Concat(plan.Hints, u.hints())
	x.numbers, err = opened.db.Packets(ctx, conns...)
	return err
}

// setWindow makes times of the window that is asked for.
func (x *exporter) setWindow(ctx context.Context, q Export) error {
	x.from, x.to = math.MinInt64, math.MaxInt64
	if q.From.IsZero() && q.To.IsZero() {
		return nil
	}
	var first, last time.Time
	if q.From.relative() || q.To.relative() { // else it is seen at the end whether it is outside
		var err error
		if first, last, err = x.e.recorded(ctx); err != nil {
			return err
		}
	}
	from, to, err := x.e.window(q.From, q.To, first, last)
	if err != nil {
		return err
	}
	x.window = [2]time.Time{from, to}
	if !from.IsZero() {
		x.from = nanos(from)
	}
	if !to.IsZero() {
		x.to = nanos(to)
	}
	return nil
}

// source opens the packets. Those that KFL selects can be gone to directly, unless
// the input holds something beside packets that is to be kept.
func (x *exporter) source(ctx context.Context) (*selection, error) {
	if x.index == nil {
		return x.e.everything(ctx, x.selection())
	}
	return x.e.selection(ctx, x.index, x.numbers, x.index.account.Extras)
}

// copy writes the selected packets of src.
func (x *exporter) copy(ctx context.Context, q Export, src *selection, out io.Writer) error {
	progress := Progress{Task: "exporting", Total: x.e.size()}
	var b packet.Batch
	for {
		end := src.ReadBatch(&b)
		if end != nil && !errors.Is(end, io.EOF) {
			return end
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		x.extras.read(src)
		interfaces := x.extras.describe()
		if err := x.check(interfaces); err != nil {
			return err
		}
		if err := x.write(b.Records, interfaces, out); err != nil {
			return err
		}
		progress.Packets, progress.Bytes = x.seen.Packets, x.seen.Bytes
		progress.Done = end != nil
		x.e.w.cfg.Progress(progress)
		if end != nil {
			break
		}
	}
	return x.finish(q, src, out)
}

// write counts packets and writes those that are asked for, and before them what was
// met beside packets.
func (x *exporter) write(recs []packet.Record, interfaces []packet.Interface, out io.Writer) error {
	if x.w != nil {
		if err := x.failed(x.extras.write(x.w, x.format)); err != nil {
			return err
		}
	}
	x.count(recs)
	all := x.node == "" && x.bpf == nil && x.ends == nil
	for i := range recs {
		r := &recs[i]
		if r.Time < x.from || r.Time >= x.to && x.to != math.MaxInt64 || !all && !x.selects(r) || x.dedupe.further(r) {
			continue
		}
		if x.w == nil {
			if err := x.begin(out); err != nil {
				return err
			}
		}
		x.result.Packets++
		if r.Interface = x.extras.use(r.Interface); r.Time > x.last || x.result.Packets == 1 {
			x.last = r.Time
		}
		if err := x.w.Write(r, interfaces); err != nil {
			return x.failed(err)
		}
	}
	return nil
}

// outside refuses a window that nothing was recorded in, once all is read. Nothing
// is written then.
func (x *exporter) outside(q Export) error {
	if x.index != nil || x.seen.Packets == 0 {
		return nil
	}
	_, _, err := x.e.window(q.From, q.To, time.Unix(0, x.span[0]).UTC(), time.Unix(0, x.span[1]).UTC())
	return err
}

// begin begins the file.
func (x *exporter) begin(out io.Writer) error {
	o := pcapng.Options{
		Format: x.format, Nanosecond: true, Window: reorderBytes, Reserve: true,
		Application: strings.TrimSpace("shark " + x.e.w.cfg.Version), Comments: x.extras.comments,
	}
	if len(x.extras.interfaces) > 0 {
		o.Link = x.extras.interfaces[0].Link
	}
	x.extras.written.comments = len(x.extras.comments)
	var err error
	if x.w, err = pcapng.NewWriter(out, o); err == nil {
		err = x.extras.write(x.w, x.format)
	}
	return x.failed(err)
}

// failed says what went wrong with writing.
func (x *exporter) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pcapng.ErrLinkType):
		return usage("the packets have several link types, and %w: write pcapng instead", err)
	}
	return fmt.Errorf("writing packets: %w", err)
}

// finish ends the file and gives account.
func (x *exporter) finish(q Export, src *selection, out io.Writer) error {
	if err := x.outside(q); err != nil {
		return err
	}
	if x.w == nil {
		if err := x.begin(out); err != nil {
			return err
		}
	}
	if err := x.failed(x.extras.finish(x.w, x.format, x.last)); err != nil {
		return err
	}
	if err := x.failed(x.w.Close()); err != nil {
		return err
	}
	x.result.Bytes, x.result.OutOfOrder = x.w.Size(), x.w.Late()
	if x.index != nil {
		x.result.Coverage = x.e.coverage(x.index)
		x.result.Coverage.recorded(x.hints, false)
	} else {
		c := x.e.readCoverage(src.src)
		c.Packets, c.Bytes = x.seen.Packets, x.seen.Bytes
		if c.Packets > 0 {
			c.From, c.To = time.Unix(0, x.span[0]).UTC(), time.Unix(0, x.span[1]).UTC()
		}
		x.result.Coverage = c
	}
	if x.dedupe != nil {
		x.result.Dropped = x.dedupe.dropped
		if x.index == nil {
			x.result.Coverage.sightings(x.dedupe.seen(x.e))
		}
	}
	x.result.Coverage = x.result.Coverage.within(x.window[0], x.window[1])
	x.result.Coverage.recorded(x.extras.notes(x.format), false)
	return nil
}

// count takes packets that were read into the account.
func (x *exporter) count(recs []packet.Record) {
	if len(recs) == 0 {
		return
	}
	if x.seen.Packets == 0 {
		x.span = [2]int64{recs[0].Time, recs[0].Time}
	}
	first, last, size := x.span[0], x.span[1], int64(0)
	for i := range recs {
		r := &recs[i]
		first, last = min(first, r.Time), max(last, r.Time)
		size += int64(len(r.Data))
	}
	x.span = [2]int64{first, last}
	x.seen.Packets += int64(len(recs))
	x.seen.Bytes += size
}

// check refuses a packet filter that cannot be answered on an interface's link
// type, which else would silently match nothing.
func (x *exporter) check(interfaces []packet.Interface) error {
	for ; x.bpf != nil && x.checked < len(interfaces); x.checked++ {
		if err := x.bpf.Check(interfaces[x.checked].Link); err != nil {
			return usage("%w", err)
		}
	}
	return nil
}

// selects tells whether a packet of the window is asked for; the cheap conditions
// come first.
func (x *exporter) selects(r *packet.Record) bool {
	if x.node != "" && x.extras.nodes[r.Interface] != x.node {
		return false
	}
	if x.bpf != nil && !x.bpf.Match(r.Link, r.Data, r.OrigLen) {
		return false
	}
	return x.ends.match(r)
}

// nodes lists the nodes that captured; none for capture files.
func (e *Evidence) nodes() (names []string) {
	if e.snapshot != nil {
		for _, n := range e.snapshot.Manifest.Nodes {
			names = append(names, n.Name)
		}
	}
	return names
}

// nodeNames lists the nodes for people.
func (e *Evidence) nodeNames() string {
	if e.snapshot == nil {
		return "capture files, which name no node"
	}
	return strings.Join(e.nodes(), ", ")
}

// selection is what of a snapshot has to be read.
func (x *exporter) selection() snapshot.Selection {
	s := whole
	s.Node = x.node
	if x.from != math.MinInt64 || x.to != math.MaxInt64 {
		s.From, s.To = max(x.from, 1), x.to
	}
	s.Addrs = x.ends.conditions()
	return s
}
