package workbench

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"shark/dissector"
	"shark/dissector/field"
	"shark/kfl"
	"shark/packet"
	"shark/snapshot/block"
	"shark/snapshot/identity"
)

// need is which packets an answer needs besides those of the entries it finds.
type need uint8

const (
	needCalls   need = iota // none
	needPackets             // those of their connections
)

// wanted returns the excerpt that has all that a query can select, in the shape of what is
// asked for; nil when the whole has to be dissected.
func (e *Evidence) wanted(ctx context.Context, plan *kfl.Plan, q Query, need need) (*excerpt, error) {
	total := e.snapshot.PacketBytes()
	if e.w.partial == PartialNever || e.w.partial == PartialAuto && total <= smallSnapshot || plan.Needs(elsewhere) {
		return nil, nil
	}
	proof := plan.Prove(sideOf)
	x := new(excerpt)
	if err := e.byEnds(ctx, x, proof.Ends); err != nil {
		return nil, err
	}
	most := int64(maxShare * float64(total))
	if e.w.partial == PartialAlways {
		most = math.MaxInt64
	}
	blocks, err := e.snapshot.Blocks(ctx, x.selection())
	if err != nil {
		return nil, err
	}
	if x.Bytes = packedSize(blocks); len(x.sets) > 0 && x.Bytes <= min(most, maxExcerpt) {
		return x, nil
	}
	if need != needCalls || !ofCalls(&proof) || plan.Needs(counted) {
		return nil, nil
	}
	if ok, err := e.inTime(x, q, &proof); !ok || err != nil {
		return nil, err
	}
	if e.around(x, blocks); x.Bytes > most {
		return nil, nil
	}
	return x, nil
}

// packedSize is the size of blocks as they are kept.
func packedSize(blocks []block.Block) (n int64) {
	for i := range blocks {
		n += int64(blocks[i].Packed)
	}
	return n
}

// byEnds finds the addresses that may fulfil the conditions on an entry's ends.
func (e *Evidence) byEnds(ctx context.Context, x *excerpt, ends []kfl.End) error {
	if len(ends) == 0 {
		return nil
	}
	all, named, err := e.snapshot.Addrs(ctx)
	if err != nil || !named {
		return err
	}
	if err := e.know(ctx); err != nil {
		return err
	}
	var sets []map[packet.Addr]bool
	for i := range ends {
		set := make(map[packet.Addr]bool)
		for a := range all {
			if e.may(&ends[i], a) {
				set[a] = true
			}
		}
		if len(set) <= maxAddrs && len(set) < len(all) {
			sets = append(sets, set)
		}
	}
	x.by(sets)
	return ctx.Err()
}

// may tells whether an address ever had an owner with whom it may fulfil a condition.
func (e *Evidence) may(end *kfl.End, a packet.Addr) bool {
	owners := []identity.Owner{{}}
	if first, last, ok := e.stated(); ok && e.identity != nil {
		owners = e.identity.Owners(a, nanos(first), nanos(last))
	}
	return slices.ContainsFunc(owners, func(o identity.Owner) bool { return end.May(owned{a.String(), &o}) })
}

// owned is an address with its owner as a row of both sides.
type owned struct {
	addr  string
	owner *identity.Owner
}

// ownedFields are the fields of a side that its address and the owner of that decide, as the
// index has them.
var ownedFields = map[string]func(owned) any{
	"ip": func(x owned) any { return x.addr },
	"namespace": func(x owned) any {
		if x.owner.PodNamespace != "" {
			return x.owner.PodNamespace
		}
		return x.owner.ServiceNamespace
	},
	"pod.name": func(x owned) any {
		if x.owner.Pod != "" {
			return x.owner.Pod
		}
		return x.owner.Service
	},
	"pod.namespace": func(x owned) any {
		if x.owner.Pod != "" {
			return x.owner.PodNamespace
		}
		return x.owner.ServiceNamespace
	},
	"service.name":      func(x owned) any { return x.owner.Service },
	"service.namespace": func(x owned) any { return x.owner.ServiceNamespace },
	"workload.kind":     func(x owned) any { return x.owner.WorkloadKind },
	"workload.name":     func(x owned) any { return x.owner.Workload },
	"labels":            func(x owned) any { return x.owner.Labels },
	"annotations":       func(x owned) any { return x.owner.Annotations },
	"node_name":         func(x owned) any { return x.owner.Node },
	"process_name":      func(x owned) any { return x.owner.Process },
}

