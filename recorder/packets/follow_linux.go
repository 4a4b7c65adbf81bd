package packets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"shark/packet"
	"shark/recorder/netns"
)

// follower knows which namespaces and devices there are, and opens and closes sockets.
type follower struct {
	c          *Capture
	events     *events
	host, own  uint64 // inodes
	hostFD     int    // of the host's namespace, -1: it may not be seen
	namespaces map[uint64]*namespace
	left       int64           // bytes that rings may still have
	closing    map[*socket]int // sockets that the reader ends, and the bytes of their rings
	omitted    error           // why namespaces are left out, or not looked for
}

// namespace is one that is captured in.
type namespace struct {
	Namespace
	fd, watch int // the namespace, and what tells of its devices; -1: there is none
	sockets   map[int]*socket
	failed    map[int]failure // devices that are not captured
	pairs     map[int]bool    // devices of the host whose other ends are captured here
	changed   bool
	refused   bool
	err       error
}

type failure struct {
	device Device
	err    error
}

func newFollower(c *Capture) (*follower, error) {
	e, err := newEvents()
	if err != nil {
		return nil, err
	}
	f := &follower{
		c: c, events: e, own: netns.Inode("/proc/self/ns/net"), host: netns.Inode(c.o.Proc + "/1/ns/net"), hostFD: -1,
		namespaces: make(map[uint64]*namespace), left: c.o.MemoryBytes, closing: make(map[*socket]int),
	}
	if f.host == 0 {
		f.host = f.own
	}
	if fd, err := unix.Open(c.o.Proc+"/1/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		f.hostFD = fd
	}
	return f, nil
}

// run follows what comes and goes until the context ends.
func (f *follower) run(ctx context.Context) error {
	var list [64]unix.EpollEvent
	due := time.Now().Add(f.c.o.Rescan)
	for ctx.Err() == nil {
		ready, err := f.events.wait(list[:], max(int(time.Until(due).Milliseconds()), 0))
		if err != nil {
			return err
		}
		if err := f.bury(); err != nil {
			return err
		}
		some := false
		for _, n := range f.namespaces {
			if slices.ContainsFunc(ready, func(e unix.EpollEvent) bool { return e.Fd == int32(n.watch) }) {
				drainLinks(n.watch)
				n.changed, some = true, true
			}
		}
		if now := time.Now(); now.After(due) {
			due = now.Add(f.c.o.Rescan)
			if err := f.step(); err != nil { // the next time it may be possible
				f.omitted = err
				f.publish()
			}
		} else if some {
			f.visitAll()
		}
	}
	return nil
}

// step compares the namespaces that there are with those that are captured in.
func (f *follower) step() error {
	found, err := f.scan()
	if err != nil {
		return err
	}
	if f.c.o.Namespaces != nil {
		maps.DeleteFunc(found, func(_ uint64, n Namespace) bool { return !f.c.o.Namespaces(n) })
	}
	for inode, n := range f.namespaces {
		if _, ok := found[inode]; !ok {
			f.leave(n)
		}
	}
	f.omitted = nil
	for _, inode := range slices.Sorted(maps.Keys(found)) {
		if n := f.namespaces[inode]; n != nil {
			n.Namespace = found[inode]
			n.changed = n.changed || len(n.failed) > 0 || n.err != nil && !n.refused
			continue
		}
		if len(f.namespaces) >= maxNamespaces {
			f.omitted = fmt.Errorf("only %d of %d namespaces are captured in", maxNamespaces, len(found))
			break
		}
		f.meet(found[inode])
	}
	f.visitAll()
	return nil
}

// meet begins to capture in a namespace.
func (f *follower) meet(found Namespace) {
	n := &namespace{Namespace: found, fd: -1, watch: -1, sockets: make(map[int]*socket), failed: make(map[int]failure), changed: true}
	f.namespaces[n.Inode] = n
}

