package identity

import "fmt"

// role is a way of having an address.
type role uint8

const (
	aPod     role = iota // id: object
	aPodNode             // id: name of the node of a pod that has the address
	aHost                // id: name of the node of a host-network pod
	aNode                // id: name
	aService             // id: object
	aBackend             // id: name of the service
	aProcess             // id: name
	roleCount
)

// tally counts who has an address in a role. The sum of their ids is the id of
// the only one, when there is only one: so it takes no longer when many have it.
type tally struct {
	n   int32
	sum int64
}

func (t tally) only() int32 { return int32(t.sum) }

// claims is who has one address.
type claims [roleCount]tally

// hold is one id in one role at one address; several objects can share it.
type hold struct {
	addr, id int32
	role     role
}

// claim counts the state of an object in, with by 1, or out, with by -1.
func (b *builder) claim(id int32, s *state, by int32) {
	if s == nil {
		return
	}
	o := &b.objects[id]
	for _, a := range s.addrs {
		switch o.kind {
		case Pod:
			if s.host {
				b.hold(hold{a, s.node, aHost}, by)
				continue
			}
			b.hold(hold{a, id, aPod}, by)
			b.hold(hold{a, s.node, aPodNode}, by)
		case Node:
			b.hold(hold{a, b.name("", o.name), aNode}, by)
		case Service:
			b.hold(hold{a, id, aService}, by)
		case Endpoints:
			b.hold(hold{a, s.service, aBackend}, by)
		case Process:
			b.hold(hold{a, b.name("", o.name), aProcess}, by)
		}
	}
}

func (b *builder) hold(h hold, by int32) {
	n := b.holds[h]
	t := &b.claims[h.addr][h.role]
	if n == 0 {
		t.n++
		t.sum += int64(h.id)
	}
	if n+by > 0 {
		b.holds[h] = n + by
		return
	}
	delete(b.holds, h)
	t.n--
	t.sum -= int64(h.id)
}

// verdict is who has an address, by index. It is the key of an owner.
type verdict struct {
	object  int32  // pod, service or node; -1 for none
	state   *state // of the object
	node    int32  // name of the node that is the owner, when no record of it is known; else -1
	addr    int32  // its address; else -1
	service int32  // name of the service of a pod, or of backends; else -1
	process int32  // name; else -1
	unknown string // why there is no owner
	since   int64  // when the last of them gave the address up; else 0
}

// owner is an Owner but for the address of its node, which changes by itself.
type owner struct {
	Owner
	node int32 // node whose address is to be filled in, by name and in a Log by object; -1 for none
	gone bool  // nobody has the address any more
}

// segment is a part of an address's timeline, up to the next.
type segment struct {
	from  int64
	owner int32
}

// mark begins a segment of an address's timeline, if it has changed hands.
func (b *builder) mark(a int32, t int64) {
	v := b.judge(a)
	tl := b.timelines[a]
	if v == nobody {
		if n := len(tl); n > 0 && b.owners[tl[n-1].owner].gone {
			return
		}
		v.since = t
	}
	i, known := b.ownerOf[v]
	if !known {
		i = int32(len(b.owners))
		b.owners = append(b.owners, b.describe(v))
		b.ownerOf[v] = i
	}
	if n := len(tl); n > 0 && tl[n-1].from == t { // several changes at one time
		tl = tl[:n-1]
	}
	if n := len(tl); n == 0 || tl[n-1].owner != i {
		tl = append(tl, segment{t, i})
	}
	b.timelines[a] = tl
}

var nobody = verdict{object: -1, node: -1, addr: -1, service: -1, process: -1}

// judge finds who has an address now. Host-network pods share their node's
// address: the node has it, and which of the pods is meant is not known.
func (b *builder) judge(a int32) verdict {
	c := &b.claims[a]
	v := nobody
	if c[aProcess].n == 1 {
		v.process = c[aProcess].only()
	}
	pods, nodes, hosts, services := c[aPod], c[aNode], c[aHost], c[aService]
	node := nodes.only()
	if nodes.n == 0 {
		node = hosts.only()
	}
	switch {
	case nodes.n == 0 && hosts.n == 0:
	case nodes.n > 1 || nodes.n == 0 && hosts.n > 1:
		return conflict("%d nodes have it at once", max(nodes.n, hosts.n))
	case hosts.n > 1 || hosts.n == 1 && hosts.only() != node:
		return conflict("node %s and the host network of another have it at once", b.names[node][1])
	case pods.n > 0 && (nodes.n == 0 || c[aPodNode].n > 1 || c[aPodNode].only() != node):
		return conflict("node %s and %d pods that are not its own have it at once", b.names[node][1], pods.n)
	case services.n > 0:
		return conflict("node %s and %d services have it at once", b.names[node][1], services.n)
	case nodes.n == 1:
		v.object = b.nodeOf[node]
		v.state = b.objects[v.object].state()
		v.process = -1 // a host has more processes than those that are known
		return v
	case b.names[node][1] == "":
		return conflict("host-network pods of a node that is not named have it")
	default:
		v.node, v.addr, v.process = node, a, -1
		return v
	}
	switch {
	case pods.n+services.n > 1:
		return conflict("%d pods and %d services have it at once", pods.n, services.n)
	case pods.n == 1:
		v.object = pods.only()
		v.state = b.objects[v.object].state()
		if c[aBackend].n == 1 {
			v.service = c[aBackend].only()
		}
	case services.n == 1:
		v.object = services.only()
		v.state = b.objects[v.object].state()
	case c[aBackend].n == 1:
		v.service = c[aBackend].only()
	case c[aBackend].n > 1:
		return conflict("it is behind %d services, and no pod or node is known to have it", c[aBackend].n)
	case c[aProcess].n > 1:
		return conflict("%d processes have it at once", c[aProcess].n)
	}
	return v
}

func conflict(format string, args ...any) verdict {
	v := nobody
	v.unknown = fmt.Sprintf(format, args...)
	return v
}

// describe makes the Owner of a verdict.
func (b *builder) describe(v verdict) owner {
	o := owner{Owner: Owner{Unknown: v.unknown}, node: -1}
	if v.object < 0 && v.node < 0 && v.service < 0 && v.process < 0 && v.unknown == "" {
		o.Unknown, o.gone = "nobody has had it since "+timestamp(v.since), true
		return o
	}
	if v.service >= 0 {
		o.ServiceNamespace, o.Service = b.names[v.service][0], b.names[v.service][1]
	}
	if v.process >= 0 {
		o.Process = b.names[v.process][1]
	}
	if v.node >= 0 {
		o.Node, o.NodeIP = b.names[v.node][1], b.addrs[v.addr].String()
	}
	if v.object < 0 {
		return o
	}
	x := &b.objects[v.object]
	o.Labels, o.Annotations = v.state.attrs.labels, v.state.attrs.annotations
	switch x.kind {
	case Pod:
		o.PodNamespace, o.Pod = x.namespace, x.name
		o.WorkloadKind, o.Workload = v.state.workload.Kind, v.state.workload.Name
		o.Node, o.node = b.names[v.state.node][1], v.state.node
	case Service:
		o.ServiceNamespace, o.Service = x.namespace, x.name
	case Node:
		o.Node, o.node = x.name, b.nameOf[[2]string{"", x.name}]
	}
	return o
}
