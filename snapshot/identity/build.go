package identity

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"shark/packet"
)

// forever is the end of what has none.
const forever = math.MaxInt64

// state is what one record says of its object, names and addresses by index.
type state struct {
	addrs    []int32 // ascending, each once
	primary  string  // of a node: the address it is known by
	node     int32   // name of the node
	service  int32   // name of the service, of endpoints
	host     bool
	workload WorkloadRef
	attrs    *attrs
}

// attrs are the labels and annotations of an object, shared by all states with
// the same.
type attrs struct{ labels, annotations map[string]string }

// object is one pod, service, ... with all that became of it.
type object struct {
	kind            Kind
	namespace, name string
	uid             string
	versions        []version
	leases          []lease
	open            []int32 // the leases of the last version's addrs
}

// version is a state and when it began.
type version struct {
	from  int64
	state *state // nil: the object is gone
}

// lease is the time, its end left out, that an object had an address.
type lease struct {
	addr     int32
	from, to int64
}

func (o *object) state() *state {
	if len(o.versions) == 0 {
		return nil
	}
	return o.versions[len(o.versions)-1].state
}

// event is a record on its way to the timelines.
type event struct {
	time   int64
	object int32
	state  *state // nil: delete
	uid    string
}

type objectKey struct {
	kind              Kind
	scope, name, more string
}

// builder turns records, in any order, into a Log.
type builder struct {
	events   []event
	unpacked int64
	until    int64 // times after it are not known
	sockets  sockets
	damage   []Damage
	damaged  int

	objects   []object
	objectOf  map[objectKey]int32
	names     [][2]string // namespace and name
	nameOf    map[[2]string]int32
	addrs     []packet.Addr
	addrOf    map[packet.Addr]int32
	attrsOf   map[string]*attrs
	texts     map[string]string
	dead      map[string]struct{} // uids that are gone for good
	claims    []claims            // by address
	holds     map[hold]int32
	timelines [][]segment // by address
	owners    []owner
	ownerOf   map[verdict]int32
	nodeOf    map[int32]int32 // node object by name
}

func newBuilder() *builder {
	return &builder{
		until:    forever,
		objectOf: make(map[objectKey]int32), nameOf: make(map[[2]string]int32), addrOf: make(map[packet.Addr]int32),
		attrsOf: make(map[string]*attrs), texts: make(map[string]string), dead: make(map[string]struct{}),
		sockets: sockets{
			objectOf: make(map[[3]string]int32), owners: make(map[[2]string]process), numbers: make(map[[2]string]int64),
			processOf: make(map[process]int32), spans: make(map[socketKey][]span),
		},
		holds: make(map[hold]int32), ownerOf: make(map[verdict]int32), nodeOf: make(map[int32]int32),
	}
}

// add takes one record, which check found sound, and returns those of its
// addresses that are none.
func (b *builder) add(r *Record) (bad []string) {
	key := objectKey{kind: r.Kind, scope: b.text(r.Namespace), name: b.text(r.Name)}
	switch r.Kind {
	case Pod, Service, Endpoints:
	case Cut:
		b.until = min(b.until, r.Time.UnixNano())
		return nil
	case Node:
		key.scope = ""
	case Process:
		key.scope, key.more = b.text(r.Node), b.text(r.UID)
		b.addOwner(r)
	case Socket:
		return b.addSocket(r)
	default:
		return nil
	}
	e := event{time: r.Time.UnixNano(), object: index(b.objectOf, &b.objects, key, object{kind: key.kind, namespace: key.scope, name: key.name}), uid: b.text(r.UID)}
	if r.Op == Upsert {
		e.state, bad = b.state(r)
	}
	b.events = append(b.events, e)
	return bad
}

// index returns the index of the value with a key and appends it where it is new.
func index[K comparable, V any](of map[K]int32, all *[]V, key K, v V) int32 {
	i, ok := of[key]
	if !ok {
		i = int32(len(*all))
		*all = append(*all, v)
		of[key] = i
	}
	return i
}

func (b *builder) name(namespace, name string) int32 {
	k := [2]string{b.text(namespace), b.text(name)}
	return index(b.nameOf, &b.names, k, k)
}

// text returns one copy of equal strings.
func (b *builder) text(s string) string {
	if s == "" {
		return ""
	}
	if t, ok := b.texts[s]; ok {
		return t
	}
	b.texts[s] = s
	return s
}

func (b *builder) state(r *Record) (s *state, bad []string) {
	s = &state{node: b.name("", r.Node), host: r.HostNetwork, attrs: b.attrs(r)}
	if r.Workload != nil {
		s.workload = WorkloadRef{b.text(r.Workload.Kind), b.text(r.Workload.Name)}
	}
	s.service = b.name(r.Namespace, cmp.Or(r.Service, r.Name))
	for _, text := range r.Addresses {
		a, ok := b.address(text)
		if !ok {
			bad = append(bad, text)
			continue
		}
		if ip := b.addrs[a].IP(); ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() {
			continue // nobody's own
		}
		if r.Kind == Node && s.primary == "" {
			s.primary = b.text(b.addrs[a].String())
		}
		s.addrs = append(s.addrs, a)
	}
	slices.Sort(s.addrs)
	s.addrs = slices.Clip(slices.Compact(s.addrs))
	return s, bad
}