// enter opens a namespace and has its changes told.
func (f *follower) enter(n *namespace) error {
	fd, err := unix.Open(n.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("network namespace %d: open %s: %w", n.Inode, n.Path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != n.Inode {
		return errors.Join(err, fmt.Errorf("network namespace %d: %s has become another one", n.Inode, n.Path), unix.Close(fd))
	}
	n.fd = fd
	return f.inside(n, func() error {
		watch, err := watchLinks()
		if err != nil {
			return err
		}
		if err := f.events.add(watch); err != nil {
			return errors.Join(err, unix.Close(watch))
		}
		n.watch = watch
		return nil
	})
}

// inside runs a function on a thread that is in the namespace.
func (f *follower) inside(n *namespace, run func() error) error {
	var err error
	if n.Own {
		err = run()
	} else {
		err = netns.Do(n.fd, run)
	}
	if err != nil {
		n.refused = errors.Is(err, netns.ErrRefused)
		return fmt.Errorf("network namespace %d: %w", n.Inode, err)
	}
	return nil
}

// leave ends the capture in a namespace.
func (f *follower) leave(n *namespace) {
	for i := range n.sockets {
		f.end(n, i)
	}
	if n.watch >= 0 {
		_ = unix.Close(n.watch) // it only told; epoll forgets it
	}
	if n.fd >= 0 {
		_ = unix.Close(n.fd)
	}
	delete(f.namespaces, n.Inode)
	if h := f.namespaces[f.host]; h != nil {
		h.changed = true
	}
}

// visitAll looks at the devices of namespaces that changed, the host's last: what is captured of
// it depends on the others.
func (f *follower) visitAll() {
	for _, n := range f.namespaces {
		if n.changed && n.Inode != f.host {
			f.visit(n)
		}
	}
	if h := f.namespaces[f.host]; h != nil && h.changed {
		f.visit(h)
	}
	f.publish()
}

func (f *follower) visit(n *namespace) {
	n.changed, n.err = false, nil
	if n.watch < 0 {
		if n.fd >= 0 {
			_ = unix.Close(n.fd)
			n.fd = -1
		}
		if n.err = f.enter(n); n.err != nil {
			return
		}
	}
	n.err = f.inside(n, func() error {
		there, err := links()
		if err != nil {
			return err
		}
		f.compare(n, there)
		return f.pair(n, there)
	})
}

// compare opens and closes sockets of the thread's namespace, so that they are those of the
// devices that are there and chosen.
func (f *follower) compare(n *namespace, there []link) {
	clear(n.failed)
	wanted := make(map[int]*link)
	for i := range there {
		if l := &there[i]; f.wants(n, l) {
			wanted[l.index] = l
		}
	}
	for i, s := range n.sockets {
		if l := wanted[i]; l == nil || l.name != s.device.Name {
			f.end(n, i)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(wanted)) {
		l := wanted[i]
		if n.sockets[i] != nil || !l.up {
			continue
		}
		d := n.device(l)
		s, err := f.open(&d, l.hardware)
		if err != nil {
			n.failed[i] = failure{d, err}
			continue
		}
		n.sockets[i] = s
	}
}

func (n *namespace) device(l *link) Device {
	return Device{Namespace: n.Namespace, Name: l.name, Index: l.index, Kind: l.kind, Loopback: l.loopback}
}

// wants tells whether a device is to be captured.
func (f *follower) wants(n *namespace, l *link) bool {
	if l.loopback && f.c.o.NoLoopback {
		return false
	}
	if n.Inode == f.host && !f.c.o.HostSides && l.kind == "veth" {
		for _, other := range f.namespaces {
			if other.pairs[l.index] {
				return false
			}
		}
	}
	d := n.device(l)
	return f.c.o.Devices == nil || f.c.o.Devices(d)
}

// pair notes which devices of the host have their other end here.
func (f *follower) pair(n *namespace, there []link) error {
	if n.Inode == f.host || f.hostFD < 0 {
		return nil
	}
	pairs := make(map[int]bool)
	host := int32(-1)
	for i := range there {
		l := &there[i]
		if l.kind != "veth" || l.peerIn < 0 || n.sockets[l.index] == nil {
			continue
		}
		if host < 0 {
			var err error
			if host, err = numberOf(f.hostFD); err != nil || host < 0 {
				return err
			}
		}
		if l.peerIn == host {
			pairs[l.peer] = true
		}
	}
	if h := f.namespaces[f.host]; h != nil && !maps.Equal(pairs, n.pairs) {
		h.changed = true
	}
	n.pairs = pairs
	return nil
}

// Kinds of hardware (ARPHRD_*) whose packets begin with an Ethernet header, and with an IP header.
var (
	ethernets = []uint16{unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK}
	bares     = []uint16{unix.ARPHRD_NONE, unix.ARPHRD_RAWIP, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT}
)

// open captures a device of the thread's namespace.
func (f *follower) open(d *Device, hardware uint16) (*socket, error) {
	var kind packet.LinkType
	switch {
	case slices.Contains(ethernets, hardware):
		kind = linkEthernet
	case slices.Contains(bares, hardware):
		kind = linkRaw
	default:
		return nil, fmt.Errorf("capture %s: its packets have headers of a kind (%d) that is not known", d.Name, hardware)
	}
	p := f.c.programs[kind]
	if p.err != nil {
		return nil, fmt.Errorf("capture %s: %w", d.Name, p.err)
	}
	// As memory gets scarce everyone gets an eighth of what is left.
	size := min(f.c.o.RingBytes, max(f.left/8, leastRing)) / leastRing * leastRing
	if size > f.left {
		return nil, fmt.Errorf("capture %s: rings have all the %d bytes that they may: give more, or capture less", d.Name, f.c.o.MemoryBytes)
	}
	s, err := openSocket(d, kind, size, p.code)
	if err != nil {
		return nil, err
	}
	if err := f.c.admit(s); err != nil {
		return nil, errors.Join(err, s.close())
	}
	f.left -= int64(len(s.mem))
	return s, nil
}

// end has the reader end a socket.
func (f *follower) end(n *namespace, index int) {
	s := n.sockets[index]
	delete(n.sockets, index)
	f.closing[s] = len(s.mem)
	f.c.mu.Lock()
	f.c.leaving = append(f.c.leaving, s)
	f.c.mu.Unlock()
	f.c.reader.wake()
}

// bury closes what the reader has ended.
func (f *follower) bury() error {
	f.c.mu.Lock()
	gone := f.c.gone
	f.c.gone = nil
	f.c.mu.Unlock()
	var err error
	for _, s := range gone {
		f.left += int64(f.closing[s])
		delete(f.closing, s)
		err = errors.Join(err, s.close())
	}
	return err
}

// publish has Status tell what is captured.
func (f *follower) publish() {
	var v Status
	var sockets []*socket
	v.RingBytes = f.c.o.MemoryBytes - f.left
	for _, inode := range slices.Sorted(maps.Keys(f.namespaces)) {
		n := f.namespaces[inode]
		v.Namespaces = append(v.Namespaces, NamespaceStatus{n.Namespace, n.err})
		for _, i := range slices.Sorted(maps.Keys(n.sockets)) {
			s := n.sockets[i]
			v.Interfaces = append(v.Interfaces, InterfaceStatus{Device: s.device, Interface: s.slot, RingBytes: int64(len(s.mem))})
			sockets = append(sockets, s)
		}
		for _, i := range slices.Sorted(maps.Keys(n.failed)) {
			v.Interfaces = append(v.Interfaces, InterfaceStatus{Device: n.failed[i].device, Err: n.failed[i].err})
			sockets = append(sockets, nil)
		}
	}
	if f.omitted != nil {
		v.Namespaces = append(v.Namespaces, NamespaceStatus{Err: f.omitted})
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.view, f.c.viewed = v, sockets
}

// close closes all that is open, whoever was to.
func (f *follower) close() error {
	var err error
	all := append(slices.Collect(maps.Keys(f.closing)), f.c.gone...)
	for _, n := range f.namespaces {
		all = slices.AppendSeq(all, maps.Values(n.sockets))
		for _, fd := range []int{n.watch, n.fd} {
			if fd >= 0 {
				err = errors.Join(err, unix.Close(fd))
			}
		}
	}
	slices.SortFunc(all, func(a, b *socket) int { return a.fd - b.fd })
	for _, s := range slices.Compact(all) {
		err = errors.Join(err, s.close())
	}
	if f.hostFD >= 0 {
		err = errors.Join(err, unix.Close(f.hostFD))
	}
	return errors.Join(err, f.events.close())
}
