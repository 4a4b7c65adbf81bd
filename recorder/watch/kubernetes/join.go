package kubernetes

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"shark/snapshot/identity"
)

// maxGone is how many pods that are gone are remembered, and keepGone how long they are at least.
const (
	maxGone  = 8192
	keepGone = 10 * time.Minute
)

// Join makes one of what the API says and what the machine itself shows (package watch): a pod is
// one pod, known by its uid, and the node is one node. Of pods the API's word counts, and where
// it has none the machine's: the addresses that a pod has before the API tells them, those of its
// other networks, and whole pods while the API does not answer. All other records pass through.
//
// A pod that the API said is gone does not come back. Join may be used by several goroutines.
type Join struct {
	node      string
	connected func() bool
	emit      func(*identity.Record)

	mu    sync.Mutex
	pods  map[string]*sides // by uid
	own   sides             // the node
	ended map[string]time.Time
}

// sides are what is known of an object.
type sides struct {
	api, local *identity.Record
	addressed  bool            // the API told of addresses once
	told       identity.Record // what was told last; no kind: nothing
}

// NewJoin returns a Join for a node, which gives records to emit, one at a time. Connected tells
// whether what the API said last holds.
func NewJoin(node string, connected func() bool, emit func(*identity.Record)) *Join {
	return &Join{node: node, connected: connected, emit: emit, pods: make(map[string]*sides), ended: make(map[string]time.Time)}
}

// Pod returns what is known of a pod.
func (j *Join) Pod(uid string) (r identity.Record, known bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.pods[uid]; s != nil {
		return s.told, true
	}
	return r, false
}

// API takes a record of a Watcher's.
func (j *Join) API(r *identity.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case r.Kind == identity.Pod:
		j.podOfAPI(r)
	case j.isNode(r) && r.Op == identity.Delete:
		j.own.api = nil // it is still here
		j.tell(&j.own, r.Time)
	case j.isNode(r):
		c := *r
		j.own.api = &c
		j.tell(&j.own, r.Time)
	default:
		j.emit(r)
	}
}

// Local takes a record of what the machine shows.
func (j *Join) Local(r *identity.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := *r
	switch {
	case r.Kind == identity.Pod:
		j.podOfMachine(&c)
	case j.isNode(r) && r.Op == identity.Upsert:
		j.own.local = &c
		j.tell(&j.own, r.Time)
	default:
		j.emit(r)
	}
}

func (j *Join) isNode(r *identity.Record) bool { return r.Kind == identity.Node && r.Name == j.node }

func (j *Join) podOfAPI(r *identity.Record) {
	if r.Op == identity.Delete {
		delete(j.pods, r.UID)
		j.end(r)
		return
	}
	s := j.known(r.UID)
	c := *r
	s.api = &c
	s.addressed = s.addressed || len(r.Addresses) > 0
	j.tell(s, r.Time)
}

// podOfMachine takes what the machine shows of a pod. That it shows nothing any more counts only
// where the API does not know better.
func (j *Join) podOfMachine(r *identity.Record) {
	s := j.pods[r.UID]
	if _, gone := j.ended[r.UID]; gone {
		return
	}
	if r.Op == identity.Delete {
		switch {
		case s == nil:
		case s.api != nil && j.connected():
			s.local = nil
			j.tell(s, r.Time)
		default:
			delete(j.pods, r.UID)
			j.end(r)
		}
		return
	}
	s = j.known(r.UID)
	s.local = r
	j.tell(s, r.Time)
}

// known returns what is known of a pod, which may be nothing so far.
func (j *Join) known(uid string) *sides {
	s := j.pods[uid]
	if s == nil {
		s = &sides{}
		j.pods[uid] = s
	}
	return s
}

// end tells that a pod is gone, and remembers it.
func (j *Join) end(r *identity.Record) {
	if len(j.ended) >= maxGone {
		for uid, at := range j.ended {
			if time.Since(at) > keepGone {
				delete(j.ended, uid)
			}
		}
	}
	if len(j.ended) >= maxGone {
		clear(j.ended)
	}
	j.ended[r.UID] = time.Now()
	j.emit(r)
}

// tell gives out what is known of an object from a time on. If something else was told of a later
// time, that is told anew.
func (j *Join) tell(s *sides, at time.Time) {
	last := s.told
	r := s.whole()
	if last.Kind != "" && last.Time.After(at) {
		again := r
		again.Time = last.Time
		j.emit(&again)
	}
	r.Time = at
	j.emit(&r)
	r.Time = maxTime(at, last.Time)
	s.told = r
}

func maxTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// whole is what both sides say together.
func (s *sides) whole() identity.Record {
	switch {
	case s.api == nil:
		return *s.local
	case s.local == nil:
		return *s.api
	}
	r := *s.api
	r.Netns = cmp.Or(r.Netns, s.local.Netns)
	own := len(r.Addresses) == 0 && !s.addressed || len(r.Addresses) > 0 && slices.Contains(s.local.Addresses, r.Addresses[0])
	if r.Kind == identity.Node || own && !r.HostNetwork {
		r.Addresses = slices.Clone(r.Addresses)
		for _, a := range s.local.Addresses {
			if !slices.Contains(r.Addresses, a) {
				r.Addresses = append(r.Addresses, a)
			}
		}
	}
	return r
}

// Count returns how many of the pods that are meant have a network of their own, and how many
// use the node's.
func (j *Join) Count(t *Target) (own, host int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.pods {
		switch {
		case !t.Matches(&s.told):
		case s.told.HostNetwork:
			host++
		default:
			own++
		}
	}
	return own, host
}
