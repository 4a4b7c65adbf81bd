package api

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"shark/packet"
	"shark/recorder/ticks"
	"shark/snapshot"
)

// pins are the windows that clients keep.
type pins struct {
	lease time.Duration
	now   func() time.Time

	mu      sync.Mutex
	all     map[string]*pin
	making  int // pins that are about to be
	streams int
	expired uint64
	closed  bool
}

// pin is one of them. What is below is the pins' lock's.
type pin struct {
	snapshot.Pinned
	Pin
	used    time.Time
	readers int
	gone    bool // it is released when the last reader ends
}

// Errors that clients are told.
var (
	errNoPin   = errors.New("there is no such pin: it was let go of, or nobody asked for it for too long")
	errPins    = errors.New("there are too many pins: let go of one, or wait")
	errStreams = errors.New("too much is being read: wait")
	errClosing = errors.New("the recorder is ending")
)

// add pins a window.
func (p *pins) add(rec snapshot.Recording, w Window) (Pin, error) {
	p.mu.Lock()
	full, closed := len(p.all)+p.making >= maxPins, p.closed
	if !full && !closed {
		p.making++
	}
	p.mu.Unlock()
	switch {
	case closed:
		return Pin{}, errClosing
	case full:
		return Pin{}, errPins
	}
	pinned, err := rec.Pin(w.From, w.To)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.making--
	if err != nil {
		return Pin{}, err
	}
	if p.closed {
		return Pin{}, errors.Join(errClosing, pinned.Release())
	}
	x := &pin{Pinned: pinned, used: p.now(), Pin: Pin{
		ID: strings.ToLower(rand.Text()), Node: rec.Node(), Lease: int(p.lease.Seconds()),
		Window: w, Bytes: pinned.Size(), Notes: slices.Clip(append([]string{}, pinned.Notes()...)),
	}}
	p.all[x.ID] = x
	return x.Pin, nil
}

// get returns a pin as it is, for another lease.
func (p *pins) get(id string) (Pin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.all[id]
	if x == nil {
		return Pin{}, errNoPin
	}
	x.used = p.now()
	return x.Pin, nil
}

// read begins to read a pin. Its stream ends with done.
func (p *pins) read(id string) (_ *pin, done func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.all[id]
	switch {
	case x == nil:
		return nil, nil, errNoPin
	case p.streams >= maxStreams:
		return nil, nil, errStreams
	}
	p.streams++
	x.readers++
	return x, func() { p.done(x) }, nil
}

func (p *pins) done(x *pin) {
	p.mu.Lock()
	p.streams--
	x.readers--
	x.used = p.now()
	last := x.gone && x.readers == 0
	p.mu.Unlock()
	if last {
		_ = x.Release() // a sweep of the ring tries again
	}
}

// met takes down what a reading met.
func (p *pins) met(x *pin, damage []packet.Damage, losses []packet.Loss) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x.Damage = slices.Clone(damage[:min(len(damage), maxDamage)])
	x.Losses = slices.Clone(losses[:min(len(losses), maxDamage)])
}

// remove lets go of a pin. Who is reading it reads on.
func (p *pins) remove(id string) error {
	p.mu.Lock()
	x := p.all[id]
	delete(p.all, id)
	busy := false
	if x != nil {
		x.gone = true
		busy = x.readers > 0
	}
	p.mu.Unlock()
	if x == nil {
		return errNoPin
	}
	if busy {
		return nil
	}
	return x.Release()
}

// count returns how many pins there are, and how many expired.
func (p *pins) count() (n int, expired uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all), p.expired
}

// expire lets go of pins whose lease is over, until ctx ends; then of all.
func (p *pins) expire(ctx context.Context) {
	ticks.Do(ctx, max(p.lease/4, time.Millisecond), func() {
		for _, id := range p.over() {
			_ = p.remove(id) // somebody else may have done so
		}
	})
	p.close()
}

func (p *pins) over() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, x := range p.all {
		if x.readers == 0 && p.now().Sub(x.used) > p.lease {
			ids = append(ids, id)
			p.expired++
		}
	}
	return ids
}

func (p *pins) close() {
	p.mu.Lock()
	p.closed = true
	var ids []string
	for id := range p.all {
		ids = append(ids, id)
	}
	p.mu.Unlock()
	for _, id := range ids {
		_ = p.remove(id) // the pins of a process that is gone are swept
	}
}
