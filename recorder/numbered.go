package recorder

import "shark/packet"

// maxInterfaces is how many interfaces a sink is told of, over all the times that its part is
// begun. Packets of any more are lost, and counted on an interface of this description.
const (
	maxInterfaces = 1 << 16
	tooMany       = "more interfaces than are told apart"
)

// numbered gives a sink interfaces by numbers that stay. A part that is begun again numbers them
// anew, in the order in which it meets them; what is described alike is the same interface.
type numbered struct {
	sink    Sink
	most    int
	all     []packet.Interface
	numbers map[packet.Interface]uint32
}

func newNumbered(sink Sink, most int) *numbered {
	return &numbered{sink: sink, most: most, numbers: make(map[packet.Interface]uint32)}
}

// begin returns the sink of a part that is begun. The one before is not used any more.
func (n *numbered) begin() Sink { return &numbering{numbered: n} }

// number returns the number of an interface.
func (n *numbered) number(f packet.Interface) uint32 {
	f.Received, f.Dropped = nil, nil
	i, known := n.numbers[f]
	if known {
		return i
	}
	i = uint32(min(len(n.all), n.most))
	if len(n.all) == n.most {
		f = packet.Interface{Link: f.Link, Description: tooMany}
	}
	if len(n.all) <= n.most {
		n.all, n.numbers[f] = append(n.all, f), i
	}
	return i
}

// numbering is a numbered sink, by the numbers of a part since it was begun.
type numbering struct {
	*numbered
	ids   []uint32 // of the part's interfaces
	moved bool     // some are not the part's own
}

// meet takes down interfaces that are new.
func (n *numbering) meet(interfaces []packet.Interface) {
	for i := len(n.ids); i < len(interfaces); i++ {
		id := n.number(interfaces[i])
		n.ids = append(n.ids, id)
		n.moved = n.moved || id != uint32(i) || int(id) == n.most
	}
}

// Write implements Sink.
func (n *numbering) Write(records []packet.Record, interfaces []packet.Interface) {
	n.meet(interfaces)
	if n.moved {
		kept := records[:0]
		for _, r := range records {
			if r.Interface = n.ids[r.Interface]; int(r.Interface) < n.most {
				kept = append(kept, r)
			}
		}
		if lost := len(records) - len(kept); lost > 0 {
			n.sink.Lost(uint32(n.most), uint64(lost), n.all)
		}
		records = kept
	}
	if len(records) > 0 {
		n.sink.Write(records, n.all)
	}
}

// Lost implements Sink.
func (n *numbering) Lost(i uint32, lost uint64, interfaces []packet.Interface) {
	n.meet(interfaces)
	n.sink.Lost(n.ids[i], lost, n.all)
}
