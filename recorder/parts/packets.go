// Package parts makes the parts of a recorder of the packages that do the work.
//
// In: what is to be recorded, as an operator says it. Out: a recorder.Part for each kind of
// thing, with what it reports of itself.
package parts

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"shark/packet/filter"
	"shark/recorder"
	"shark/recorder/metrics"
	"shark/recorder/netns"
	"shark/recorder/packets"
	"shark/recorder/watch/kubernetes"
)

// maxMissing is how many things a part lists that it cannot do.
const maxMissing = 50

// Capture says which packets are recorded.
type Capture struct {
	// Devices are patterns of names of network devices (path.Match); none: all devices.
	Devices []string
	// Namespaces are network namespaces: host, own, a process's number, a name of ip netns, or a
	// path; none: all.
	Namespaces []string
	// Pods are those that are recorded, in whose network namespaces packets are and whose
	// processes TLS is read of. Where not every pod is meant, nothing else is recorded but what
	// Namespaces names, in addition.
	Pods kubernetes.Target
	// API says which pods there are; nil: it is not asked, and Pods must be the zero Target.
	API *kubernetes.Options
	// DropReasons has it counted why the kernel dropped packets, by package drops.
	DropReasons bool
	Expression  string // pcap-filter(7); empty: all packets
	SnapLen     int    // bytes kept of a packet; 0: all
	// SocketBytes is the memory of one device's socket, and MemoryBytes that of all; 0: as
	// package packets has it.
	SocketBytes, MemoryBytes int64

	known *pods // to the identity part, once there are parts
}

// Options turns what is said into what package packets wants.
func (c *Capture) Options() (packets.Options, error) {
	o := packets.Options{RingBytes: c.SocketBytes, MemoryBytes: c.MemoryBytes, Filter: c.Expression}
	for _, pattern := range c.Devices {
		if _, err := path.Match(pattern, ""); err != nil {
			return o, fmt.Errorf("%q is no pattern of device names", pattern)
		}
	}
	if c.SnapLen < 0 || c.SnapLen > packets.MaxSnapLen {
		return o, fmt.Errorf("snap length %d: it may be 1 to %d bytes, or 0 for all", c.SnapLen, packets.MaxSnapLen)
	}
	if c.Expression != "" || c.SnapLen > 0 {
		r := filter.Rule{SnapLen: packets.MaxSnapLen}
		if c.SnapLen > 0 {
			r.SnapLen = uint32(c.SnapLen)
		}
		if c.Expression != "" {
			var err error
			if r.Filter, err = filter.Compile(c.Expression); err != nil {
				return o, err
			}
		}
		o.Rules = []filter.Rule{r}
	}
	if len(c.Devices) > 0 {
		o.Devices = func(d packets.Device) bool {
			return slices.ContainsFunc(c.Devices, func(pattern string) bool {
				ok, err := path.Match(pattern, d.Name)
				return ok && err == nil
			})
		}
	}
	if len(c.Namespaces) > 0 || !c.Pods.All() {
		o.Namespaces = func(n packets.Namespace) bool {
			has := c.Has(n.Inode, n.PID)
			if has && c.known != nil {
				c.known.take(n.Inode)
			}
			return has
		}
	}
	return o, nil
}

// Has tells whether a network namespace that a process is in is among those that are named,
// which may come later, or is a pod's that is meant.
func (c *Capture) Has(inode uint64, pid int) bool {
	return c.all() || c.named(inode) || !c.Pods.All() && c.known != nil && c.known.chosen(pid, &c.Pods)
}

// has is Has where no process of the namespace is known: a pod's counts while it is captured.
func (c *Capture) has(inode uint64) bool {
	return c.all() || c.named(inode) || c.known != nil && c.known.took(inode)
}

// all tells whether every network namespace is meant.
func (c *Capture) all() bool { return len(c.Namespaces) == 0 && c.Pods.All() }

func (c *Capture) named(inode uint64) bool {
	return inode != 0 && slices.ContainsFunc(c.Namespaces, func(name string) bool { return netns.Inode(namespacePath(name)) == inode })
}

// namespacePath returns where a namespace can be found.
func namespacePath(name string) string {
	switch _, err := strconv.ParseUint(name, 10, 31); {
	case name == "host":
		return "/proc/1/ns/net"
	case name == "own":
		return "/proc/self/ns/net"
	case err == nil:
		return "/proc/" + name + "/ns/net"
	case filepath.IsAbs(name):
		return name
	}
	return filepath.Join("/run/netns", filepath.Base(name))
}

// PacketsName is the name of the part that records packets.
const PacketsName = "packets"

// Packets records packets.
func Packets(o packets.Options) recorder.Part {
	return recorder.Part{Name: PacketsName, Open: func(_ context.Context, s recorder.Sinks) (recorder.Running, error) {
		c, err := packets.Open(o)
		if err != nil {
			return nil, err
		}
		return &capture{c, s.Packets}, nil
	}}
}

type capture struct {
	*packets.Capture
	sink recorder.Sink
}

// Run implements recorder.Running.
func (c *capture) Run(ctx context.Context) error { return c.Capture.Run(ctx, c.sink) }

// captureDetails is what the status says of the capture.
type captureDetails struct {
	Namespaces  int    `json:"namespaces"`
	Interfaces  int    `json:"interfaces"`
	Received    uint64 `json:"received"`
	Dropped     uint64 `json:"dropped"`
	SocketBytes int64  `json:"socket_bytes"`
}

// Report implements recorder.Running.
func (c *capture) Report() recorder.Report {
	s := c.Status()
	d := captureDetails{Received: s.Received, Dropped: s.Dropped, SocketBytes: s.RingBytes}
	var r recorder.Report
	missing := func(format string, args ...any) {
		if len(r.Missing) < maxMissing {
			r.Missing = append(r.Missing, fmt.Sprintf(format, args...))
		}
	}
	for _, n := range s.Namespaces {
		if d.Namespaces++; n.Err != nil {
			missing("namespace %d: %v", n.Inode, n.Err)
		}
	}
	for i := range s.Interfaces {
		f := &s.Interfaces[i]
		if f.Err != nil {
			missing("device %s: %v", packets.NameOf(&f.Device), f.Err)
			continue
		}
		d.Interfaces++
	}
	if d.Interfaces == 0 {
		r.Idle = "no network device that was chosen is there and up"
	}
	r.Details = d
	r.Metrics = []metrics.Family{
		metrics.One("shark_recorder_received_packets_total", metrics.Counter, float64(s.Received), "Packets that the kernel gave to the recorder's sockets, with those it dropped there."),
		metrics.One("shark_recorder_interfaces", metrics.Gauge, float64(d.Interfaces), "Network devices that are captured."),
		metrics.One("shark_recorder_network_namespaces", metrics.Gauge, float64(d.Namespaces), "Network namespaces that are captured."),
		metrics.One("shark_recorder_socket_bytes", metrics.Gauge, float64(s.RingBytes), "Memory of the kernel's rings of packets."),
	}
	return r
}
