package snapshot

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"shark/packet"
	"shark/packet/filter"
	"shark/snapshot/identity"
)

// ErrFilter says that a filter asks for what there cannot be.
var ErrFilter = errors.New("wrong filter")

// Filter says which packets of recordings are taken. A packet must suit each list that is
// not empty, which it does when it suits one thing in it, at either end, outside or inside
// of a tunnel.
type Filter struct {
	Nodes      []string `json:"nodes,omitempty"`
	Namespaces []string `json:"namespaces,omitempty"` // of a pod or service
	Workloads  []string `json:"workloads,omitempty"`  // names of pods, services or workloads, or namespace/name
	Addresses  []string `json:"addresses,omitempty"`  // or CIDR blocks
	Expression string   `json:"expression,omitempty"` // of pcap-filter(7)
}

// String is the filter as the flags of shark snapshot create.
func (f *Filter) String() string {
	var out []string
	for _, l := range []struct {
		flag   string
		values []string
	}{{"node", f.Nodes}, {"namespace", f.Namespaces}, {"workload", f.Workloads}, {"ip", f.Addresses}} {
		for _, v := range l.values {
			out = append(out, "--"+l.flag+" "+v)
		}
	}
	if f.Expression != "" {
		out = append(out, fmt.Sprintf("--bpf %q", f.Expression))
	}
	return strings.Join(out, " ")
}

func (f *Filter) empty() bool {
	return len(f.Nodes)+len(f.Namespaces)+len(f.Workloads)+len(f.Addresses) == 0 && f.Expression == ""
}

// selector is a Filter that is ready to be used.
type selector struct {
	f          *Filter
	log        *identity.Log // with namespaces or workloads
	prefixes   []netip.Prefix
	expression *filter.Filter
	dec        *packet.Decoder
	p          packet.Packet // the last one, if it is decoded
	is         bool
}

func newSelector(f *Filter) (*selector, error) {
	s := &selector{f: f, dec: packet.NewDecoder()}
	for _, text := range f.Addresses {
		p, err := netip.ParsePrefix(text)
		if a, bad := netip.ParseAddr(text); bad == nil {
			p, err = netip.PrefixFrom(a.WithZone(""), a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %q is neither an address nor a CIDR block", ErrFilter, text)
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		s.prefixes = append(s.prefixes, p)
	}
	if f.Expression != "" {
		var err error
		if s.expression, err = filter.Compile(f.Expression); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFilter, err)
		}
	}
	return s, nil
}

// byOwner tells whether it takes an identity log to select.
func (s *selector) byOwner() bool { return len(s.f.Namespaces)+len(s.f.Workloads) > 0 }

// all tells whether all packets are selected.
func (s *selector) all() bool { return s.expression == nil && len(s.prefixes) == 0 && !s.byOwner() }

// check tells whether the expression can be applied to the packets of some interfaces.
func (s *selector) check(interfaces []packet.Interface) error {
	for i := range interfaces {
		if s.expression == nil {
			return nil
		}
		if err := s.expression.Check(interfaces[i].Link); err != nil {
			return fmt.Errorf("%w: interface %q: %w", ErrFilter, interfaces[i].Name, err)
		}
	}
	return nil
}

// match tells whether a packet is selected.
func (s *selector) match(r *packet.Record) bool {
	s.is = false
	if s.expression != nil && !s.expression.Match(r.Link, r.Data, r.OrigLen) {
		return false
	}
	if len(s.prefixes) == 0 && !s.byOwner() {
		return true
	}
	p := s.decoded(r)
	address, space, name := len(s.prefixes) == 0, len(s.f.Namespaces) == 0, len(s.f.Workloads) == 0
	for _, a := range [...]packet.Addr{p.Src, p.Dst, p.Tunnel.Src, p.Tunnel.Dst} {
		if a == (packet.Addr{}) {
			continue
		}
		address = address || s.contains(a)
		if !space || !name {
			o := s.log.Lookup(a, r.Time)
			space, name = space || s.inSpace(&o), name || s.ofWorkload(&o)
		}
	}
	return address && space && name
}

// decoded decodes the packet that was matched, which is good until the next.
func (s *selector) decoded(r *packet.Record) *packet.Packet {
	if !s.is {
		s.dec.Decode(r, &s.p)
		s.is = true
	}
	return &s.p
}

func (s *selector) contains(a packet.Addr) bool {
	ip := a.IP()
	for _, p := range s.prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

func (s *selector) inSpace(o *identity.Owner) bool {
	for _, n := range s.f.Namespaces {
		if n == o.PodNamespace || n == o.ServiceNamespace {
			return true
		}
	}
	return false
}

// strangers says which namespaces and workloads of the filter nobody knows, and what namespaces
// there are: most likely a name is misspelt.
func (s *selector) strangers() (all []string, err error) {
	known, err := s.log.Workloads(identity.WorkloadFilter{})
	if err != nil {
		return nil, err
	}
	var spaces []string // in order, as the pods and services are
	owners := make([]identity.Owner, 0, len(known))
	for i := range known {
		k := &known[i]
		spaces = append(spaces, k.Namespace)
		o := identity.Owner{PodNamespace: k.Namespace, Pod: k.Name}
		if k.Kind == identity.Service {
			o = identity.Owner{ServiceNamespace: k.Namespace, Service: k.Name}
		} else if k.Workload != nil {
			o.Workload = k.Workload.Name
		}
		owners = append(owners, o)
	}
	spaces = slices.Compact(spaces)
	for _, n := range s.f.Namespaces {
		if !slices.Contains(spaces, n) {
			all = append(all, fmt.Sprintf("no pod or service is of namespace %q: %s", n, listed(spaces)))
		}
	}
	for _, n := range s.f.Workloads {
		if !slices.ContainsFunc(owners, func(o identity.Owner) bool { return ofWorkload(&o, n) }) {
			all = append(all, fmt.Sprintf("no pod, service or workload is called %q: %s", n, listed(spaces)))
		}
	}
	if more := len(all) - maxNotes; more > 0 {
		all = append(all[:maxNotes], fmt.Sprintf("%d more namespaces and workloads of the filter are not known", more))
	}
	return all, nil
}

// listed names the first of some namespaces.
func listed(spaces []string) string {
	if len(spaces) == 0 {
		return "none is known"
	}
	text := strings.Join(spaces[:min(len(spaces), maxNamed)], ", ")
	if more := len(spaces) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return "the namespaces are " + text
}

// ofWorkload tells whether an owner is a pod, a service or of a workload that is named.
func (s *selector) ofWorkload(o *identity.Owner) bool {
	return slices.ContainsFunc(s.f.Workloads, func(w string) bool { return ofWorkload(o, w) })
}

func ofWorkload(o *identity.Owner, named string) bool {
	space, name, spaced := strings.Cut(named, "/")
	if !spaced {
		space, name = "", named
	}
	is := func(s, n string) bool { return n == name && (space == "" || s == space) }
	return is(o.PodNamespace, o.Pod) || is(o.PodNamespace, o.Workload) || is(o.ServiceNamespace, o.Service)
}