// address returns the index of an address.
func (b *builder) address(text string) (int32, bool) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return -1, false
	}
	a := packet.AddrFrom(ip.Unmap())
	return index(b.addrOf, &b.addrs, a, a), true
}

func (b *builder) attrs(r *Record) *attrs {
	if len(r.Labels) == 0 && len(r.Annotations) == 0 {
		return &noAttrs
	}
	key, err := json.Marshal([2]map[string]string{r.Labels, r.Annotations})
	if err != nil {
		return &attrs{r.Labels, r.Annotations}
	}
	a := b.attrsOf[string(key)]
	if a == nil {
		a = &attrs{r.Labels, r.Annotations}
		b.attrsOf[string(key)] = a
	}
	return a
}

var noAttrs attrs

// build plays the events in the order of their times.
func (b *builder) build() *Log {
	slices.SortStableFunc(b.events, func(x, y event) int { return cmp.Compare(x.time, y.time) })
	b.claims = make([]claims, len(b.addrs))
	b.timelines = make([][]segment, len(b.addrs))
	for i := range b.events {
		b.apply(&b.events[i])
	}
	l := &Log{
		addrs: b.addrs, addrOf: b.addrOf, objects: b.objects, names: b.names,
		timelines: b.timelines, owners: b.owners, damage: b.damage, until: b.until, records: len(b.events) + len(b.sockets.events),
	}
	b.buildSockets(l)
	for i := range b.owners {
		o := &b.owners[i]
		if node, known := b.nodeOf[o.node]; known {
			o.node = node
		} else {
			o.node = -1
		}
	}
	l.first = make([]Owner, len(b.addrs))
	for i, t := range b.timelines {
		l.first[i] = stranger(b.addrs[i])
		if len(t) > 0 {
			l.first[i].Unknown = fmt.Sprintf("first seen at %s, which is later", timestamp(t[0].from))
		}
	}
	if b.until < forever {
		l.cut.Unknown = fmt.Sprintf("the identity log is cut after %s", timestamp(b.until))
	}
	return l
}

// apply plays one event.
func (b *builder) apply(e *event) {
	o := &b.objects[e.object]
	if _, dead := b.dead[e.uid]; dead {
		return // what another node says late of an object that is gone
	}
	other := e.uid != "" && o.uid != "" && e.uid != o.uid
	old := o.state()
	switch {
	case e.state == nil:
		if e.uid != "" {
			b.dead[e.uid] = struct{}{}
		}
		if old == nil || other {
			return
		}
	case other:
		b.dead[o.uid] = struct{}{} // names are unique at a time
	}
	if e.state != nil {
		o.uid = cmp.Or(e.uid, o.uid)
		if old != nil && old.equal(e.state) {
			return
		}
	}
	if o.kind == Node {
		b.nodeOf[b.name("", o.name)] = e.object
	}
	o.change(e)
	b.claim(e.object, old, -1)
	b.claim(e.object, e.state, +1)
	b.settle(e.time, old, e.state)
}

func (s *state) equal(t *state) bool {
	return slices.Equal(s.addrs, t.addrs) && s.alike(t)
}

// alike tells whether two states differ in nothing but their addresses.
func (s *state) alike(t *state) bool {
	return s.primary == t.primary && s.node == t.node && s.service == t.service && s.host == t.host && s.workload == t.workload && s.attrs == t.attrs
}

// change begins a new version and ends and begins leases.
func (o *object) change(e *event) {
	if n := len(o.versions); n > 0 && o.versions[n-1].from == e.time {
		o.versions[n-1].state = e.state
	} else {
		o.versions = append(o.versions, version{e.time, e.state})
	}
	var addrs []int32
	if e.state != nil {
		addrs = e.state.addrs
	}
	open := make([]int32, 0, len(addrs))
	i := 0
	for _, a := range addrs {
		for ; i < len(o.open) && o.leases[o.open[i]].addr < a; i++ {
			o.leases[o.open[i]].to = e.time
		}
		if i < len(o.open) && o.leases[o.open[i]].addr == a {
			open = append(open, o.open[i])
			i++
			continue
		}
		open = append(open, int32(len(o.leases)))
		o.leases = append(o.leases, lease{a, e.time, forever})
	}
	for ; i < len(o.open); i++ {
		o.leases[o.open[i]].to = e.time
	}
	o.open = open
}

// settle finds out anew who has the addresses that a change touched.
func (b *builder) settle(t int64, old, now *state) {
	var was, is []int32
	if old != nil {
		was = old.addrs
	}
	if now != nil {
		is = now.addrs
	}
	same := old != nil && now != nil && old.alike(now)
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && was[0] < is[0]:
			b.mark(was[0], t)
			was = was[1:]
		case len(was) == 0 || is[0] < was[0]:
			b.mark(is[0], t)
			is = is[1:]
		default:
			if !same {
				b.mark(is[0], t)
			}
			was, is = was[1:], is[1:]
		}
	}
}
