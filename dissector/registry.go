package dissector

import "slices"

// registry finds the protocols of a run. All partitions share it, and nobody changes it.
type registry struct {
	byName map[string]*Protocol
	byPort map[portKey][]*Protocol
	probed map[Transport][]*Protocol
	riders map[*Protocol][]*Protocol
	strays map[Transport]*Protocol // what packets of no protocol belong to

	trailing map[Transport][]*Protocol // those that leave trails
}

type portKey struct {
	t    Transport
	port uint16
}

func newRegistry(protocols []*Protocol) *registry {
	r := &registry{
		byName: make(map[string]*Protocol), byPort: make(map[portKey][]*Protocol),
		probed: make(map[Transport][]*Protocol), riders: make(map[*Protocol][]*Protocol), strays: make(map[Transport]*Protocol),
		trailing: make(map[Transport][]*Protocol),
	}
	for _, p := range protocols {
		r.byName[p.Name] = p
		if p.Packet != nil {
			r.strays[p.Transport] = p
		}
		for t := TCP; t <= ICMPv6; t <<= 1 {
			if p.Transport&t == 0 || p.Probe == nil {
				continue
			}
			r.probed[t] = append(r.probed[t], p)
			if p.Trail != nil {
				r.trailing[t] = append(r.trailing[t], p)
			}
			for _, port := range p.Ports {
				k := portKey{t, port}
				r.byPort[k] = append(r.byPort[k], p)
			}
		}
		for _, rider := range protocols {
			if rider.Carry != nil && (rider.Over == p.Name || slices.Contains(p.Implies, rider.Over)) {
				r.riders[p] = append(r.riders[p], rider)
			}
		}
	}
	return r
}

// known tells whether a port is one that a protocol usually has.
func (r *registry) known(t Transport, port uint16) bool {
	return len(r.byPort[portKey{t, port}]) > 0
}

// speaks tells whether a stream can go on with the protocol of a name.
func (r *registry) speaks(name string) bool {
	p := r.byName[name]
	return p != nil && p.New != nil
}
