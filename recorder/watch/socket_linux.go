package watch

import (
	"fmt"
	"net/netip"

	"shark/bpf/owner"
	"shark/snapshot/identity"
)

// margin is how long before an event its socket may have been used, where the event does not
// say since when: it comes when the first send is done.
const margin = int64(5e6)

// transports are the names of what sockets speak, by number.
var transports = map[uint16]string{6: "tcp", 17: "udp", 132: "sctp"}

const udp = 17

// socket is one that is open.
type socket struct {
	e      owner.Event // that told of it
	rec    identity.Record
	told   bool // rec was given out and holds
	shared bool // several programs had it open before it was seen in use
	times  int  // how many uids it has had
	owner  *process
}

// portKey is what two UDP sockets have only where both allow it.
type portKey struct {
	netns         uint32
	local, remote netip.AddrPort
}

// socket takes an event of a socket.
func (w *Watcher) socket(e *owner.Event) {
	s := w.sockets[e.Cookie]
	if s != nil && e.Existing {
		w.share(s, e)
		return
	}
	if s == nil {
		if len(w.sockets) >= maxSockets {
			w.count(func(s *Status) { s.Crowded++ })
			return
		}
		s = new(socket)
		w.sockets[e.Cookie] = s
	}
	from := w.since(e)
	again := s.told && s.e.Local == e.Local && s.e.Remote == e.Remote
	if s.told && !again {
		w.untell(s, from)
	}
	p := w.process(e)
	if again && s.owner == p && p != nil {
		return // that it was there before is known
	}
	w.own(s, p, e.Cookie)
	s.e, s.shared = *e, false
	s.e.Line = nil
	w.replace(e, from)
	w.describe(s, from)
}

// since is when what an event says began.
func (w *Watcher) since(e *owner.Event) int64 {
	switch {
	case e.Existing:
		return w.began
	case e.Since != 0:
		return w.real(e.Since)
	}
	return w.real(e.Time) - margin
}

// share takes it that another process has a socket open too. If that is another program, it
// is not known which of them uses it, until it does.
func (w *Watcher) share(s *socket, e *owner.Event) {
	if !s.e.Existing || s.shared || s.e.Who.PID == e.Who.PID || s.e.Who.Comm == e.Who.Comm {
		return
	}
	s.shared = true
	if s.told {
		w.untell(s, w.began)
	}
}

// own makes a process the owner of a socket.
func (w *Watcher) own(s *socket, p *process, cookie uint64) {
	if s.owner != nil {
		delete(s.owner.sockets, cookie)
	}
	if s.owner = p; p != nil {
		p.sockets[cookie] = s
	}
}

// replace ends the UDP socket that had the port before: of its end nothing was told.
func (w *Watcher) replace(e *owner.Event, at int64) {
	if e.Protocol != udp {
		return
	}
	k := portKey{e.Netns, e.Local, e.Remote}
	if old, known := w.ports[k]; known && old != e.Cookie && !e.ReusePort {
		w.end(old, at)
	}
	w.ports[k] = e.Cookie
}

// describe gives out the record of a socket, if its addresses are known.
func (w *Watcher) describe(s *socket, at int64) {
	e := &s.e
	name := transports[e.Protocol]
	r := identity.Record{
		Source: Source, Kind: identity.Socket, Node: w.o.Node, UID: w.uid("s", e.Cookie, s.times), Netns: uint64(e.Netns),
		Protocol: name, Port: e.Local.Port(), PID: int64(e.Who.PID), Process: e.Who.Comm, Name: name + " " + e.Local.String(),
	}
	if s.owner != nil {
		r.Process, r.Owner = s.owner.rec.Name, s.owner.rec.UID
	}
	if e.Remote.Port() != 0 {
		r.Peer, r.PeerPort = e.Remote.Addr().String(), e.Remote.Port()
		r.Name += "-" + e.Remote.String()
	}
	for _, a := range w.reached(e) {
		r.Addresses = append(r.Addresses, a.String())
	}
	s.rec = r
	if len(r.Addresses) == 0 {
		w.count(func(s *Status) { s.Homeless++ })
		return
	}
	s.told = true
	w.tell(&r, identity.Upsert, at)
}

// reached lists the addresses at which a socket can be reached.
func (w *Watcher) reached(e *owner.Event) []netip.Addr {
	local := e.Local.Addr()
	if !local.IsUnspecified() {
		return []netip.Addr{local}
	}
	var out []netip.Addr
	for _, a := range w.namespace(e.Netns, e.Who.PID).addrs {
		if a.Is4() && (local.Is4() || !e.V6Only) || a.Is6() && local.Is6() {
			out = append(out, a)
		}
	}
	return out
}

// untell ends the record of a socket. What is told of it next is another object.
func (w *Watcher) untell(s *socket, at int64) {
	w.tell(&s.rec, identity.Delete, at)
	s.told = false
	s.times++
}

// end takes it that a socket is gone.
func (w *Watcher) end(cookie uint64, at int64) {
	s := w.sockets[cookie]
	if s == nil {
		return
	}
	if s.told {
		w.tell(&s.rec, identity.Delete, at)
	}
	w.own(s, nil, cookie)
	delete(w.sockets, cookie)
	if k := (portKey{s.e.Netns, s.e.Local, s.e.Remote}); w.ports[k] == cookie {
		delete(w.ports, k)
	}
}

// uid is a name that no other object has had, since this boot or before.
func (w *Watcher) uid(kind string, number uint64, times int) string {
	if times == 0 {
		return fmt.Sprintf("%s%d-%s", kind, number, w.boot)
	}
	return fmt.Sprintf("%s%d.%d-%s", kind, number, times, w.boot)
}
