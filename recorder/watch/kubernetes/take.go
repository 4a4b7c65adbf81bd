package kubernetes

import (
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"shark/snapshot/identity"
)

// take tells what is new of an object. The Watcher's mu is held.
func (w *Watcher) take(obj any, seen time.Time) {
	k, ok := keyOf(obj)
	if !ok {
		return
	}
	r := w.record(obj)
	old := w.told[k]
	if old != nil && old.rec.UID != r.UID { // its end was missed
		w.end(k, old, seen)
		old = nil
	}
	if old == nil {
		if len(w.told) >= maxObjects {
			w.counts.crowded++
			return
		}
		old = &object{}
		w.told[k] = old
	}
	if p, is := obj.(*corev1.Pod); is {
		w.takePod(k, old, &r, p, seen)
		return
	}
	if s, is := obj.(*corev1.Service); is && old.rec.Kind == "" && s.CreationTimestamp.Time.Before(seen) {
		seen = s.CreationTimestamp.Time // it has its addresses from the beginning
	}
	w.tell(old, &r, seen)
}

// takePod tells what is new of a pod, from when it holds.
func (w *Watcher) takePod(k key, o *object, r *identity.Record, p *corev1.Pod, seen time.Time) {
	r.Workload, o.owner = w.owners.workload(p)
	r.Addresses = slices.DeleteFunc(r.Addresses, func(a string) bool { return slices.Contains(o.lost, a) })
	had := o.rec.Addresses
	start := w.started(p)
	if start.IsZero() || start.After(seen) {
		start = seen
	}
	if released(p) {
		w.release(k, o, r, p, start, seen)
		return
	}
	switch gained := len(r.Addresses) > 0 && !slices.Equal(had, r.Addresses); {
	case gained && len(had) == 0, gained && start.After(o.rec.Time):
		o.start = start
	case gained:
		o.start = seen
	default:
		w.tell(o, r, seen)
		return
	}
	w.hold(k, o, r, false)
}

// release tells that a pod has no addresses any more, and first that it had them if that was
// never seen: Jobs may be done before their pod is told of once.
func (w *Watcher) release(k key, o *object, r *identity.Record, p *corev1.Pod, start, seen time.Time) {
	end := w.ended(p)
	if end.IsZero() || end.After(seen) {
		end = seen
	}
	if o.start.IsZero() && !started(p).IsZero() && start.Before(end) {
		before := *r
		before.Addresses = podAddresses(p)
		o.start = start
		w.hold(k, o, &before, true)
	}
	w.vacate(k, o)
	w.tell(o, r, end)
}

// hold tells that a pod has its addresses from o.start on. A node gives them to one pod at a time:
// what another one of this node's had before it has until then, and what another one has since,
// it has until that one's start, unless its end is known; and a second more, which is how exactly
// the times are known. Of two that started in the same second the end of one will be told.
func (w *Watcher) hold(k key, o *object, r *identity.Record, over bool) {
	w.tell(o, r, o.start)
	if r.HostNetwork {
		return
	}
	for _, a := range slices.Clone(o.rec.Addresses) {
		other := w.holders[a]
		switch x := w.told[other]; {
		case x == nil || x == o:
			w.holders[a] = k
		case x.start.Before(o.start):
			w.lose(x, a, o.start)
			w.holders[a] = k
		case x.start.After(o.start) && !over:
			w.lose(o, a, x.start)
		}
	}
}

// lose tells that an address is another pod's from a time on.
func (w *Watcher) lose(o *object, address string, from time.Time) {
	o.lost = append(o.lost, address)
	r := o.rec
	r.Addresses = slices.DeleteFunc(slices.Clone(r.Addresses), func(a string) bool { return a == address })
	at := from.Add(second)
	if w.unheard(from.Truncate(second)) { // and there may have been others in between
		at = from.Add(-second)
	}
	w.tell(o, &r, at)
}

// vacate forgets which addresses a pod holds.
func (w *Watcher) vacate(k key, o *object) {
	for _, a := range o.rec.Addresses {
		if w.holders[a] == k {
			delete(w.holders, a)
		}
	}
}

// gone tells that an object is no more. The Watcher's mu is held.
func (w *Watcher) gone(obj any, seen time.Time) {
	k, ok := keyOf(obj)
	o := w.told[k]
	if !ok || o == nil {
		return
	}
	if p, is := obj.(*corev1.Pod); is {
		if end := w.ended(p); !end.IsZero() && end.Before(seen) {
			seen = end
		}
	}
	w.end(k, o, seen)
}

// end tells that an object is no more since a time.
func (w *Watcher) end(k key, o *object, at time.Time) {
	w.vacate(k, o)
	delete(w.told, k)
	if o.rec.Kind == "" {
		return // nobody was told of it
	}
	r := identity.Record{
		Time: later(at, o.rec.Time), Op: identity.Delete, Source: Source,
		Kind: o.rec.Kind, UID: o.rec.UID, Namespace: o.rec.Namespace, Name: o.rec.Name, Node: o.rec.Node,
	}
	w.counts.records++
	w.emit(&r)
}

// tell gives out what an object is from a time on, if that is new.
func (w *Watcher) tell(o *object, r *identity.Record, at time.Time) {
	r.Time = o.rec.Time
	if reflect.DeepEqual(&o.rec, r) {
		return
	}
	r.Time = later(at.UTC(), o.rec.Time)
	o.rec = *r
	w.counts.records++
	out := *r
	w.emit(&out)
}

// later returns the later of two times: of an object they only go on.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// owned tells of the workload of pods, now that it is known, from when they were last told of.
func (w *Watcher) owned(uid string, ref *identity.WorkloadRef) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.told {
		if o.owner == uid && o.rec.Kind != "" {
			r := o.rec
			r.Workload = ref
			w.tell(o, &r, r.Time)
		}
	}
}
