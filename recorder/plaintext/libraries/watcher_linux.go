package libraries

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"shark/bpf/mappings"
	"shark/recorder/plaintext/object"
)

// Watcher follows the mappings of the machine.
type Watcher struct {
	set *mappings.Set // nil where the kernel cannot be asked

	mu     sync.Mutex
	files  []File // given out, never changed
	status Status
	hear   []chan struct{}

	// Of Run alone.
	procs  map[uint32]*process
	known  map[ID]*known
	others map[ID]struct{}
	due    map[uint32]look
	sweep  time.Time
	lost   uint64
	dirty  bool
}

// process is what one process maps.
type process struct {
	Process
	files map[ID]place
}

// known is a file with TLS.
type known struct {
	path   string
	object *object.Object
	users  int
}

// look is when a process is to be looked at, and how long it waited.
type look struct {
	at   time.Time
	wait time.Duration
}

// Open looks at what is there. It takes the kernel's word where that is to be had, else /proc's.
func Open() (*Watcher, error) {
	w := &Watcher{
		procs: make(map[uint32]*process), known: make(map[ID]*known),
		others: make(map[ID]struct{}), due: make(map[uint32]look),
	}
	set, err := mappings.Open()
	switch {
	case err == nil:
		w.set, w.status.Source = set, "kernel"
	case errors.Is(err, errors.ErrUnsupported):
		w.status.Source, w.status.Reason = "/proc", err.Error()
	default:
		return nil, err
	}
	if w.set == nil {
		err = w.all(fromProc)
	} else {
		err = w.step(time.Now())
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Close gives back what Open took. Run must have ended.
func (w *Watcher) Close() error {
	if w.set == nil {
		return nil
	}
	return w.set.Close()
}

// Changed returns a channel that has a value whenever Files may give another answer than before.
// It is to be called before Run.
func (w *Watcher) Changed() <-chan struct{} {
	c := make(chan struct{}, 1)
	w.hear = append(w.hear, c)
	return c
}

// Files returns the files with TLS that are mapped, by path. Nobody may change them.
func (w *Watcher) Files() []File {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files
}

// Status returns how the watch goes.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// Run looks at all processes and then follows them until the context ends.
func (w *Watcher) Run(ctx context.Context) error {
	if w.set == nil {
		return w.poll(ctx)
	}
	stop := context.AfterFunc(ctx, func() { w.set.Interrupt() }) //nolint:errcheck // Read says that it is closed
	defer stop()
	for ctx.Err() == nil {
		if err := w.step(time.Now()); err != nil {
			return err
		}
		notice, err := w.set.Read(w.next().Add(time.Millisecond)) // the kernel counts in these
		switch {
		case err == nil:
			w.notice(notice, time.Now())
		case errors.Is(err, os.ErrClosed):
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("hear of processes: %w", err)
		}
	}
	return nil
}

// poll is Run where the kernel gives no notices.
func (w *Watcher) poll(ctx context.Context) error {
	for {
		began := time.Now()
		if err := w.all(fromProc); err != nil {
			return err
		}
		// However long that takes, it is at most a tenth of the time.
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(rare, 10*time.Since(began))):
		}
	}
}

// notice plans a look at a process.
func (w *Watcher) notice(n mappings.Notice, now time.Time) {
	l, planned := w.due[n.TGID]
	switch {
	case n.What == mappings.Exit:
		w.due[n.TGID] = look{at: now.Add(settle)}
	case n.What == mappings.Exec || n.What == mappings.Fork:
		w.due[n.TGID] = look{at: now.Add(settle), wait: settle}
	case !planned:
		if len(w.due) < maxProcesses {
			w.due[n.TGID] = look{at: now.Add(settle), wait: settle}
		}
	case l.at.IsZero(): // looked at before, nothing new
		l.wait = min(max(2*l.wait, settle), patient)
		l.at = now.Add(l.wait)
		w.due[n.TGID] = l
	}
}

// next is when there is something to do without a notice.
func (w *Watcher) next() time.Time {
	next := w.sweep
	for _, l := range w.due {
		if !l.at.IsZero() && l.at.Before(next) {
			next = l.at
		}
	}
	return next
}

// step does what is due.
func (w *Watcher) step(now time.Time) error {
	lost, err := w.set.Lost()
	if err != nil {
		return err
	}
	if lost != w.lost || !now.Before(w.sweep) {
		w.lost, w.sweep = lost, now.Add(sweep)
		clear(w.due)
		return w.all(func(yield func(Process, ID, place)) error { return w.kernel(0, yield) })
	}
	for tgid, l := range w.due {
		if l.at.IsZero() || now.Before(l.at) {
			continue
		}
		changed, err := w.look(tgid)
		if errors.Is(err, errors.ErrUnsupported) {
			w.sweep = now // this kernel shows all processes or none
			return nil
		}
		if err != nil {
			return err
		}
		if changed || w.procs[tgid] == nil {
			delete(w.due, tgid)
		} else {
			w.due[tgid] = look{wait: l.wait}
		}
	}
	w.publish()
	return nil
}

