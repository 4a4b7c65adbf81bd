package identity

import (
	"math"
	"slices"
	"sort"

	"shark/packet"
)

// Log is a log that was read. It does not change and may be used by several
// goroutines. A nil Log knows nobody.
type Log struct {
	addrs     []packet.Addr
	addrOf    map[packet.Addr]int32
	objects   []object
	names     [][2]string
	timelines [][]segment // by address
	owners    []owner
	first     []Owner // by address: what holds before its timeline
	cut       Owner   // what holds after until
	until     int64
	damage    []Damage
	records   int

	spans     map[socketKey][]span
	processes []process
	used      map[int32][]int32 // by address: the processes that had sockets there
	pods      map[string]int32  // objects, by uid
}

var (
	noLog       = Owner{Unknown: "there is no record of who owned its addresses"}
	noRecord    = Owner{Unknown: "the identity log has no record of it"}
	everywhere  = Owner{Unknown: "a loopback address, which every host has"}
	toMany      = Owner{Unknown: "a multicast address"}
	unspecified = Owner{Unknown: "no address"}
)

// Lookup returns who had an address at a time, in ns since 1970. The Owner's maps
// are shared with other Owners and must not be changed.
//
// A pod's address has the pod, its node and workload, and the service whose
// endpoints have it, if that is one. A service's address has the service only, and
// so has one that is nothing but behind one service. An address of a node has the
// node, also where host-network pods share it.
func (l *Log) Lookup(a packet.Addr, t int64) Owner {
	if l == nil {
		return noLog
	}
	i, known := l.addrOf[a]
	switch {
	case !known:
		return stranger(a)
	case t > l.until:
		return l.cut
	}
	tl := l.timelines[i]
	lo, hi := 0, len(tl) // sort.Search takes twice as long
	for lo < hi {
		if mid := (lo + hi) / 2; tl[mid].from > t {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == 0 {
		return l.first[i]
	}
	o := &l.owners[tl[lo-1].owner]
	if o.node < 0 {
		return o.Owner
	}
	found := o.Owner
	if s := l.objects[o.node].at(t); s != nil {
		found.NodeIP = s.primary
	}
	return found
}

// stranger says why an address that no record names has no owner.
func stranger(a packet.Addr) Owner {
	switch ip := a.IP(); {
	case ip.IsLoopback():
		return everywhere
	case ip.IsMulticast():
		return toMany
	case ip.IsUnspecified():
		return unspecified
	}
	return noRecord
}

// at returns the object's state at a time, nil when it did not exist.
func (o *object) at(t int64) *state {
	n := sort.Search(len(o.versions), func(n int) bool { return o.versions[n].from > t })
	if n == 0 {
		return nil
	}
	return o.versions[n-1].state
}

// NodeAddress returns the address that a node was known by at a time, or first after it; empty
// when that is not known.
func (l *Log) NodeAddress(name string, t int64) string {
	if l == nil || name == "" {
		return ""
	}
	for i := range l.objects {
		if o := &l.objects[i]; o.kind == Node && o.name == name {
			for _, v := range o.versions {
				if v.state != nil && v.state.primary != "" && (v.from >= t || o.at(t) == v.state) {
					return v.state.primary
				}
			}
		}
	}
	return ""
}

// Nodes returns the names of the nodes that the log knows, in order.
func (l *Log) Nodes() (names []string) {
	if l == nil {
		return nil
	}
	for i := range l.objects {
		if o := &l.objects[i]; o.kind == Node {
			names = append(names, o.name)
		}
	}
	slices.Sort(names)
	return names
}

// PodNodes returns the names of the nodes that pods ran on at any time, in order. Of pods
// whose node no record names there is an empty one.
func (l *Log) PodNodes() (names []string) {
	if l == nil {
		return nil
	}
	for i := range l.objects {
		for _, v := range l.objects[i].versions {
			if l.objects[i].kind == Pod && v.state != nil {
				names = append(names, l.names[v.state.node][1])
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Damage lists what could not be read of the log.
func (l *Log) Damage() []Damage {
	if l == nil {
		return nil
	}
	return slices.Clone(l.damage)
}

// Records returns how many records the log has, of the kinds that are known.
func (l *Log) Records() int {
	if l == nil {
		return 0
	}
	return l.records
}

// Until returns the time, in ns since 1970, after which nothing is known because the log
// was cut, or math.MaxInt64.
func (l *Log) Until() int64 {
	if l == nil {
		return math.MaxInt64
	}
	return l.until
}

// Owners returns everybody who had an address at some time from one to another, both in ns
// since 1970: whatever Lookup and Owner say of it then, but for NodeIP.
func (l *Log) Owners(a packet.Addr, from, to int64) []Owner {
	out := []Owner{l.Lookup(a, from)}
	if l == nil {
		return out
	}
	if i, known := l.addrOf[a]; known {
		for _, s := range l.timelines[i] {
			if s.from > from && s.from <= min(to, l.until) {
				out = append(out, l.owners[s.owner].Owner)
			}
		}
		if to > l.until {
			out = append(out, l.cut)
		}
		for _, o := range out {
			for _, p := range l.used[i] {
				out = append(out, l.overlaid(o, p, from, to)...)
			}
		}
	}
	return out
}
