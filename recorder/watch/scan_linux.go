package watch

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"shark/bpf/owner"
	"shark/recorder/procfs"
)

// scanned marks cookies that are made of inodes.
const scanned = 1 << 63

// rescan looks through /proc for sockets that are new and those that are gone.
func (w *Watcher) rescan() {
	now := uint64(procfs.SinceBoot())
	first := w.scan == nil
	seen := make(map[uint64]bool)
	inodes := make(map[uint64]owner.Who)
	tables := make(map[uint32]uint32)   // a process of each network namespace
	pids, _ := procfs.PIDs(procfs.Root) // there are none, then
	for _, pid := range pids {
		w.scanProcess(pid, inodes, tables)
	}
	for netns, pid := range tables {
		for _, e := range socketsOf(pid) {
			who, known := inodes[e.Inode]
			if !known || len(seen) >= maxSockets {
				continue
			}
			e.Kind, e.Cookie, e.Netns, e.Who, e.Time, e.Existing = owner.Socket, scanned|e.Inode, netns, who, now, first
			seen[e.Cookie] = true
			if s := w.sockets[e.Cookie]; s == nil || s.e.Local != e.Local || s.e.Remote != e.Remote || s.e.Who.PID != who.PID {
				w.socket(&e)
			}
		}
	}
	for cookie := range w.scan {
		if !seen[cookie] {
			w.end(cookie, w.real(now))
		}
	}
	w.scan = seen
	for pid, p := range w.processes {
		if w.programs == nil && !sameProcess(pid, p.start) {
			w.exit(&owner.Who{PID: pid, Start: p.start}, w.real(now))
		}
	}
}

// scanProcess notes which sockets a process has open, and which network namespace it is in.
// Of several that share a socket, the first is taken.
func (w *Watcher) scanProcess(pid uint32, inodes map[uint64]owner.Who, tables map[uint32]uint32) {
	netns := procfs.NetNS(pid)
	if netns == 0 || w.o.Netns != 0 && netns != w.o.Netns {
		return
	}
	var own []uint64
	procfs.Sockets(pid, maxDescriptors, func(inode uint64) { own = append(own, inode) })
	if len(own) == 0 {
		return
	}
	s, ok := procfs.StatOf(pid)
	if !ok {
		return
	}
	who := owner.Who{PID: pid, Parent: s.Parent, Start: uint64(s.Started), Comm: s.Comm}
	tables[netns] = pid
	for _, inode := range own {
		if _, known := inodes[inode]; !known {
			inodes[inode] = who
		}
	}
}

// maxDescriptors is how many of a process are looked at.
const maxDescriptors = 1 << 20

// sameProcess tells whether a process lives that began at a time.
func sameProcess(pid uint32, start uint64) bool {
	s, ok := procfs.StatOf(pid)
	return ok && s.Started == time.Duration(start).Truncate(procfs.Tick)
}

// socketsOf reads the tables of sockets of the network namespace that a process is in.
func socketsOf(pid uint32) (out []owner.Event) {
	for _, t := range []struct {
		name     string
		protocol uint16
	}{{"tcp", 6}, {"tcp6", 6}, {"udp", udp}, {"udp6", udp}} {
		for line := range strings.Lines(string(procfs.Read(pid, "net/"+t.name))) {
			if e, ok := parseSocket(line); ok {
				e.Protocol = t.protocol
				out = append(out, e)
			}
		}
	}
	return out
}

// parseSocket reads a line of such a table.
func parseSocket(line string) (e owner.Event, ok bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return e, false
	}
	var good bool
	if e.Local, ok = parseAddrPort(f[1]); !ok {
		return e, false
	}
	if e.Remote, good = parseAddrPort(f[2]); !good || e.Local.Port() == 0 {
		return e, false
	}
	e.Listen = f[3] == "0A"
	inode, err := strconv.ParseUint(f[9], 10, 63)
	e.Inode = inode
	return e, err == nil && inode != 0
}

// parseAddrPort reads an address as these tables have it: in words of the machine's order.
func parseAddrPort(s string) (netip.AddrPort, bool) {
	text, port, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	b, bad := hex.DecodeString(text)
	if err != nil || bad != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}
