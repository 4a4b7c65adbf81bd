package index

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"shark/packet"
	"shark/snapshot/identity"
)

const (
	// maxEndpoints bounds how many endpoints are remembered to be found again.
	// Past it an endpoint may stand in the table twice.
	maxEndpoints = 1 << 16
	// maxNames bounds how many addresses have a DNS name at a time; the oldest
	// are forgotten first. maxName bounds such a name, in bytes.
	maxNames = 1 << 16
	maxName  = 255
)

// Resolver says who was at an end of a conversation at a time, in ns since 1970. The writer
// calls it from one goroutine, with times that do not fall. Owners may share their maps,
// which must not change any more.
type Resolver interface {
	Owner(e *identity.End, t int64) identity.Owner
}

// unresolved is what every address is without a Resolver.
var unresolved = identity.Owner{Unknown: "the input has no record of who owned its addresses"}

// endpoints hands out the ids of the rows of the table of the same name.
type endpoints struct {
	resolver Resolver
	rows     *tables
	names    names
	last     map[packet.Addr]*endpoint // those of each address, the newest first
	ids      map[string]int64          // by all columns
	next     int64
	key      []byte
}

type endpoint struct {
	owner identity.Owner
	id    int64
	gone  bool      // its address has another name since
	next  *endpoint // another of the same address
}

// maxAlike is how many endpoints of one address are looked through before it is looked for
// among all.
const maxAlike = 8

func newEndpoints(r Resolver, rows *tables) *endpoints {
	return &endpoints{
		resolver: r, rows: rows, names: names{of: make(map[packet.Addr]string)},
		last: make(map[packet.Addr]*endpoint), ids: make(map[string]int64),
	}
}

// until puts the names into force that came before t.
func (x *endpoints) until(t int64) {
	for len(x.names.wait) > 0 && x.names.wait[0].from <= t {
		x.names.learn(x.names.wait[0], x.renamed)
		x.names.wait = x.names.wait[1:]
	}
}

func (x *endpoints) renamed(a packet.Addr) {
	for e := x.last[a]; e != nil; e = e.next {
		e.gone = true
	}
	delete(x.last, a)
}

// still tells whether an end that was e is so at t.
func (x *endpoints) still(e *endpoint, end *identity.End, t int64) bool {
	if e.gone || x.resolver == nil {
		return !e.gone
	}
	o := x.resolver.Owner(end, t)
	return sameOwner(&e.owner, &o)
}

// of returns whoever was at the end at t.
func (x *endpoints) of(end *identity.End, t int64) (*endpoint, error) {
	a, owner := end.Local, unresolved
	if x.resolver != nil {
		owner = x.resolver.Owner(end, t)
	}
	n := 0
	for e := x.last[a]; e != nil; e = e.next {
		if sameOwner(&e.owner, &owner) {
			return e, nil
		}
		n++
	}
	if n >= maxAlike {
		x.renamed(a)
	}
	cells := endpointCells(a, &owner, x.names.of[a])
	x.key = x.key[:0]
	for _, c := range cells {
		x.key = appendBytes(x.key, c.b)
	}
	id, known := x.ids[string(x.key)]
	if !known {
		x.next++
		id = x.next
		if err := x.rows.insert(tableEndpoints, id, cells); err != nil {
			return nil, err
		}
		if len(x.ids) == maxEndpoints {
			x.forget()
		}
		x.ids[string(x.key)] = id
	}
	e := &endpoint{owner: owner, id: id, next: x.last[a]}
	x.last[a] = e
	return e, nil
}

// forget makes all addresses unknown again.
func (x *endpoints) forget() {
	for a := range x.last {
		x.renamed(a)
	}
	clear(x.ids)
	clear(x.last)
}

// sameOwner compares maps by identity: a false no only costs a longer look.
func sameOwner(a, b *identity.Owner) bool {
	return a.Pod == b.Pod && a.PodNamespace == b.PodNamespace && a.Service == b.Service && a.ServiceNamespace == b.ServiceNamespace &&
		a.Node == b.Node && a.NodeIP == b.NodeIP && a.WorkloadKind == b.WorkloadKind && a.Workload == b.Workload &&
		a.Process == b.Process && a.Unknown == b.Unknown && sameMap(a.Labels, b.Labels) && sameMap(a.Annotations, b.Annotations)
}

func sameMap(a, b map[string]string) bool {
	return len(a) == len(b) && (len(a) == 0 || reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer())
}

