// Package watch tells who owned which socket and address on this machine, and when.
//
// In: the kernel's events of sockets and processes (package bpf/owner), /proc, cgroups, and
// the folders that kubelet keeps of its pods. Out: records of package snapshot/identity: first
// what there is, then each change, with its time: the node with its addresses, sockets,
// the processes that use them with their containers, and pods. Nothing is guessed: what
// cannot be found out is left out, and counted where it was missed.
//
// A process is told of once it uses a socket. What it was started with, its cgroup and its
// name come with the kernel's event, so that one that is gone soon is known too; the rest
// is read of /proc while it lives. A socket that takes whatever comes (it listens, or is of UDP
// and not connected) has all addresses of its network namespace.
//
// Memory is bounded: by the sockets and processes that live, of which no more than maxSockets
// and maxProcesses are held; what comes beyond them is not told of, and counted.
package watch

import "shark/bpf/owner"

const (
	maxSockets   = 1 << 18
	maxProcesses = 1 << 16
	// maxAddresses is how many addresses of a network namespace are held, maxNamespaces of
	// how many.
	maxAddresses  = 1 << 10
	maxNamespaces = 1 << 14
)

// Source is what records say they come from.
const Source = "recorder"

// Options say what to watch.
type Options struct {
	Node string // name of this machine; empty: as the kernel has it
	// Netns is the inode of the only network namespace to watch; 0: all.
	Netns uint32
	// Cgroup is the folder of the cgroup (version 2) whose UDP sockets' ends are noticed at
	// once, mostly CgroupRoot(); empty: they are noticed when their process ends, or another
	// takes the port.
	Cgroup string
	// Pods is kubelet's folder of logs by pod, whose names say which pods there are; empty:
	// /var/log/pods; NoPods: another source tells of pods.
	Pods string
	// Programs in the kernel are not used if ProcOnly is set: sockets are looked for in /proc
	// every second, and short ones are missed.
	ProcOnly bool
}

// NoPods is what Options.Pods is when no pods are to be told of.
const NoPods = "none"

// Status is how the watch goes.
type Status struct {
	// Missing says what this kernel does not offer, and what it is for.
	Missing []string
	// ProcOnly says that sockets are looked for in /proc alone.
	ProcOnly           bool
	Sockets, Processes int
	// Lost counts events that found no room in the kernel's buffer.
	Lost owner.Lost
	// Crowded counts sockets and processes beyond those that are held, and Homeless sockets
	// that take whatever comes in network namespaces whose addresses could not be read.
	Crowded, Homeless uint64
}
