package amqp1

import (
	"slices"
	"sort"

	"shark/dissector"
)

// session is what is known of one (part 2, 2.5). Each side has a channel of its own
// for it.
type session struct {
	number  uint32 // of all that the connection begins
	channel [2]uint16
	begun   [2]bool // seen of a side
	ended   [2]bool
	links   map[linkName]*link
	handles [2]map[uint32]*link
	waiting [2][]unsettled // transfers of each side, oldest first
	recent  [2][]sent
}

// unsettled is a transfer whose outcome is yet to come.
type unsettled struct {
	id   uint32
	link *link
}

// sent is one of the latest transfers of a side.
type sent struct {
	id      uint32
	address string
}

// linkName tells links apart: those of one direction have a name each (part 2, 2.6.1).
type linkName struct {
	name   string
	sender bool // the client is
}

// link is what is known of one (part 2, 2.6). Each side has a handle of its own for it.
type link struct {
	number   uint32
	name     linkName
	address  string
	handle   [2]uint32
	attached [2]bool
	detached [2]bool
	delivery delivery // of which more frames are to come
}

// delivery is a message whose frames are being read.
type delivery struct {
	active  bool
	dead    bool // its entry is made: the rest of it is passed over
	keyed   bool
	inBody  bool
	alien   bool // the message is of another format than the one that is known
	key     uint64
	role    dissector.Role // where it is keyed
	about   string         // what the summary will be
	told    bool           // the summary
	kept    []byte         // of a section whose end is in another frame
	section uint64         // kind of the last one that was read, 0 before the first
}

// What pairs, in the upper bits of its key.
const (
	keyHeader = iota + 1
	keySASL
	keyOpen
	keyBegin
	keyAttach
	keyTransfer
	keyDetach
	keyEnd
	keyClose
	keyDelivery // a transfer of the server
)

// key makes the key of a pair: what it is, which session, link or part of the
// connection it is of, and a number there.
func key(kind, of, n uint32) uint64 {
	return uint64(kind)<<60 | uint64(of&(1<<28-1))<<32 | uint64(n)
}

// state is what is known of a connection.
type state struct {
	number   uint32 // of the latest session or link
	epoch    uint32 // changes with a loss, over which no answer can be told
	lossy    bool   // there was one: of what is said but once the answer may be missing
	heard    bool   // the client
	whole    bool   // from its protocol header on
	asked    []byte // by protocol headers, without an answer
	opened   [2]bool
	closed   [2]bool
	sessions [2]map[uint16]*session // by the channel of a side
	links    int
	kept     int // bytes of sections
	waiting  int // transfers of all sessions
	awaited  []await
	untold   bool // more are awaited
}

// await is a request of the client that the server may still refuse by ending more
// than what was asked for.
type await struct {
	kind    uint64
	session *session
	key     uint64
}

// forget drops all that a loss makes uncertain: what of it is still so cannot be told.
func (st *state) forget() {
	*st = state{number: st.number + 1, epoch: st.number + 1, lossy: true}
}

func (st *state) next() uint32 {
	st.number++
	return st.number
}

// session returns the session that a side's channel is of, nil if that is unknown.
func (st *state) session(from dissector.Side, channel uint16) *session {
	return st.sessions[from][channel]
}

// begin makes a session that a side begins, nil when there are too many.
func (st *state) begin(from dissector.Side, channel uint16) *session {
	if old := st.sessions[from][channel]; old != nil {
		st.drop(old)
	}
	if len(st.sessions[0])+len(st.sessions[1]) >= 2*maxSessions {
		return nil
	}
	s := &session{number: st.next()}
	st.join(s, from, channel)
	return s
}

// join says which channel a side has for a session.
func (st *state) join(s *session, from dissector.Side, channel uint16) {
	if st.sessions[from] == nil {
		st.sessions[from] = make(map[uint16]*session)
	}
	if old := st.sessions[from][channel]; old != nil && old != s {
		st.drop(old)
	}
	st.sessions[from][channel] = s
	s.channel[from], s.begun[from] = channel, true
}

// drop forgets a session, and its links with it.
func (st *state) drop(s *session) {
	for side := range st.sessions {
		if s.begun[side] && st.sessions[side][s.channel[side]] == s {
			delete(st.sessions[side], s.channel[side])
		}
	}
	for _, l := range s.links {
		st.empty(&l.delivery)
	}
	st.forsake(s)
	st.links -= len(s.links)
	s.links, s.handles = nil, [2]map[uint32]*link{}
	st.awaited = slices.DeleteFunc(st.awaited, func(a await) bool { return a.session == s })
}

// link returns the link that a side's handle is of, nil if that is unknown.
func (s *session) link(from dissector.Side, handle uint32) *link {
	if s == nil {
		return nil
	}
	return s.handles[from][handle]
}

