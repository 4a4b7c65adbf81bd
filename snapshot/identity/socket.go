package identity

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"shark/packet"
)

// nearby is how far from a socket's time its packets may be: the first and last of a
// connection are sent before anybody uses it and after everybody has closed it, and clocks
// are read one after the other.
const nearby = int64(60e9)

// maxNamed is how many processes a reason names.
const maxNamed = 4

// End is one side of a conversation: the packets' addresses and ports as it sees them.
type End struct {
	Protocol       packet.Proto
	Local, Peer    packet.Addr
	Port, PeerPort uint16
}

// process is who owns sockets, as far as an owner says it: several that are alike, such as
// the workers of a server, are one.
type process struct {
	name, pod, node string // pod by its uid
}

// socketKey is where a socket is, and its peer: -1 if it takes whatever comes.
type socketKey struct {
	addr, peer     int32
	port, peerPort uint16
	proto          packet.Proto
}

// span is the time, its end left out, that a process had a socket.
type span struct {
	process  int32
	pid      int64 // 0: not known
	from, to int64
}

// socketState is what a record says of a socket.
type socketState struct {
	keys    []socketKey
	owner   string // uid of the process
	process process
	pid     int64
}

// socketEvent is a record of a socket or a process on its way to the spans.
type socketEvent struct {
	time   int64
	object int32
	state  *socketState // nil: it is gone
}

// sockets are those of a builder.
type sockets struct {
	events    []socketEvent
	objects   []bool
	objectOf  map[[3]string]int32 // by node, uid and name
	owners    map[[2]string]process
	numbers   map[[2]string]int64 // of processes, by the same
	processes []process
	processOf map[process]int32
	spans     map[socketKey][]span
}

// protocols are the names of the transports that sockets have.
var protocols = map[string]packet.Proto{"tcp": packet.TCP, "udp": packet.UDP, "sctp": packet.SCTP}

// addSocket takes the record of a socket. It returns those of its addresses that are none.
func (b *builder) addSocket(r *Record) (bad []string) {
	x := &b.sockets
	key := [3]string{b.text(r.Node), b.text(r.UID), b.text(r.Name)}
	e := socketEvent{time: r.Time.UnixNano(), object: index(x.objectOf, &x.objects, key, true)}
	proto, known := protocols[r.Protocol]
	if r.Op == Upsert && known && r.Port > 0 {
		e.state = &socketState{pid: r.PID, owner: b.text(r.Owner), process: process{name: b.text(r.Process), node: key[0]}}
		k := socketKey{peer: -1, port: r.Port, proto: proto}
		if r.Peer != "" {
			var ok bool
			if k.peer, ok = b.address(r.Peer); !ok {
				return []string{r.Peer}
			}
			k.peerPort = r.PeerPort
		}
		for _, text := range r.Addresses {
			var ok bool
			if k.addr, ok = b.address(text); !ok {
				bad = append(bad, text)
				continue
			}
			e.state.keys = append(e.state.keys, k)
		}
	}
	x.events = append(x.events, e)
	return bad
}

// addOwner takes what the record of a process says beside its name.
func (b *builder) addOwner(r *Record) {
	if r.Op == Upsert {
		node := b.text(r.Node)
		key := [2]string{node, b.text(r.UID)}
		b.sockets.owners[key], b.sockets.numbers[key] = process{b.text(r.Name), b.text(r.Pod), node}, r.PID
	}
}

// buildSockets plays the events of sockets in the order of their times.
func (b *builder) buildSockets(l *Log) {
	x := &b.sockets
	slices.SortStableFunc(x.events, func(x, y socketEvent) int { return cmp.Compare(x.time, y.time) })
	open := make(map[int32]socketEvent)
	for _, e := range x.events {
		if old, known := open[e.object]; known {
			x.close(&old, e.time)
		}
		if delete(open, e.object); e.state != nil {
			open[e.object] = e
		}
	}
	for i := range int32(len(x.objects)) {
		if e, known := open[i]; known {
			x.close(&e, forever)
		}
	}
	for _, list := range x.spans {
		slices.SortFunc(list, func(a, b span) int {
			return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.process, b.process))
		})
	}
	l.spans, l.processes = x.spans, x.processes
	l.used = make(map[int32][]int32)
	for k, list := range l.spans {
		for i := range list {
			l.used[k.addr] = append(l.used[k.addr], list[i].process)
		}
	}
	for a, list := range l.used {
		slices.Sort(list)
		l.used[a] = slices.Compact(list)
	}
	l.pods = make(map[string]int32)
	for i := range b.objects {
		if o := &b.objects[i]; o.kind == Pod && o.uid != "" {
			l.pods[o.uid] = int32(i)
		}
	}
}

