package workbench

import (
	"math"

	"shark/packet"
	"shark/snapshot/identity"
)

// podFinder tells which pods a packet is between.
type podFinder struct {
	log *identity.Log
	dec *packet.Decoder
	p   packet.Packet // that was decoded last
}

func newPodFinder(log *identity.Log) *podFinder {
	return &podFinder{log: log, dec: packet.NewDecoder()}
}

// both returns the pods at both ends of a packet; where only one end is a pod, that one
// twice; else none, twice.
func (f *podFinder) both(r *packet.Record) (one, other partKey) {
	f.dec.Decode(r, &f.p)
	src, dst := f.owner(f.p.Src), f.owner(f.p.Dst)
	one, other = partKey{space: src.PodNamespace, name: src.Pod}, partKey{space: dst.PodNamespace, name: dst.Pod}
	switch {
	case src.Pod == "":
		return other, other
	case dst.Pod == "":
		return one, one
	}
	return one, other
}

// here returns the pod that a packet was captured at on a node: the sender if it runs
// there, else the receiver if that does. Where the node is not known, both do.
func (f *podFinder) here(r *packet.Record, node string) (space, name string) {
	f.dec.Decode(r, &f.p)
	for _, addr := range []packet.Addr{f.p.Src, f.p.Dst} {
		if o := f.owner(addr); o.Pod != "" && (node == "" || o.Node == node) {
			return o.PodNamespace, o.Pod
		}
	}
	return "", ""
}

// owner returns who had an address of the packet that was decoded last.
func (f *podFinder) owner(a packet.Addr) identity.Owner {
	if a == (packet.Addr{}) {
		return identity.Owner{}
	}
	return f.log.Lookup(a, f.p.Time)
}

// process returns the number of the process that sent the packet which was decoded last, if
// that ran on a node: elsewhere the number means another process. Where the node is not
// known, any counts. 0: nobody knows.
func (f *podFinder) process(node string) uint32 {
	if f.p.Kind != packet.Transport {
		return 0
	}
	o := f.log.Owner(sender(f.p.Flow()), f.p.Time)
	if o.PID <= 0 || o.PID > math.MaxUint32 || node != "" && o.Node != node {
		return 0
	}
	return uint32(o.PID)
}
