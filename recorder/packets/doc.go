// Package packets captures what goes through the network interfaces of a node, in the network
// namespaces of the host and of its pods.
//
// In: which namespaces and devices, by functions that are asked again each second; a filter and
// rules for how much of a packet is kept; how much memory. Out: packets, given to a Sink by one
// goroutine, in batches that stand in the kernel's rings and are not copied on the way; and of
// each interface how many packets the kernel dropped.
//
// Each device has an AF_PACKET socket with a TPACKET_V3 ring, opened in its namespace by a
// thread that enters it and ends there. Namespaces are those of all processes and those that
// have a name; they are looked for once a second, devices come and go with the kernel's word.
//
// What a record is:
//
//   - a packet as the kernel has it: what the network card will cut (up to 64 KiB, and more) or
//     has joined is one packet. Its options say so (pcapng.Offload), and that its checksum is
//     not filled in yet.
//   - The VLAN tag that the kernel took out stands where it was.
//   - On loopback a packet is seen as it comes in, and not as it goes out: once.
//   - Times are the kernel's, in nanoseconds. A device's packets come in the order of time,
//     but for what several processors time at the same moment; those of different devices are
//     up to 50 ms apart, for so long a block of a ring waits.
//
// Received packets are those that were given to the Sink and those that were dropped, nothing
// is in between. A packet.Interface is a device of a namespace. Its Name is the device's,
// with @ and the namespace's inode where that is not the host's own; its Description is
// "netns " and the inode. What comes again by the same name in a namespace of the same inode is
// the same interface: the kernel gives out inodes anew, so there are no more interfaces than
// there are at a time, but for names that are made up. At most 65536 are met.
//
// Memory is that of the rings, Options.MemoryBytes in all, which the kernel holds, and some
// 100 KiB. Sockets keep their namespace alive; where no process is left they are closed within
// a second.
package packets

import (
	"cmp"
	"fmt"
	"time"

	"shark/packet"
	"shark/packet/filter"
)

// Limits of a capture.
const (
	// MaxSnapLen is what is kept of a packet at most.
	MaxSnapLen = 262144
	// maxInterfaces is how many interfaces a capture may meet.
	maxInterfaces = 1 << 16
	// maxNamespaces is how many namespaces are captured in at a time.
	maxNamespaces = 4096
	// leastRing is the smallest ring of a socket, in bytes. largeRing is what one has whose
	// blocks are large; others have small ones, so that there are some.
	leastRing, largeRing   = 1 << 20, 8 << 20
	smallBlock, largeBlock = 256 << 10, 1 << 20
	// batch is how many packets are given to the Sink at a time, at most.
	batch = 256
	// retire is how long the kernel keeps a block that is not full.
	retire = 50 * time.Millisecond
	// linger is how long a socket is read after it is known to get no more, or the capture to end:
	// the kernel gives out the last block within that time.
	linger = 4 * retire
	// counting is how often the kernel is asked what it dropped.
	counting = 250 * time.Millisecond
)

// Sink takes what is captured. Both are called by one goroutine; the records and their bytes are
// the Sink's until it returns. Interfaces only grow.
type Sink interface {
	Write(records []packet.Record, interfaces []packet.Interface)
	// Lost says that the kernel dropped n packets of an interface.
	Lost(i uint32, n uint64, interfaces []packet.Interface)
}

// Options choose what is captured. The zero Options have all of every namespace.
type Options struct {
	// Namespaces and Devices tell what to capture; nil: all. They are asked for each namespace
	// once a second and for each device when something changes, by one goroutine.
	Namespaces func(Namespace) bool
	Devices    func(Device) bool
	NoLoopback bool
	// HostSides has both ends of veth pairs captured. Else the host's end is not while the other
	// one is, whose packets it has.
	HostSides bool
	// Rules say of which packets how many bytes are kept: the first one that matches does. What
	// none matches is not captured. No rules: all packets, whole.
	Rules []filter.Rule
	// Filter describes the rules in the interfaces' descriptions.
	Filter string
	// RingBytes is the size of a socket's ring; 0: 16 MiB, or all of MemoryBytes if that is less.
	// MemoryBytes is that of all; 0: 512 MiB. As they get scarce, rings get smaller, down to 1 MiB.
	RingBytes, MemoryBytes int64
	Proc                   string   // where processes are; empty: /proc
	Named                  []string // folders of namespaces that have names; nil: /run/netns
	Rescan                 time.Duration
}

// LeastMemory is the least that Options.MemoryBytes may be: one small ring.
const LeastMemory = leastRing

func (o *Options) complete() error {
	o.MemoryBytes = cmp.Or(o.MemoryBytes, 512<<20)
	o.RingBytes = cmp.Or(o.RingBytes, min(16<<20, o.MemoryBytes))
	o.Proc = cmp.Or(o.Proc, "/proc")
	o.Rescan = cmp.Or(o.Rescan, time.Second)
	if o.Named == nil {
		o.Named = []string{"/run/netns"}
	}
	if o.MemoryBytes < LeastMemory {
		return fmt.Errorf("%d bytes of memory for the rings of all sockets: each has %d at least", o.MemoryBytes, leastRing)
	}
	if o.RingBytes < leastRing || o.MemoryBytes < o.RingBytes {
		return fmt.Errorf("rings of %d bytes, %d in all: one has at least %d", o.RingBytes, o.MemoryBytes, leastRing)
	}
	return nil
}

// Namespace is a network namespace.
type Namespace struct {
	Inode uint64
	PID   int    // of a process in it, the one with the least; 0: none is, it has a name
	Path  string // by which it can be opened
	Host  bool   // it is that of process 1
	Own   bool   // it is that of this process
}

// Device is a device of a namespace.
type Device struct {
	Namespace Namespace
	Name      string
	Index     int
	Kind      string // as ip link has it, such as veth; empty: the kernel does not tell
	Loopback  bool
}

// Status is what is captured and was.
type Status struct {
	// Received packets were given to the Sink or Dropped by the kernel, of all interfaces ever.
	Received, Dropped uint64
	RingBytes         int64 // of all sockets
	Namespaces        []NamespaceStatus
	Interfaces        []InterfaceStatus
}

// NamespaceStatus is a namespace that is chosen.
type NamespaceStatus struct {
	Namespace
	Err error // why its devices are not captured, or not all of them
}

// InterfaceStatus is a device that is chosen and there.
type InterfaceStatus struct {
	Device
	Interface         uint32 // index of its packet.Interface
	RingBytes         int64
	Received, Dropped uint64
	Err               error // why it is not captured
}

// NameOf is the name of the packet.Interface of a device.
func NameOf(d *Device) string {
	if d.Namespace.Host {
		return d.Name
	}
	return fmt.Sprintf("%s@%d", d.Name, d.Namespace.Inode)
}
