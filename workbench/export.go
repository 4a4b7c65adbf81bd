package workbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"

	"shark/dissector/field"
	"shark/packet"
	"shark/packet/filter"
	"shark/packet/pcapng"
)

// Export asks for packets. A packet must satisfy all that is set.
type Export struct {
	KFL      string // packets of the connections that have a matching entry
	BPF      string // pcap-filter(7) expression
	Node     string // that captured it
	Workload string // name of a pod, service or workload, or namespace/name, at either end at its time
	IP       string // address or CIDR block at either end, outside or inside a tunnel
	From, To When
	Format   pcapng.Format
}

// Exported is what Export wrote.
type Exported struct {
	Packets    int64
	Bytes      int64 // of the file
	Conns      int   // connections that KFL selected; 0 without KFL
	OutOfOrder int64 // packets that are earlier than one before them
	Coverage   Coverage
}

// Export writes the packets that are asked for to out, in order of time.
func (e *Evidence) Export(ctx context.Context, q Export, out io.Writer) (*Exported, error) {
	x := &exporter{e: e, result: new(Exported)}
	if err := x.prepare(ctx, q); err != nil {
		return nil, err
	}
	src, err := e.packets()
	if err != nil {
		return nil, err
	}
	defer src.Close()
	w, err := pcapng.NewWriter(out, pcapng.Options{Format: q.Format, Nanosecond: true, Application: "shark " + e.w.cfg.Version})
	if err != nil {
		return nil, err
	}
	if err := x.copy(ctx, src, w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("writing packets: %w", err)
	}
	x.result.Bytes, x.result.OutOfOrder = w.Size(), x.order.late
	return x.result, nil
}

// exporter selects packets.
type exporter struct {
	e        *Evidence
	numbers  []uint64 // of the packets that KFL selects, those still to come
	byNumber bool
	bpf      *filter.Filter
	checked  int // interfaces whose link type is known to suit bpf
	from, to int64
	node     string
	ends     *ends
	dec      *packet.Decoder
	order    reorder
	result   *Exported
}

