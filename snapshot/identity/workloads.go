package identity

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"shark/packet"
)

// WorkloadFilter says which pods and services are wanted. Its zero value is all
// of them, at any time of the log; what is set must all hold.
type WorkloadFilter struct {
	Name, Namespace string            // exact
	Namespaces      []string          // any of them
	NameRegex       string            // RE2, found anywhere in the name
	Labels          map[string]string // all of them
	Type            Kind              // Pod or Service; empty: both
	At              time.Time         // what there was at this time; zero: at any time
}

// Workload is one pod or service.
type Workload struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Kind      Kind              `json:"kind"`
	Labels    map[string]string `json:"labels"` // the newest that match; shared, not to be changed
	IPs       []Lease           `json:"ips"`
	Node      string            `json:"node,omitempty"`
	Workload  *WorkloadRef      `json:"workload,omitempty"` // that owns the pod
}

// Lease is an address that was somebody's for a time.
type Lease struct {
	IP   string    `json:"ip"`
	From time.Time `json:"from"`        // or earlier, when the log begins then
	To   time.Time `json:"to,omitzero"` // zero: to the end of the log
}

// IPFilter says which addresses are wanted. Its zero value is all of them, at any time;
// what is set must all hold.
type IPFilter struct {
	IP         string            // exact
	Namespaces []string          // of a pod or service that had it
	NameRegex  string            // RE2, found anywhere in that name
	Labels     map[string]string // all of them
	At         time.Time
}

// IPInfo is one address and who had it.
type IPInfo struct {
	IP      string     `json:"ip"`
	Records []IPRecord `json:"records"`
}

// IPRecord is one pod, service or node that had an address, or a process with sockets there,
// from its first to its last. Host-network pods stand beside their node.
type IPRecord struct {
	Name      string    `json:"name"`
	Namespace string    `json:"namespace,omitempty"`
	Kind      Kind      `json:"kind"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to,omitzero"`
}

// Workloads lists pods and services by namespace, name and kind, with their
// addresses in order of time.
func (l *Log) Workloads(f WorkloadFilter) ([]Workload, error) {
	if f.Type != "" && f.Type != Pod && f.Type != Service {
		return nil, fmt.Errorf("type %q is neither pod nor service", f.Type)
	}
	m, err := l.matcher(f.Namespaces, f.NameRegex, f.Labels, f.At)
	if err != nil || l == nil {
		return nil, err
	}
	found := []Workload{}
	for i := range l.objects {
		o := &l.objects[i]
		if o.kind != Pod && o.kind != Service || f.Type != "" && o.kind != f.Type ||
			f.Name != "" && o.name != f.Name || f.Namespace != "" && o.namespace != f.Namespace || !m.named(o) {
			continue
		}
		s := m.newest(o, m.from, m.to)
		if s == nil {
			continue
		}
		w := Workload{Name: o.name, Namespace: o.namespace, Kind: o.kind, Labels: s.attrs.labels, IPs: []Lease{}, Node: l.names[s.node][1]}
		if s.workload != (WorkloadRef{}) {
			w.Workload = &s.workload
		}
		if w.Labels == nil {
			w.Labels = map[string]string{}
		}
		for _, x := range o.leases {
			if m.during(x) {
				w.IPs = append(w.IPs, Lease{l.addrs[x.addr].String(), when(x.from), when(x.to)})
			}
		}
		found = append(found, w)
	}
	slices.SortFunc(found, func(a, b Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return found, nil
}

// IPs lists addresses in their order, with who had them in order of time.
func (l *Log) IPs(f IPFilter) ([]IPInfo, error) {
	m, err := l.matcher(f.Namespaces, f.NameRegex, f.Labels, f.At)
	if err != nil {
		return nil, err
	}
	only := packet.Addr{}
	if f.IP != "" {
		ip, err := netip.ParseAddr(f.IP)
		if err != nil {
			return nil, fmt.Errorf("%q is not an IP address", clip(f.IP))
		}
		only = packet.AddrFrom(ip.Unmap())
	}
	if l == nil {
		return nil, nil
	}
	records := make(map[packet.Addr][]IPRecord)
	for i := range l.objects {
		o := &l.objects[i]
		if o.kind != Pod && o.kind != Service && o.kind != Node || !m.named(o) {
			continue
		}
		for _, x := range o.leases {
			a := l.addrs[x.addr]
			if f.IP != "" && a != only || !m.during(x) || m.newest(o, max(x.from, m.from), min(x.to, m.to)) == nil {
				continue
			}
			records[a] = append(records[a], IPRecord{o.name, o.namespace, o.kind, when(x.from), when(x.to)})
		}
	}
	for a, list := range l.processRecords(m) {
		if f.IP == "" || a == only {
			records[a] = append(records[a], list...)
		}
	}
	found := make([]IPInfo, 0, len(records))
	for a, r := range records {
		slices.SortFunc(r, func(a, b IPRecord) int { // in an order that is always the same
			return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), a.To.Compare(b.To))
		})
		found = append(found, IPInfo{a.String(), r})
	}
	slices.SortFunc(found, func(a, b IPInfo) int {
		return netip.MustParseAddr(a.IP).Compare(netip.MustParseAddr(b.IP))
	})
	return found, nil
}

