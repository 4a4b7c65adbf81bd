package snapshot

import (
	"fmt"

	"shark/packet"
	"shark/snapshot/block"
)

// nodeFound is what the packets of a node have, of those of its objects that are sound.
type nodeFound struct {
	cut                 uint64
	captured, plaintext []metInterface
	objects             map[ObjectKind]int
}

// metInterface is an interface of an index, with how many packets are of it.
type metInterface struct {
	packet.Interface
	packets uint64
}

// tell keeps what the packets of an object have, for what the manifest says of their node.
func (v *verifier) tell(o *Object, x *block.Index, found *block.Found) {
	f := v.found[o.Node]
	if f == nil {
		f = &nodeFound{objects: make(map[ObjectKind]int)}
		v.found[o.Node] = f
	}
	f.objects[o.Kind]++
	list := make([]metInterface, len(x.Interfaces))
	for i := range list {
		list[i].Interface = x.Interfaces[i]
		if found.Interfaces != nil {
			list[i].packets = found.Interfaces[i]
		}
	}
	if o.Kind == KindPlaintext {
		f.plaintext = append(f.plaintext, list...)
		return
	}
	f.cut += found.Cut
	f.captured = append(f.captured, list...)
}

// nodes compares what the manifest says of nodes with their packets, where all of them are sound:
// then a difference is a problem of the manifest.
func (v *verifier) nodes() {
	objects := make(map[string]map[ObjectKind]int)
	for i := range v.s.Manifest.Objects {
		if o := &v.s.Manifest.Objects[i]; o.blocked() {
			if objects[o.Node] == nil {
				objects[o.Node] = make(map[ObjectKind]int)
			}
			objects[o.Node][o.Kind]++
		}
	}
	for i := range v.s.Manifest.Nodes {
		n := &v.s.Manifest.Nodes[i]
		f, all := v.found[n.Name], objects[n.Name]
		if f == nil || f.objects[KindPackets] != all[KindPackets] || f.objects[KindPlaintext] != all[KindPlaintext] {
			continue // it has none, or some are damaged
		}
		if n.CutPackets != f.cut {
			v.problem(manifestName, fmt.Sprintf("it says that %d packets of node %.80q were not captured whole, and there are %d", n.CutPackets, n.Name, f.cut))
		}
		if all[KindPackets] > 1 || all[KindPlaintext] > 1 { // an interface may be in several
			continue
		}
		if reason := f.interfaces(n); reason != "" {
			v.problem(manifestName, fmt.Sprintf("it says of node %.80q %s", n.Name, reason))
		}
	}
}

// interfaces returns what the manifest says of a node's interfaces and the packets do not; empty
// when there is nothing.
func (f *nodeFound) interfaces(n *Node) string {
	captured, plaintext := f.captured, f.plaintext
	for i := range n.Interfaces {
		said, list := &n.Interfaces[i], &captured
		if said.Name == packet.PlaintextInterface {
			if f.objects[KindPlaintext] == 0 { // it was left out
				continue
			}
			list = &plaintext
		}
		if len(*list) == 0 || !said.is(&(*list)[0]) {
			return fmt.Sprintf("what its packets do not: of interface %d, %.80q", i, said.Name)
		}
		*list = (*list)[1:]
	}
	if len(captured)+len(plaintext) > 0 && len(n.Interfaces) < maxInterfaces {
		return "less than its packets: it lacks interfaces"
	}
	return ""
}

// is tells whether an interface is one of an index.
func (i *Interface) is(m *metInterface) bool {
	return i.Name == inJSON(m.Name) && i.Description == inJSON(m.Description) && i.OS == inJSON(m.OS) && i.Filter == inJSON(m.Filter) &&
		i.LinkType == uint16(m.Link) && i.SnapLen == m.SnapLen && i.Packets == m.packets &&
		same(i.Received, m.Received) && same(i.Dropped, m.Dropped)
}

// inJSON is what JSON keeps of a text that need not be UTF-8.
func inJSON(s string) string { return string([]rune(s)) }

// same tells whether two counts are the same, stated or not.
func same(a, b *uint64) bool { return a == b || a != nil && b != nil && *a == *b }
