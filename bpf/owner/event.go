package owner

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Kind is what an event is of.
type Kind uint16

// The kinds, as owner.bpf.c has them.
const (
	Socket  Kind = 1 // a socket and who uses it
	End     Kind = 2 // a socket is gone; only Cookie and Time are set
	Process Kind = 3 // a process that uses a socket, or has become another program; before its sockets
	Exit    Kind = 4 // a process is gone
)

// Event is one that the programs gave. Times are nanoseconds of the boot-time clock.
type Event struct {
	Kind  Kind
	Time  uint64
	Since uint64 // of a socket: when it began to be so; 0: not known, or at Time
	Who   Who

	Cookie        uint64 // of a socket, never used again until the next boot
	Inode         uint64 // 0: not known
	Netns         uint32 // inode of its network namespace
	Protocol      uint16 // number of the transport
	Local, Remote netip.AddrPort
	Listen        bool // it takes connections
	ReusePort     bool // others may have the same address
	V6Only        bool // "::" is not for IPv4
	Existing      bool // it was there before the programs were

	Line   []byte // command line of a process, arguments ended by 0, or the beginning of it
	Length uint32 // of all of the line
}

// Who is a process.
type Who struct {
	PID, Parent uint32
	Start       uint64 // when it was started
	Cgroup      uint64 // id in the version 2 hierarchy, which is the inode of its folder
	Comm        string
}

// Lost is how many events were lost, by what they were of. That of a socket or a process is
// tried again when the socket is next used, so that one may be counted several times.
type Lost struct {
	Sockets, Ends, Processes, Exits uint64 // found no room
	Storage                         uint64 // sockets that the kernel had no memory to keep an owner with
}

// Feature is something that this kernel does not offer, and what it is for.
type Feature struct {
	Program, For string
	Err          error // wraps errors.ErrUnsupported
}

func (f Feature) Error() string { return fmt.Sprintf("%s (%s): %v", f.Program, f.For, f.Err) }
func (f Feature) Unwrap() error { return f.Err }

// What events are laid out like.
const (
	whoSize    = 40
	socketSize = 40 + whoSize + 8 + 32
	lineAt     = 16 + whoSize

	flagReusePort = 1
	flagV6Only    = 2
	flagListen    = 4
	familyIPv4    = 2
)

var le = binary.LittleEndian

// decode reads an event. It tells whether it is one.
func (e *Event) decode(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	*e = Event{Kind: Kind(le.Uint16(b))}
	switch e.Kind {
	case Socket, End:
		return e.decodeSocket(b)
	case Process, Exit:
		if len(b) < lineAt {
			return false
		}
		e.Length, e.Time = le.Uint32(b[4:]), le.Uint64(b[8:])
		e.Who.decode(b[16:])
		if n := int(le.Uint16(b[2:])); n <= len(b)-lineAt {
			e.Line = b[lineAt : lineAt+n]
		}
		return true
	}
	return false
}

func (e *Event) decodeSocket(b []byte) bool {
	if len(b) < socketSize {
		return false
	}
	flags := le.Uint16(b[2:])
	e.ReusePort, e.V6Only, e.Listen = flags&flagReusePort != 0, flags&flagV6Only != 0, flags&flagListen != 0
	e.Netns, e.Time, e.Since, e.Cookie, e.Inode = le.Uint32(b[4:]), le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:]), le.Uint64(b[32:])
	e.Who.decode(b[40:])
	b = b[40+whoSize:]
	family := le.Uint16(b)
	e.Protocol = le.Uint16(b[2:])
	e.Local = netip.AddrPortFrom(address(b[8:24], family), le.Uint16(b[4:]))
	e.Remote = netip.AddrPortFrom(address(b[24:40], family), le.Uint16(b[6:]))
	return true
}

func address(b []byte, family uint16) netip.Addr {
	if family == familyIPv4 {
		return netip.AddrFrom4([4]byte(b))
	}
	return netip.AddrFrom16([16]byte(b)).Unmap()
}

func (w *Who) decode(b []byte) {
	w.PID, w.Parent, w.Start, w.Cgroup = le.Uint32(b), le.Uint32(b[4:]), le.Uint64(b[8:]), le.Uint64(b[16:])
	comm, _, _ := bytes.Cut(b[24:40], []byte{0})
	w.Comm = string(comm)
}