// processRecords lists the processes that had sockets, by address: those of one name once.
func (l *Log) processRecords(m *matcher) map[packet.Addr][]IPRecord {
	out := make(map[packet.Addr][]IPRecord)
	if len(m.namespaces) > 0 || len(m.labels) > 0 {
		return out // processes have neither
	}
	type user struct {
		addr int32
		name string
	}
	leases := make(map[user]lease)
	for k, list := range l.spans {
		for _, s := range list {
			name := l.processes[s.process].name
			x := lease{k.addr, s.from, s.to}
			if m.name != nil && !m.name.MatchString(name) || !m.during(x) {
				continue
			}
			if old, known := leases[user{k.addr, name}]; known {
				x.from, x.to = min(x.from, old.from), max(x.to, old.to)
			}
			leases[user{k.addr, name}] = x
		}
	}
	for u, x := range leases {
		a := l.addrs[u.addr]
		out[a] = append(out[a], IPRecord{u.name, "", Process, when(x.from), when(x.to)})
	}
	return out
}

// matcher is what both filters share.
type matcher struct {
	namespaces []string
	name       *regexp.Regexp
	labels     map[string]string
	from, to   int64 // the time asked about, its end left out
}

func (l *Log) matcher(namespaces []string, regex string, labels map[string]string, at time.Time) (*matcher, error) {
	m := &matcher{namespaces: namespaces, labels: labels, from: -forever, to: forever}
	if len(regex) > maxRegex {
		return nil, fmt.Errorf("name pattern: %d bytes are more than %d", len(regex), maxRegex)
	}
	if regex != "" {
		var err error
		if m.name, err = regexp.Compile(regex); err != nil {
			return nil, fmt.Errorf("name pattern: %w", err)
		}
	}
	if !at.IsZero() {
		if !inRange(at) {
			return nil, fmt.Errorf("time %s is out of range", at.Format(time.RFC3339))
		}
		m.from = at.UnixNano()
		if m.from > l.Until() {
			return nil, fmt.Errorf("time %s: %s", at.Format(time.RFC3339Nano), l.cut.Unknown)
		}
		m.to = m.from + 1
	}
	return m, nil
}

func (m *matcher) named(o *object) bool {
	return (len(m.namespaces) == 0 || slices.Contains(m.namespaces, o.namespace)) && (m.name == nil || m.name.MatchString(o.name))
}

// newest returns the newest state of an object between two times that has the labels.
func (m *matcher) newest(o *object, from, to int64) *state {
	for i := len(o.versions) - 1; i >= 0; i-- {
		v := o.versions[i]
		if v.from < to && v.state != nil && m.labelled(v.state) {
			return v.state
		}
		if v.from <= from {
			break // the one before has ended by then
		}
	}
	return nil
}

func (m *matcher) labelled(s *state) bool {
	for k, v := range m.labels {
		if have, ok := s.attrs.labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// during tells whether a lease is of the time asked about.
func (m *matcher) during(x lease) bool { return x.from < m.to && x.to > m.from && x.from < x.to }

// when is a time of a lease; its end is zero when it has none.
func when(t int64) time.Time {
	if t == forever {
		return time.Time{}
	}
	return time.Unix(0, t).UTC()
}
