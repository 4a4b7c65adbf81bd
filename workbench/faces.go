package workbench

import (
	"errors"
	"math"
	"slices"

	"shark/packet"
)

// errLate says that an interface was described only behind packets, and does not fit what
// the file says already.
var errLate = errors.New("an interface of another kind comes late")

// uniform is what all interfaces of a portable file have in common. It is known before
// the first packet is written, or the file is begun again.
type uniform struct {
	ethernet bool // there are several link types: all packets become Ethernet
	open     bool // there are several snap lengths: none is stated
}

// leftOut stands for the place of an interface whose packets are not written.
const leftOut = math.MaxUint32

// faces says under which interface of the file the packets of the input's are written.
//
// In a portable file each node has one interface; so has each interface of capture files,
// which name no node. All have one link type and one snap length. In a rich one each that
// the input describes has one, and more are added for the pods. What TLS libraries sent and
// received keeps an interface of its own in both: it has the addresses and ports of the packets
// that carried it, and numbers of its own.
type faces struct {
	rich      bool
	uniform   uniform
	plaintext Plaintext // what of it is written

	in    []packet.Interface
	nodes []string           // of each of in
	plain []bool             // whether each of in is of what TLS libraries sent and received
	same  []uint32           // for each of in, the first that is the same
	of    []uint32           // for each of in, its place in out, or leftOut
	out   []packet.Interface // as they are written
	from  []uint32           // for each of out, the first of in
	known map[described]uint32

	settled bool
	link    packet.LinkType // of all, once settled
	snap    uint32
}

// described is what tells the interfaces of one file apart.
type described struct {
	file  uint32
	iface packet.Interface
}

// read takes over the interfaces that are known by now.
func (f *faces) read(src *selection) error {
	f.in = src.Interfaces()
	if len(f.in) == len(f.of) {
		return nil
	}
	origins := src.Origins()
	f.nodes = src.Nodes()
	if f.known == nil {
		f.known = make(map[described]uint32)
	}
	for i := len(f.of); i < len(f.in); i++ {
		f.add(uint32(i), origins[i].File)
	}
	if f.settled && !f.rich {
		return f.settle()
	}
	return nil
}

// add finds the interface to write the packets of interface i under.
func (f *faces) add(i, file uint32) {
	same, at := f.first(i, file), -1
	f.same, f.plain = append(f.same, same), append(f.plain, f.in[i].Name == packet.PlaintextInterface)
	switch {
	case f.plain[i] && f.plaintext == WithoutPlaintext, !f.plain[i] && f.plaintext == PlaintextOnly:
		f.of = append(f.of, leftOut)
		return
	case same != i:
		at = int(f.of[same])
	case !f.rich && f.nodes[i] != "":
		at = slices.IndexFunc(f.from, func(j uint32) bool { return f.nodes[j] == f.nodes[i] && f.plain[j] == f.plain[i] })
	}
	if at < 0 {
		at = len(f.out)
		f.out, f.from = append(f.out, f.describe(i)), append(f.from, i)
	} else if same == i {
		f.join(&f.out[at], i)
	}
	f.of = append(f.of, uint32(at))
}

// first returns the first interface that is the same as interface i. Each of the files
// that a node's packets come from may have described it; of files without a node no two
// are the same.
func (f *faces) first(i, file uint32) uint32 {
	if f.nodes[i] == "" {
		return i
	}
	d := described{file, f.in[i]}
	d.iface.Received, d.iface.Dropped = nil, nil
	if _, ok := f.known[d]; !ok {
		f.known[d] = i
	}
	return f.known[d]
}

// describe returns interface i as it is written: where a node is known and nothing else is
// said, the description names it.
func (f *faces) describe(i uint32) packet.Interface {
	out := f.in[i]
	out.Received, out.Dropped = nil, nil
	if !f.rich {
		out.Options = ""
	}
	if out.Description == "" && f.nodes[i] != "" {
		out.Description = "node " + f.nodes[i]
	}
	return out
}

