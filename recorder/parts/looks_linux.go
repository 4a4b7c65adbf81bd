package parts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"shark/bpf/plaintext"
	"shark/recorder/plaintext/libraries"
	"shark/recorder/procfs"
)

// lookAgain is how often it is asked whether connections from before the recorder still are. A
// file that could not be attached to is tried again after as long, and each time after twice as
// long as before, up to lastTry.
const (
	lookAgain = 10 * time.Second
	lastTry   = 10 * time.Minute
)

// process is one process, and no other that has its number later.
type process struct {
	tgid    uint32
	started time.Duration
}

// library is what looks asks and tells.
type library struct {
	files   func() []libraries.File
	deaf    func() map[string]bool // the files, by their paths, that tell no secrets
	mode    func(libraries.Process) Mode
	attach  func(*libraries.File) (io.Closer, error)
	policy  policy
	changed <-chan struct{}
	again   <-chan struct{} // what mode says may have changed
}

// policy says which processes the kernel's programs look at.
type policy interface {
	Default(look bool) error
	Process(tgid uint32, look bool) error
	ForgetProcess(tgid uint32) error
}

// looks decides whose plaintext is taken, and attaches to the files of those processes and to no
// others: a probe costs everybody who runs over it. However many processes and files there are, it
// goes on with those for which there is room, and says how many are left.
type looks struct {
	library
	mute  bool          // secrets are taken of nobody: auto is plaintext
	open  bool          // plaintext is taken of everybody but the recorder itself
	began time.Duration // since boot, when secrets began to be taken
	// What follows is run's alone.
	attached map[libraries.ID]io.Closer
	allowed  map[uint32]bool // processes that the kernel's programs look at
	old      *oldConnections

	mu     sync.Mutex
	failed map[libraries.ID]attempt // files that are not attached to
	left   looksLeft
}

// attempt is an attempt to attach to a file that failed.
type attempt struct {
	path, why string
	again     time.Time // it is tried, and
	wait      time.Duration
}

// looksLeft is what is not looked at for want of room.
type looksLeft struct {
	processes   int
	connections uint64 // of before
}

func newLooks(l library, mute, open bool) *looks {
	return &looks{
		library: l, mute: mute, open: open, began: procfs.SinceBoot(), attached: make(map[libraries.ID]io.Closer),
		allowed: make(map[uint32]bool), old: newOldConnections(), failed: make(map[libraries.ID]attempt),
	}
}

// begin looks for the first time. Where everybody is looked at that needs no list, and who comes
// is looked at from the first byte on.
func (l *looks) begin() error {
	if l.open {
		if err := l.policy.Process(uint32(os.Getpid()), false); err != nil {
			return err
		}
		if err := l.policy.Default(true); err != nil {
			return err
		}
	}
	return l.look(time.Now())
}

func (l *looks) run(ctx context.Context) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.changed:
		case <-l.again:
		case <-tick.C:
		}
		if err := l.look(time.Now()); err != nil {
			return err
		}
	}
}

// look makes what is attached what should be.
func (l *looks) look(now time.Time) error {
	deaf := l.deaf()
	wanted := make(map[uint32]bool)
	files, seen := make(map[libraries.ID]bool), make(map[libraries.ID]bool)
	there := make(map[process]bool)
	l.old.turn(now)
	for _, f := range l.files() {
		seen[f.ID] = true
		for _, p := range f.Processes {
			there[process{p.TGID, p.Started}] = true
			if l.wants(p, deaf[f.Path]) {
				wanted[p.TGID], files[f.ID] = true, true
			}
		}
		if files[f.ID] {
			l.try(&f, now)
		}
	}
	for id, a := range l.attached {
		if !files[id] {
			delete(l.attached, id)
			if err := a.Close(); err != nil {
				return err
			}
		}
	}
	l.old.keep(there)
	l.mu.Lock()
	for id := range l.failed {
		if !seen[id] {
			delete(l.failed, id)
		}
	}
	l.left.connections = l.old.left
	l.mu.Unlock()
	if l.open {
		return nil
	}
	return l.permit(wanted)
}

// permit tells the kernel's programs of which processes they may look at.
func (l *looks) permit(wanted map[uint32]bool) error {
	for tgid := range l.allowed {
		if !wanted[tgid] {
			delete(l.allowed, tgid)
			if err := l.policy.ForgetProcess(tgid); err != nil {
				return fmt.Errorf("process %d: %w", tgid, err)
			}
		}
	}
	for tgid := range wanted {
		if l.allowed[tgid] {
			continue
		}
		err := l.policy.Process(tgid, true)
		if errors.Is(err, plaintext.ErrCrowded) {
			break
		}
		if err != nil {
			return fmt.Errorf("process %d: %w", tgid, err)
		}
		l.allowed[tgid] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left.processes = len(wanted) - len(l.allowed)
	return nil
}

// wants tells whether a process's plaintext is taken.
func (l *looks) wants(p libraries.Process, deaf bool) bool {
	switch l.mode(p) {
	case Plaintext, Both:
		return true
	case Auto:
		return l.mute || deaf || p.Started <= l.began && l.old.has(p)
	}
	return false
}

// try attaches to a file, unless that was done, or failed a moment ago.
func (l *looks) try(f *libraries.File, now time.Time) {
	if l.attached[f.ID] != nil {
		return
	}
	l.mu.Lock()
	last, known := l.failed[f.ID]
	l.mu.Unlock()
	if known && now.Before(last.again) {
		return
	}
	a, err := l.attach(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		wait := min(max(2*last.wait, lookAgain), lastTry)
		l.failed[f.ID] = attempt{f.Path, err.Error(), now.Add(wait), wait}
		return
	}
	delete(l.failed, f.ID)
	l.attached[f.ID] = a
}

// reasons returns why files are not attached to, by their paths, and what is not looked at.
func (l *looks) reasons() (map[string]string, looksLeft) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]string, len(l.failed))
	for _, a := range l.failed {
		all[a.path] = a.why
	}
	return all, l.left
}

func (l *looks) close() error {
	var errs []error
	for _, a := range l.attached {
		errs = append(errs, a.Close())
	}
	clear(l.attached)
	return errors.Join(errs...)
}
