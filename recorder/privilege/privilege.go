// Package privilege gives up what a recorder need not be allowed to do, and keeps it within the
// memory that it has.
//
// In: nothing but the process. Out: a process that cannot gain rights, and has left only what
// Kept lists; and what it still may.
package privilege

import "fmt"

// Kept are the capabilities that a recorder has use for, and what for. What of them it does not
// have it does without; the parts say then what they miss.
var Kept = []Capability{
	{"CAP_NET_RAW", 13, "packets: sockets that see what devices carry"},
	{"CAP_NET_ADMIN", 12, "packets: all of them on devices that are not addressed by them"},
	{"CAP_SYS_ADMIN", 21, "packets: entering the network namespaces of pods; files that processes have mapped"},
	{"CAP_SYS_PTRACE", 19, "TLS, processes: what /proc tells of others' files and namespaces"},
	{"CAP_DAC_READ_SEARCH", 2, "TLS: libraries in containers whose folders are others' own"},
	{"CAP_BPF", 39, "TLS, sockets: programs in the kernel"},
	{"CAP_PERFMON", 38, "TLS, sockets: programs at functions and tracepoints"},
}

// Capability is one of Linux, by its number.
type Capability struct {
	Name   string
	Number int
	For    string
}

// mask are the bits of what is kept.
func mask() (m uint64) {
	for _, c := range Kept {
		m |= 1 << c.Number
	}
	return m
}

// names lists the capabilities in a set: first those that there is use for. Others, which a process
// has that could not give them up, are called by their numbers.
func names(set uint64) (list []string) {
	for _, c := range Kept {
		if set&(1<<c.Number) != 0 {
			list = append(list, c.Name)
		}
	}
	for n := range 64 {
		if set&^mask()&(1<<n) != 0 {
			list = append(list, fmt.Sprint("capability ", n))
		}
	}
	return list
}