// prepare checks the question before anything is read.
func (x *exporter) prepare(ctx context.Context, q Export) error {
	var err error
	if q.BPF != "" {
		if x.bpf, err = filter.Compile(q.BPF); err != nil {
			return fmt.Errorf("%w: packet filter: %w", ErrUsage, err)
		}
	}
	if x.ends, err = x.e.newEnds(q.Workload, q.IP); err != nil {
		return err
	}
	if q.Node != "" && !slices.ContainsFunc(x.e.inputs, func(in input) bool { return in.node == q.Node }) {
		return usage("no packets of a node %q; there are those of %s", q.Node, x.e.nodeNames())
	}
	x.node = q.Node
	if err := x.setWindow(ctx, q); err != nil {
		return err
	}
	x.dec = packet.NewDecoder()
	if q.KFL == "" {
		return nil
	}
	x.byNumber = true
	db, plan, err := x.e.plan(ctx, q.KFL)
	if err != nil {
		return err
	}
	x.result.Coverage = x.e.coverage()
	conns := make(map[uint64]bool)
	opts, err := x.e.options(Query{})
	if err != nil {
		return err
	}
	for row, err := range db.Query(ctx, plan, opts) {
		if err != nil {
			return err
		}
		conns[uint64(row.Value(field.ConnID.Field).(int64))] = true
	}
	x.result.Conns = len(conns)
	ids := make([]uint64, 0, len(conns))
	for id := range conns {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	x.numbers, err = db.Packets(ctx, ids...)
	return err
}

// setWindow makes times of the window that is asked for.
func (x *exporter) setWindow(ctx context.Context, q Export) error {
	x.from, x.to = math.MinInt64, math.MaxInt64
	if q.From.IsZero() && q.To.IsZero() {
		return nil
	}
	first, last, err := x.e.recorded(ctx)
	if err != nil {
		return err
	}
	from, to, err := x.e.window(q.From, q.To, first, last)
	if err != nil {
		return err
	}
	if !from.IsZero() {
		x.from = from.UnixNano()
	}
	if !to.IsZero() {
		x.to = to.UnixNano()
	}
	return nil
}

// copy writes the selected packets of src.
func (x *exporter) copy(ctx context.Context, src *pcapng.Merged, w *pcapng.Writer) error {
	for _, s := range src.Secrets() {
		if err := w.WriteSecrets(s); err != nil && !errors.Is(err, pcapng.ErrFormat) {
			return err
		}
	}
	progress := Progress{Task: "exporting", Total: x.e.size()}
	write := func(r *packet.Record) error {
		x.result.Packets++
		if err := w.Write(r, src.Interfaces()); err != nil {
			return fmt.Errorf("writing packets: %w", err)
		}
		return nil
	}
	var b packet.Batch
	for {
		err := src.ReadBatch(&b)
		var nodes []string
		if x.node != "" {
			nodes = x.e.nodes(src)
		}
		if err := x.check(src.Interfaces()); err != nil {
			return err
		}
		for i := range b.Records {
			r := &b.Records[i]
			progress.Packets++
			progress.Bytes += int64(len(r.Data))
			if !x.selects(r, nodes) {
				continue
			}
			if err := x.order.add(r, write); err != nil {
				return err
			}
		}
		x.e.w.cfg.Progress(progress)
		switch {
		case errors.Is(err, io.EOF):
			progress.Done = true
			x.e.w.cfg.Progress(progress)
			x.damage(src.Damage())
			return x.order.flush(write)
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// check refuses a packet filter that cannot be answered on an interface's link
// type, which else would silently match nothing.
func (x *exporter) check(interfaces []packet.Interface) error {
	for ; x.bpf != nil && x.checked < len(interfaces); x.checked++ {
		if err := x.bpf.Check(interfaces[x.checked].Link); err != nil {
			return fmt.Errorf("%w: packet filter: %w", ErrUsage, err)
		}
	}
	return nil
}

// damage takes what could not be read into the coverage.
func (x *exporter) damage(list []packet.Damage) {
	c := &x.result.Coverage
	if len(c.Damage) > 0 {
		return
	}
	c.Damage = list
	for _, d := range list {
		c.note(damageText(d))
		c.Partial = true
	}
}

// selects tells whether a packet is asked for; the cheap conditions come first.
func (x *exporter) selects(r *packet.Record, nodes []string) bool {
	if x.byNumber {
		for len(x.numbers) > 0 && x.numbers[0] < r.Number {
			x.numbers = x.numbers[1:]
		}
		if len(x.numbers) == 0 || x.numbers[0] != r.Number {
			return false
		}
	}
	if r.Time < x.from || r.Time >= x.to {
		return false
	}
	if nodes != nil && nodes[r.Interface] != x.node {
		return false
	}
	if x.bpf != nil && !x.bpf.Match(r.Link, r.Data, r.OrigLen) {
		return false
	}
	return x.ends.match(x.dec, r)
}

// nodeNames lists the nodes for people.
func (e *Evidence) nodeNames() string {
	var out string
	for _, in := range e.inputs {
		if in.node == "" {
			return "capture files, which name no node"
		}
		if out != "" {
			out += ", "
		}
		out += in.node
	}
	return out
}

// ends is a condition on the two ends of a packet. Nil matches all.
type ends struct {
	e        *Evidence
	name     string
	space    string // namespace; empty: any
	prefix   netip.Prefix
	byPrefix bool
}

func (e *Evidence) newEnds(workload, ip string) (*ends, error) {
	if workload == "" && ip == "" {
		return nil, nil
	}
	x := &ends{e: e}
	if ip != "" {
		x.byPrefix = true
		addr, err := netip.ParseAddr(ip)
		if err == nil {
			x.prefix = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		} else if x.prefix, err = netip.ParsePrefix(ip); err != nil {
			return nil, usage("%q is neither an address nor a CIDR block", ip)
		}
	}
	if workload == "" {
		return x, nil
	}
	if e.identity == nil {
		return nil, usage("workload %q: there is no identity log that says which addresses it had; give one with --identity", workload)
	}
	x.name = workload
	if space, name, ok := cutNamespace(workload); ok {
		x.space, x.name = space, name
	}
	return x, nil
}

func (x *ends) match(dec *packet.Decoder, r *packet.Record) bool {
	if x == nil {
		return true
	}
	var p packet.Packet
	dec.Decode(r, &p)
	if p.Kind == packet.Other {
		return false
	}
	addrs := []packet.Addr{p.Src, p.Dst, p.Tunnel.Src, p.Tunnel.Dst}
	if p.Tunnel.Kind == packet.NoTunnel {
		addrs = addrs[:2]
	}
	return x.any(addrs, x.inPrefix, r.Time) && x.any(addrs, x.owned, r.Time)
}

func (x *ends) any(addrs []packet.Addr, f func(packet.Addr, int64) bool, t int64) bool {
	for _, a := range addrs {
		if f(a, t) {
			return true
		}
	}
	return false
}

func (x *ends) inPrefix(a packet.Addr, _ int64) bool {
	return !x.byPrefix || x.prefix.Contains(a.IP())
}

// owned tells whether the workload had the address at the time.
func (x *ends) owned(a packet.Addr, t int64) bool {
	if x.name == "" {
		return true
	}
	o := x.e.identity.Lookup(a, t)
	in := func(space, name string) bool {
		return name == x.name && (x.space == "" || x.space == space)
	}
	return in(o.PodNamespace, o.Pod) || in(o.PodNamespace, o.Workload) || in(o.ServiceNamespace, o.Service)
}