// close ends the spans of a state.
func (x *sockets) close(e *socketEvent, at int64) {
	p, known := x.owners[[2]string{e.state.process.node, e.state.owner}]
	if !known {
		p = e.state.process
	}
	if p.name == "" || at < e.time {
		return
	}
	s := span{index(x.processOf, &x.processes, p, p), cmp.Or(e.state.pid, x.numbers[[2]string{e.state.process.node, e.state.owner}]), e.time, at}
	for _, k := range e.state.keys {
		x.spans[k] = append(x.spans[k], s)
	}
}

// Owner returns who was at one end of a conversation at a time, in ns since 1970: what Lookup
// says of its address, and the process whose socket it was. That says which of the pods
// that share their node's address was meant. That several processes come into question, or
// none, leaves what Lookup says, with the reason if that knows nobody either.
func (l *Log) Owner(e *End, t int64) Owner {
	o := l.Lookup(e.Local, t)
	if l == nil || len(l.spans) == 0 || t > l.until {
		return o
	}
	p, pid, reason := l.process(e, t)
	if p < 0 {
		if o.Unknown != "" && reason != "" {
			o.Unknown = reason
		}
		return o
	}
	l.overlay(&o, p, t)
	o.PID = pid
	return o
}

// overlay completes an owner by the process.
func (l *Log) overlay(o *Owner, p int32, t int64) {
	x := &l.processes[p]
	o.Process, o.Unknown = x.name, ""
	o.Node = cmp.Or(o.Node, x.node)
	i, known := l.pods[x.pod]
	if !known || o.Pod != "" {
		return
	}
	pod := &l.objects[i]
	s := pod.about(t)
	if s == nil {
		return
	}
	o.PodNamespace, o.Pod = pod.namespace, pod.name
	o.WorkloadKind, o.Workload = s.workload.Kind, s.workload.Name
	o.Labels, o.Annotations = s.attrs.labels, s.attrs.annotations
}

// overlaid returns an owner with a process, in each of the states that the pod of that had
// from one time to another.
func (l *Log) overlaid(o Owner, p int32, from, to int64) []Owner {
	out := []Owner{o}
	l.overlay(&out[0], p, from)
	if i, known := l.pods[l.processes[p].pod]; known && o.Pod == "" {
		for _, v := range l.objects[i].versions {
			if v.from > from && v.from <= to {
				next := o
				l.overlay(&next, p, v.from)
				out = append(out, next)
			}
		}
	}
	return out
}

// about returns the object's state at a time, else the nearest: a process may begin before its
// pod is heard of, and end after it.
func (o *object) about(t int64) *state {
	var found *state
	for _, v := range o.versions {
		if v.from > t && found != nil {
			break
		}
		if v.state != nil {
			found = v.state
		}
	}
	return found
}

// process returns who had a socket, -1 if that is not known, with the reason if there is more
// to be said than that nobody was seen to have it.
func (l *Log) process(e *End, t int64) (p int32, pid int64, reason string) {
	k := socketKey{port: e.Port, peerPort: e.PeerPort, proto: e.Protocol}
	var known bool
	if k.addr, known = l.addrOf[e.Local]; !known {
		return -1, 0, ""
	}
	if k.peer, known = l.addrOf[e.Peer]; known { // connected sockets say most
		if p, pid, reason = l.pick(l.spans[k], e, t); p >= 0 || reason != "" {
			return p, pid, reason
		}
	}
	k.peer, k.peerPort = -1, 0
	return l.pick(l.spans[k], e, t)
}

// pick finds the only process that had a socket at a time, else about that time, and its number
// unless several that are alike had it.
func (l *Log) pick(list []span, e *End, t int64) (process int32, pid int64, reason string) {
	for _, slack := range [...]int64{0, nearby} {
		var found []int32
		n := sort.Search(len(list), func(n int) bool { return list[n].from > t+slack })
		for i := range list[:n] {
			s := &list[i]
			if s.to <= t-slack {
				continue
			}
			switch {
			case len(found) == 0:
				pid = s.pid
			case pid != s.pid:
				pid = 0
			}
			if !slices.Contains(found, s.process) {
				found = append(found, s.process)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], pid, ""
		default:
			return -1, 0, l.several(found, e)
		}
	}
	return -1, 0, ""
}

// several says that more than one process had a socket.
func (l *Log) several(found []int32, e *End) string {
	var names []string
	for _, p := range found[:min(len(found), maxNamed)] {
		names = append(names, l.processes[p].name)
	}
	return fmt.Sprintf("%d processes had its port %d at once: %s", len(found), e.Port, strings.Join(names, ", "))
}