// Value implements kfl.Row.
func (x owned) Value(f *field.Field) any {
	_, name := sided(f)
	if get := ownedFields[name]; get != nil {
		return get(x)
	}
	return nil
}

// sided parts the name of a field into its side and what it is of that.
func sided(f *field.Field) (kfl.Side, string) {
	for prefix, side := range map[string]kfl.Side{"src.": kfl.SrcSide, "local_": kfl.SrcSide, "dst.": kfl.DstSide, "remote_": kfl.DstSide} {
		if name, ok := strings.CutPrefix(f.Name, prefix); ok {
			return side, name
		}
	}
	return kfl.NoSide, ""
}

// sideOf tells of which side a field is, if nothing else decides its value.
func sideOf(f *field.Field) kfl.Side {
	side, name := sided(f)
	if ownedFields[name] == nil {
		return kfl.NoSide
	}
	return side
}

// elsewhere tells whether the value of a field of an entry may depend on the packets of
// other conversations.
func elsewhere(f *field.Field) bool {
	switch f.Name {
	case "id", "src.name", "dst.name", "src.dns", "dst.dns", "dns_resolutions":
		return true
	}
	return false
}

// counted tells whether the value of a field depends on all packets of its conversation, or
// of its flow.
func counted(f *field.Field) bool {
	switch f.Name {
	case "conn_id", "stream", "flow_id", "conn_group_id", "flow_group_id", "index":
		return true
	}
	return false
}

// ofCalls tells whether all that is selected is calls and messages: neither connections nor
// flows.
func ofCalls(p *kfl.Proof) bool {
	conn, flow := dissector.ConnProtocol.Name, dissector.FlowProtocol.Name
	if slices.Contains(p.Unset, conn) && slices.Contains(p.Unset, flow) {
		return true
	}
	return slices.ContainsFunc(p.Flags, func(list []string) bool { return !slices.Contains(list, conn) && !slices.Contains(list, flow) })
}

// inTime sets the time that is asked about, of which one end at least has to be said.
func (e *Evidence) inTime(x *excerpt, q Query, proof *kfl.Proof) (ok bool, err error) {
	first, last, ok := e.stated()
	if !ok {
		return false, nil
	}
	from, to, err := e.window(q.From, q.To, first, last)
	if err != nil {
		return false, err
	}
	x.From, x.To = max(nanos(first), proof.From), nanos(last)+1
	if proof.To < nanos(last) {
		x.To = proof.To + 1
	}
	if !from.IsZero() {
		x.From = max(x.From, nanos(from))
	}
	if !to.IsZero() {
		x.To = min(x.To, nanos(to))
	}
	return x.From < x.To && (x.From > nanos(first) || x.To <= nanos(last)), nil
}

// around sets from when to when packets are read for a time, and how many bytes that is:
// all that begins in it, as much again before it, and a little after.
func (e *Evidence) around(x *excerpt, blocks []block.Block) {
	first, last, _ := e.stated()
	x.ReadFrom, x.ReadTo = nanos(first), nanos(last)
	if x.To < nanos(last)-int64(e.w.margins.after) {
		x.ReadTo = x.To + int64(e.w.margins.after)
	}
	var inside int64
	var before []*block.Block
	for i := range blocks {
		switch b := &blocks[i]; {
		case b.First > x.ReadTo:
		case b.Last >= x.From:
			inside += int64(b.Packed)
		default:
			before = append(before, b)
		}
	}
	slices.SortFunc(before, func(a, b *block.Block) int { return cmp.Compare(b.Last, a.Last) })
	x.Bytes = inside
	for _, b := range before {
		if x.Bytes+int64(b.Packed) > inside+max(inside, e.w.margins.before) {
			x.ReadFrom = b.Last + 1
			return
		}
		x.Bytes += int64(b.Packed)
	}
}

var _ kfl.Row = owned{}
