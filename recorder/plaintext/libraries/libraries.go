// Package libraries knows which files with TLS in them are mapped executable by which processes
// of the machine: each real file once, whatever overlay mounts, namespaces and names processes
// see it through.
//
// In: the mappings of all processes, from the kernel (package bpf/mappings) or, where that is
// not possible, from /proc. Out: the files, told anew within a second when a process begins,
// ends or maps another one; what each file is, from its content alone. The tables are bounded;
// what finds no room is counted.
package libraries

import (
	"errors"
	"time"

	"shark/recorder/plaintext/object"
)

// Limits.
const (
	maxFiles     = 1 << 10 // with TLS in them
	maxOthers    = 1 << 16 // without, known not to be looked at again
	maxProcesses = 1 << 16
	maxMappings  = 1 << 10 // of one process
)

// Times.
const (
	settle  = 100 * time.Millisecond // from a notice until a look: a loader maps one file after another
	patient = 800 * time.Millisecond // until a look at a process that maps often and never anything new
	sweep   = 10 * time.Second       // until all processes are looked at, whatever was noticed
	rare    = time.Second            // until all are looked at where the kernel gives no notices
)

// ID is a real file, and no other that has its inode later. Stamp is the inode's generation.
// Where only /proc tells of files, it is the time of modification, and a file that is seen through
// overlay mounts, which have a device each, has Device 0.
type ID struct {
	Device, Inode uint64
	Size          int64
	Stamp         int64
}

// Process is a process, and where it is.
type Process struct {
	TGID    uint32
	NetNS   uint32        // inode of its network namespace
	Cgroup  uint64        // 0 where only /proc tells
	Started time.Duration // since boot
	Comm    string
}

// File is a real file that has TLS in it.
type File struct {
	ID
	Path      string // one of its names, as a process that maps it sees it
	Object    *object.Object
	Processes []Process // that map it, by number
	places    []place
}

// place is where a file can be opened: a mapping of a process.
type place struct {
	tgid       uint32
	start, end uint64
}

// Status is how the watch goes.
type Status struct {
	Source    string // "kernel" or "/proc"
	Reason    string // why not the kernel
	Files     int    // with TLS
	Others    int    // without, known
	Processes int
	Scans     uint64 // of all processes
	Looks     uint64 // at one process
	Refused   uint64 // files, processes and mappings that found no room in the tables
	Unread    uint64 // files that could not be read; they are tried again when they are seen again
}

// Errors of OpenFile, when a process ended or its mappings changed just now.
var (
	errGone  = errors.New("no process maps the file any more")
	errOther = errors.New("another file by now")
)