// kernel gives yield the mappings of a process, or of all with 0.
func (w *Watcher) kernel(tgid uint32, yield func(Process, ID, place)) error {
	return w.set.Scan(tgid, func(m mappings.Mapping) {
		yield(
			Process{TGID: m.TGID, NetNS: m.NetNS, Cgroup: m.Cgroup, Started: m.Started, Comm: m.Comm},
			ID{m.Device, m.Inode, m.Size, int64(m.Generation)}, place{m.TGID, m.Start, m.End},
		)
	})
}

// look looks at one process, and says whether it is not as it was.
func (w *Watcher) look(tgid uint32) (changed bool, err error) {
	var p *process
	err = w.kernel(tgid, func(of Process, id ID, at place) { p = w.add(p, of, id, at) })
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	w.status.Looks++
	w.mu.Unlock()
	return w.replace(tgid, p), nil
}

// all looks at all processes.
func (w *Watcher) all(scan func(func(Process, ID, place)) error) error {
	seen := make(map[uint32]*process)
	err := scan(func(of Process, id ID, at place) {
		p := seen[of.TGID]
		if p == nil && len(seen) == maxProcesses {
			w.refuse()
			return
		}
		seen[of.TGID] = w.add(p, of, id, at)
	})
	if err != nil {
		return err
	}
	for tgid := range w.procs {
		if seen[tgid] == nil {
			w.replace(tgid, nil)
		}
	}
	for tgid, p := range seen {
		w.replace(tgid, p)
	}
	w.mu.Lock()
	w.status.Scans++
	w.mu.Unlock()
	w.publish()
	return nil
}

// add adds a mapping to what is seen of a process.
func (w *Watcher) add(p *process, of Process, id ID, at place) *process {
	if p == nil {
		p = &process{Process: of, files: make(map[ID]place)}
	}
	if _, ok := p.files[id]; !ok && len(p.files) == maxMappings {
		w.refuse()
		return p
	}
	p.files[id] = at
	return p
}

// replace puts what was seen of a process, or that it has gone, in the place of what was known.
func (w *Watcher) replace(tgid uint32, p *process) (changed bool) {
	old := w.procs[tgid]
	if p != nil {
		// All but files with TLS are forgotten; those are looked at first.
		for id, at := range p.files {
			if !w.tls(id, at) {
				delete(p.files, id)
			}
		}
	}
	if old != nil && p != nil && old.Process == p.Process && sameKeys(old.files, p.files) {
		return false
	}
	if old != nil {
		for id := range old.files {
			w.known[id].users--
		}
		delete(w.procs, tgid)
	}
	if p != nil && (len(w.procs) < maxProcesses || old != nil) {
		for id := range p.files {
			w.known[id].users++
		}
		w.procs[tgid] = p
	}
	w.dirty = w.dirty || old != nil && len(old.files) > 0 || p != nil && len(p.files) > 0
	return true
}

func sameKeys(a, b map[ID]place) bool {
	for id := range a {
		if _, ok := b[id]; !ok {
			return false
		}
	}
	return len(a) == len(b)
}

// tls says whether a file has TLS in it, looking into it if it is new.
func (w *Watcher) tls(id ID, at place) bool {
	if w.known[id] != nil {
		return true
	}
	if _, ok := w.others[id]; ok {
		return false
	}
	path, o, err := inspect(id, at)
	switch {
	case errors.Is(err, object.ErrNotELF), errors.Is(err, object.ErrTooLarge):
	case err != nil:
		w.mu.Lock()
		w.status.Unread++
		w.mu.Unlock()
		return false
	case o.Library != object.None:
		if len(w.known) >= maxFiles {
			w.refuse()
			return false
		}
		w.known[id] = &known{path: path, object: o}
		return true
	}
	if len(w.others) >= maxOthers {
		clear(w.others)
	}
	w.others[id] = struct{}{}
	return false
}

func (w *Watcher) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.Refused++
}

// publish makes what was found the answer of Files.
func (w *Watcher) publish() {
	if !w.dirty {
		return
	}
	w.dirty = false
	files := make(map[ID]*File)
	for id, k := range w.known {
		if k.users == 0 {
			delete(w.known, id) // its inode may be another's next
			continue
		}
		files[id] = &File{ID: id, Path: k.path, Object: k.object}
	}
	for _, p := range w.procs {
		for id, at := range p.files {
			files[id].Processes = append(files[id].Processes, p.Process)
			files[id].places = append(files[id].places, at)
		}
	}
	all := make([]File, 0, len(files))
	for _, f := range files {
		slices.SortFunc(f.Processes, func(a, b Process) int { return cmp.Compare(a.TGID, b.TGID) })
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Inode, b.Inode))
	})
	w.mu.Lock()
	w.files = all
	w.status.Files, w.status.Others, w.status.Processes = len(all), len(w.others), len(w.procs)
	w.mu.Unlock()
	for _, c := range w.hear {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