// endpointCells makes the columns of the table endpoints, in their order. The
// best name is the pod's, then the service's, the DNS name, the process's; the
// best namespace that of the pod, then of the service.
func endpointCells(a packet.Addr, o *identity.Owner, dns string) []cell {
	return []cell{
		textCell(a.String()),
		textCell(cmp.Or(o.Pod, o.Service, dns, o.Process)), textCell(cmp.Or(o.PodNamespace, o.ServiceNamespace)),
		textCell(o.Pod), textCell(o.PodNamespace), textCell(o.Service), textCell(o.ServiceNamespace),
		textCell(o.Node), textCell(o.NodeIP), textCell(o.WorkloadKind), textCell(o.Workload),
		textCell(o.Process), textCell(dns), mapCell(o.Labels), mapCell(o.Annotations), textCell(o.Unknown),
	}
}

// mapCell is m as a JSON object, its keys in order.
func mapCell(m map[string]string) cell {
	b := []byte{'{'}
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, textCell(k).b), ':')
		b = appendQuoted(b, textCell(m[k]).b)
	}
	return cell{kind: cellText, b: append(b, '}')}
}

// names are the DNS names of addresses, learned from answers.
type names struct {
	of    map[packet.Addr]string
	queue []packet.Addr // in the order they were learned, from oldest on
	head  int
	wait  []answer // by time: answers later than the entry being written
	texts [][]byte // of a list
}

// answer is a name that holds from a time on.
type answer struct {
	from int64
	name string
	addr packet.Addr
}

// learn puts an answer into force. It tells of the addresses that have another name
// since.
func (n *names) learn(a answer, renamed func(packet.Addr)) {
	switch name, known := n.of[a.addr]; {
	case known && name == a.name:
		return
	case known:
	case len(n.of) == maxNames:
		oldest := n.queue[n.head]
		delete(n.of, oldest)
		renamed(oldest)
		n.queue[n.head] = a.addr
		n.head = (n.head + 1) % maxNames
	default:
		n.queue = append(n.queue, a.addr)
	}
	n.of[a.addr] = a.name
	renamed(a.addr)
}

// expect notes an answer that holds from its time on. When too many wait, as in
// a capture whose clock jumps, the newest is let go.
func (n *names) expect(a answer) {
	at := len(n.wait)
	for at > 0 && n.wait[at-1].from > a.from {
		at--
	}
	if at == maxWaiting {
		return
	}
	n.wait = append(n.wait, answer{})
	copy(n.wait[at+1:], n.wait[at:])
	n.wait[at] = a
	n.wait = n.wait[:min(len(n.wait), maxWaiting)]
}

// maxWaiting bounds the answers that wait for their time.
const maxWaiting = 4096

// dnsFields are where a DNS entry's questions and answers stand.
type dnsFields struct {
	protocol           int64 // -1: the index knows no DNS
	questions, answers spot
}

func (s *Schema) dnsFields() dnsFields {
	d := dnsFields{protocol: -1}
	for i, p := range s.protocols {
		if p.Name != "dns" {
			continue
		}
		d.protocol = int64(i)
		for _, f := range p.Fields {
			switch f.Name {
			case "dns_questions":
				d.questions = s.stored[f]
			case "dns_answers":
				d.answers = s.stored[f]
			}
		}
	}
	return d
}

// read notes the addresses that an answer gave the name it was asked for, from a
// time on. Both are JSON lists.
func (n *names) read(questions, answers []byte, from int64) {
	n.texts = appendTexts(n.texts[:0], questions)
	if len(n.texts) == 0 {
		return
	}
	asked := bytes.TrimSuffix(n.texts[0], []byte("."))
	if len(asked) == 0 || len(asked) > maxName {
		return
	}
	name := ""
	n.texts = appendTexts(n.texts[:0], answers)
	for _, text := range n.texts {
		if last := len(text) - 1; last < 0 || (text[last] < '0' || text[last] > '9') && bytes.IndexByte(text, ':') < 0 {
			continue // another name
		}
		if ip, err := netip.ParseAddr(string(text)); err == nil {
			if name == "" {
				name = string(asked)
			}
			n.expect(answer{from: from, name: name, addr: packet.AddrFrom(ip)})
		}
	}
}

// appendTexts appends the texts of a list as appendQuoted wrote them. They are
// valid while the list is.
func appendTexts(out [][]byte, list []byte) [][]byte {
	if bytes.IndexByte(list, '\\') >= 0 {
		for _, text := range listOf(list) {
			out = append(out, []byte(text))
		}
		return out
	}
	for len(list) > 2 { // a bracket or a comma, then a quotation mark
		end := bytes.IndexByte(list[2:], '"')
		if end < 0 {
			break
		}
		out = append(out, list[2:2+end])
		list = list[2+end+1:]
	}
	return out
}

// listOf reads a stored list; nil when it is not one.
func listOf[T string | []byte](text T) []string {
	var out []string
	if json.Unmarshal([]byte(text), &out) != nil {
		return nil
	}
	return out
}
