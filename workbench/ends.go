package workbench

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"shark/packet"
	"shark/snapshot/identity"
)

// ends is a condition on the two ends of a packet. Nil matches all.
type ends struct {
	log      *identity.Log
	name     string          // of a pod, service or workload; empty: any
	space    string          // namespace; empty: any
	addrs    map[string]bool // that the name ever had
	prefix   netip.Prefix
	byPrefix bool
	dec      *packet.Decoder
}

// newEnds reads the conditions; empty ones hold for all packets.
func (e *Evidence) newEnds(ctx context.Context, workload, ip string) (*ends, error) {
	if workload == "" && ip == "" {
		return nil, nil
	}
	x := &ends{dec: packet.NewDecoder()}
	if ip != "" {
		var ok bool
		if x.prefix, ok = parsePrefix(ip); !ok {
			return nil, usage("%q is neither an address nor a CIDR block", ip)
		}
		x.byPrefix = true
	}
	if workload == "" {
		return x, nil
	}
	log, err := e.log(ctx)
	if err != nil {
		return nil, fmt.Errorf("workload %q: %w", workload, err)
	}
	if x.log = log; log == nil {
		return nil, usage("workload %q: there is no identity log that says which addresses it had; give one with --identity", workload)
	}
	x.name = workload
	if space, name, ok := strings.Cut(workload, "/"); ok {
		x.space, x.name = space, name
	}
	if known, err := x.known(); err != nil || !known {
		return nil, usage("the identity log has no pod, service or workload %q", workload)
	}
	return x, nil
}

// parsePrefix reads an address or a block of them, IPv4 in IPv6 as IPv4.
func parsePrefix(s string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, true
}

// known tells whether the log has ever heard of the name, and takes down which addresses
// it ever had.
func (x *ends) known() (bool, error) {
	all, err := x.log.Workloads(identity.WorkloadFilter{Namespace: x.space})
	found := false
	x.addrs = make(map[string]bool)
	for _, w := range all {
		if w.Name != x.name && (w.Workload == nil || w.Workload.Name != x.name) {
			continue
		}
		found = true
		for _, lease := range w.IPs {
			x.addrs[lease.IP] = true
		}
	}
	return found, err
}

// conditions are those that hold for the addresses of any packet that is wanted.
func (x *ends) conditions() (list []func(packet.Addr) bool) {
	if x == nil {
		return nil
	}
	if x.byPrefix {
		list = append(list, func(a packet.Addr) bool { return x.inPrefix(a, 0) })
	}
	if x.name != "" {
		list = append(list, func(a packet.Addr) bool { return x.addrs[a.String()] })
	}
	return list
}

// match tells whether a packet is wanted.
func (x *ends) match(r *packet.Record) bool {
	if x == nil {
		return true
	}
	var p packet.Packet
	x.dec.Decode(r, &p)
	addrs := [...]packet.Addr{p.Src, p.Dst, p.Tunnel.Src, p.Tunnel.Dst}
	return x.any(addrs[:], x.inPrefix, r.Time) && x.any(addrs[:], x.owned, r.Time)
}

func (x *ends) any(addrs []packet.Addr, f func(packet.Addr, int64) bool, t int64) bool {
	for _, a := range addrs {
		if a != (packet.Addr{}) && f(a, t) {
			return true
		}
	}
	return false
}

func (x *ends) inPrefix(a packet.Addr, _ int64) bool { return !x.byPrefix || x.prefix.Contains(a.IP()) }

// owned tells whether the workload had the address at the time.
func (x *ends) owned(a packet.Addr, t int64) bool {
	if x.name == "" {
		return true
	}
	o := x.log.Lookup(a, t)
	in := func(space, name string) bool {
		return name == x.name && (x.space == "" || x.space == space)
	}
	return in(o.PodNamespace, o.Pod) || in(o.PodNamespace, o.Workload) || in(o.ServiceNamespace, o.Service)
}