// attach finds or makes the link that a side attaches, nil when there are too many.
func (st *state) attach(s *session, from dissector.Side, name linkName, handle uint32) *link {
	if s.links == nil {
		s.links = make(map[linkName]*link)
	}
	if old := s.handles[from][handle]; old != nil && old.name != name {
		st.unlink(s, old)
	}
	l := s.links[name]
	if l != nil && l.attached[from] {
		st.unlink(s, l)
		l = nil
	}
	if l == nil {
		if st.links >= maxLinks {
			return nil
		}
		l = &link{number: st.next(), name: name}
		s.links[name] = l
		st.links++
	}
	if s.handles[from] == nil {
		s.handles[from] = make(map[uint32]*link)
	}
	s.handles[from][handle] = l
	l.handle[from], l.attached[from] = handle, true
	return l
}

// unlink forgets a link.
func (st *state) unlink(s *session, l *link) {
	for side := range s.handles {
		if l.attached[side] && s.handles[side][l.handle[side]] == l {
			delete(s.handles[side], l.handle[side])
		}
	}
	if s.links[l.name] == l {
		delete(s.links, l.name)
		st.links--
	}
	for side := range s.waiting {
		st.settle(s, dissector.Side(side), func(w unsettled) bool { return w.link == l })
	}
	st.empty(&l.delivery)
	st.answered(key(keyAttach, l.number, 0))
}

// wait takes a transfer whose outcome is to come, and tells whether there is room for it.
// Delivery ids of a session ascend (part 2, 2.6.12); they are serial numbers, which wrap.
func (st *state) wait(s *session, from dissector.Side, id uint32, l *link) bool {
	w := s.waiting[from]
	if n := len(w); n == maxUnsettled || st.waiting == maxWaiting || n > 0 && int32(id-w[n-1].id) <= 0 {
		return false
	}
	st.waiting++
	s.waiting[from] = append(w, unsettled{id, l})
	return true
}

// settle takes transfers of a side off that there will be no outcome of.
func (st *state) settle(s *session, from dissector.Side, f func(unsettled) bool) {
	n := len(s.waiting[from])
	s.waiting[from] = slices.DeleteFunc(s.waiting[from], f)
	st.waiting -= n - len(s.waiting[from])
}

// forsake does the same with all transfers of a session.
func (st *state) forsake(s *session) {
	st.waiting -= len(s.waiting[0]) + len(s.waiting[1])
	s.waiting = [2][]unsettled{}
}

// take takes off the transfers of a side that a disposition is about, and appends their
// ids to list.
func (st *state) take(s *session, from dissector.Side, first, last uint32, list []uint32) []uint32 {
	w := s.waiting[from]
	begin := sort.Search(len(w), func(i int) bool { return int32(w[i].id-first) >= 0 })
	end := begin
	for ; end < len(w) && w[end].id-first <= last-first; end++ {
		list = append(list, w[end].id)
	}
	st.waiting -= end - begin
	if s.waiting[from] = slices.Delete(w, begin, end); end-begin == len(w) {
		s.waiting[from] = nil
	}
	return list
}

// remember keeps the address that a transfer went over.
func (s *session) remember(from dissector.Side, id uint32, address string) {
	if s.recent[from] == nil {
		s.recent[from] = make([]sent, maxRecent)
	}
	s.recent[from][id%maxRecent] = sent{id, address}
}

// over returns the address of a transfer, "" if that is unknown.
func (s *session) over(from dissector.Side, id uint32) string {
	if s == nil || s.recent[from] == nil || s.recent[from][id%maxRecent].id != id {
		return ""
	}
	return s.recent[from][id%maxRecent].address
}

// keep keeps the beginning of a section, unless that is too long.
func (st *state) keep(d *delivery, b []byte) bool {
	if len(b) > maxKept || st.kept-len(d.kept)+len(b) > maxKeptAll {
		return false
	}
	st.kept += len(b) - len(d.kept)
	d.kept = append(d.kept[:0], b...)
	return true
}

// release drops what is kept of a section.
func (st *state) release(d *delivery) {
	st.kept -= len(d.kept)
	d.kept = nil
}

// empty drops a delivery.
func (st *state) empty(d *delivery) {
	st.release(d)
	*d = delivery{}
}

// await remembers a request that the end of its session, or of the connection, may answer.
func (st *state) await(kind uint64, s *session, k uint64) {
	if len(st.awaited) == maxAwaited {
		st.untold = true
		return
	}
	st.awaited = append(st.awaited, await{kind, s, k})
}

// answered takes note that a request has its answer.
func (st *state) answered(k uint64) {
	for i := range st.awaited {
		if st.awaited[i].key == k {
			st.awaited = slices.Delete(st.awaited, i, i+1)
			return
		}
	}
}

// refused tells which request an error that ends the session, or if that is nil the
// connection, answers: the only one that waits there.
func (st *state) refused(s *session) (await, bool) {
	var only await
	n := 0
	for _, a := range st.awaited {
		if s == nil || a.session == s {
			only = a
			n++
		}
	}
	if s != nil {
		n += len(s.waiting[dissector.Client])
	} else {
		for _, s := range st.sessions[dissector.Client] {
			n += len(s.waiting[dissector.Client])
		}
	}
	refusable := only.kind == open || only.kind == begin || only.kind == attach
	return only, n == 1 && refusable && !st.untold
}
