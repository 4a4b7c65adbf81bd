package watch

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"shark/bpf/owner"
	"shark/recorder/procfs"
	"shark/snapshot/identity"
)

// process is one that uses sockets, and lives.
type process struct {
	start   uint64
	rec     identity.Record
	times   int // programs it has been before
	sockets map[uint64]*socket
}

// process returns the process of an event, which it tells of if it is new; nil where too many
// are known.
func (w *Watcher) process(e *owner.Event) *process {
	if p := w.processes[e.Who.PID]; p != nil && p.start == e.Who.Start {
		return p
	}
	return w.introduce(e)
}

// introduce tells of a process, or that it has become another program.
func (w *Watcher) introduce(e *owner.Event) *process {
	p := w.processes[e.Who.PID]
	if p != nil && p.start != e.Who.Start { // the number is another's now, and no end was told
		w.exit(&owner.Who{PID: e.Who.PID, Start: p.start}, w.real(e.Who.Start))
		p = nil
	}
	if p == nil {
		if len(w.processes) >= maxProcesses {
			w.count(func(s *Status) { s.Crowded++ })
			return nil
		}
		p = &process{start: e.Who.Start, sockets: make(map[uint64]*socket)}
		w.processes[e.Who.PID] = p
		p.rec = w.look(e, 0)
		w.tell(&p.rec, identity.Upsert, w.real(e.Who.Start))
		w.podOf(p)
		return p
	}
	next := w.look(e, p.times+1)
	if next.Name == p.rec.Name && next.Command == p.rec.Command && next.Executable == p.rec.Executable {
		return p // as it was known
	}
	at := w.real(e.Time)
	w.tell(&p.rec, identity.Delete, at)
	p.times++
	p.rec = next
	w.tell(&p.rec, identity.Upsert, at)
	for _, cookie := range sorted(p.sockets) {
		if s := p.sockets[cookie]; s.told {
			w.describe(s, at)
		}
	}
	return p
}

// sorted returns the cookies of sockets in order.
func sorted(m map[uint64]*socket) []uint64 {
	out := make([]uint64, 0, len(m))
	for c := range m {
		out = append(out, c)
	}
	slices.Sort(out)
	return out
}

// look makes the record of a process of what the kernel said, and of /proc if it still lives.
func (w *Watcher) look(e *owner.Event, times int) identity.Record {
	pid := e.Who.PID
	r := identity.Record{
		Source: Source, Kind: identity.Process, Node: w.o.Node, Name: e.Who.Comm, PID: int64(pid), Parent: int64(e.Who.Parent),
		UID:     w.uid(fmt.Sprintf("p%d-", pid), e.Who.Start, times),
		Command: command(e.Line, int(e.Length) > len(e.Line)), Netns: uint64(e.Netns),
	}
	exe, _ := os.Readlink(procfs.Path(pid, "exe"))
	line, group, netns := procfs.Read(pid, "cmdline"), procfs.Read(pid, "cgroup"), procfs.NetNS(pid)
	if sameProcess(pid, e.Who.Start) { // all of it was the process's, then
		r.Executable, r.Cgroup = strings.TrimSuffix(exe, " (deleted)"), cgroupOf(string(group))
		if r.Command == "" {
			r.Command = command(line[:min(len(line), maxCommand)], len(line) > maxCommand)
		}
		if netns != 0 {
			r.Netns = uint64(netns)
		}
	} else {
		r.Cgroup = w.cgroups.path(e.Who.Cgroup)
	}
	if r.Name == "" { // a name may be anything
		name, _, _ := bytes.Cut(line, []byte{0})
		r.Name = strings.ToValidUTF8(string(name[bytes.LastIndexByte(name, '/')+1:]), "\uFFFD")
	}
	if r.Name = strings.ToValidUTF8(r.Name, "\uFFFD"); r.Name == "" {
		r.Name = fmt.Sprintf("process %d", pid)
	}
	r.Container, r.Pod = containerOf(r.Cgroup)
	return r
}

// exit takes it that a process has ended, and with it its UDP sockets. Those of TCP end when
// the connection has.
func (w *Watcher) exit(who *owner.Who, at int64) {
	p := w.processes[who.PID]
	if p == nil || p.start != who.Start {
		return
	}
	for _, cookie := range sorted(p.sockets) {
		if s := p.sockets[cookie]; s.e.Protocol == udp {
			w.end(cookie, at)
		} else {
			w.own(s, nil, cookie)
		}
	}
	w.tell(&p.rec, identity.Delete, at)
	delete(w.processes, who.PID)
}