// unsaid counts the input's interfaces that are written without all that is said of them.
func (f *faces) unsaid() (n int64) {
	for i := range f.in {
		if !f.rich && f.same[i] == uint32(i) && f.of[i] != leftOut && f.in[i].Options != "" {
			n++
		}
	}
	return n
}

// join leaves of the interface of a node what is true of interface i too.
func (f *faces) join(out *packet.Interface, i uint32) {
	other := f.describe(i)
	if out.Name != other.Name {
		out.Name = ""
	}
	if out.Description != other.Description {
		out.Description = "node " + f.nodes[i]
	}
	if out.Filter != other.Filter {
		out.Filter = ""
	}
	if out.OS != other.OS {
		out.OS = ""
	}
}

// settle decides what all interfaces of a portable file have in common, and tells when that
// is too late.
func (f *faces) settle() error {
	if f.rich || len(f.in) == 0 {
		f.settled = true
		return nil
	}
	u, link, snap := f.uniform, packet.Ethernet, uint32(0) // of what has no interface that is written
	for at, i := range f.written() {
		if at == 0 {
			link, snap = i.Link, i.SnapLen
		}
		u.ethernet = u.ethernet || i.Link != link
		u.open = u.open || u.ethernet || i.SnapLen != snap
	}
	if f.settled && u != f.uniform {
		f.uniform = u
		return errLate
	}
	f.uniform, f.settled = u, true
	f.link, f.snap = link, snap
	if u.ethernet {
		f.link = packet.Ethernet
	}
	if u.open {
		f.snap = 0
	}
	for i := range f.out {
		f.out[i].Link, f.out[i].SnapLen = f.link, f.snap
	}
	return nil
}

// written lists those of the input's interfaces whose packets are written.
func (f *faces) written() (list []*packet.Interface) {
	for i := range f.in {
		if f.of[i] != leftOut {
			list = append(list, &f.in[i])
		}
	}
	return list
}

// leavesOut tells whether the packets of interface i are not written.
func (f *faces) leavesOut(i uint32) bool { return f.of[i] == leftOut }

// outgrown tells whether a packet is longer than the snap length that a portable file
// states, which some captures do not keep to. It states none from then on.
func (f *faces) outgrown(r *packet.Record) bool {
	if f.snap == 0 || len(r.Data) <= int(f.snap) {
		return false
	}
	f.uniform.open = true
	return true
}

// pod returns the interface that the packets of a pod are written under which came by
// interface i. It is a new one when there is none yet.
func (f *faces) pod(i uint32, pod string) uint32 {
	base := f.of[i]
	iface := f.out[base]
	text := "pod " + pod
	if f.nodes[i] != "" {
		text += " on node " + f.nodes[i]
	}
	if iface.Name != "" {
		text += ", captured at " + iface.Name
	}
	iface.Name, iface.Description = pod, text
	f.out, f.from = append(f.out, iface), append(f.from, i)
	return uint32(len(f.out) - 1)
}

// count puts what the capture received and dropped into the interfaces that are written.
// Of one that was described more than once the last knows most.
func (f *faces) count() {
	last := slices.Clone(f.in)
	for i := range last {
		if first := &last[f.same[i]]; last[i].Received != nil || last[i].Dropped != nil {
			first.Received, first.Dropped = last[i].Received, last[i].Dropped
		}
	}
	for i := range f.out {
		f.out[i].Received, f.out[i].Dropped = nil, nil
	}
	for i := range last {
		if f.same[i] != uint32(i) || f.of[i] == leftOut {
			continue
		}
		out := &f.out[f.of[i]]
		out.Received, out.Dropped = added(out.Received, last[i].Received), added(out.Dropped, last[i].Dropped)
	}
}

// added is the sum of what two interfaces state.
func added(a, b *uint64) *uint64 {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	sum := *a + *b
	return &sum
}
