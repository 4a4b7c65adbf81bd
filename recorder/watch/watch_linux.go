package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"shark/bpf/owner"
	"shark/recorder/procfs"
	"shark/snapshot/identity"
)

const (
	// scanEvery is how often /proc is looked through where the kernel tells nothing.
	scanEvery = time.Second
	// refreshEvery is how often addresses, and pods that may be gone, are looked at.
	refreshEvery = 5 * time.Second
)

// Watcher watches this machine. Open has attached it; Run tells what it sees.
type Watcher struct {
	o        Options
	programs *owner.Programs // nil: /proc alone
	boot     string          // tells the uids of this boot from those of others

	emit  func(*identity.Record)
	began int64 // ns since 1970
	// offset is what is to be added to the kernel's times to have ns since 1970.
	offset             int64
	scanned, refreshed time.Time

	sockets    map[uint64]*socket  // by cookie
	ports      map[portKey]uint64  // cookies of UDP sockets
	processes  map[uint32]*process // by pid
	namespaces map[uint32]*namespace
	host       uint32 // inode of the machine's own network namespace
	node       identity.Record
	newcomer   bool            // addresses of a network namespace were read since node was told of
	pods       map[string]*pod // by uid
	podFolders map[string]podFolder
	cgroups    cgroups
	scan       map[uint64]bool // cookies of the last scan

	mu     sync.Mutex
	status Status
	closed bool // the programs are
}

// Open attaches the programs. What a kernel does not offer is no error: Status has it.
func Open(o Options) (*Watcher, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("watch: /proc is needed: %w", err)
	}
	if o.Node == "" {
		if o.Node, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("watch: name of the machine: %w", err)
		}
	}
	o.Pods = cmp.Or(o.Pods, "/var/log/pods")
	w := &Watcher{
		o: o, boot: strings.TrimSpace(string(boot))[:8], host: procfs.NetNS(uint32(os.Getpid())),
		sockets: make(map[uint64]*socket), ports: make(map[portKey]uint64), processes: make(map[uint32]*process),
		namespaces: make(map[uint32]*namespace), pods: make(map[string]*pod), cgroups: cgroups{root: CgroupRoot()},
	}
	if o.ProcOnly {
		w.status.ProcOnly = true
		return w, nil
	}
	w.programs, err = owner.Open(owner.Options{Netns: o.Netns, Cgroup: o.Cgroup})
	if errors.Is(err, errors.ErrUnsupported) {
		w.status.ProcOnly, w.status.Missing = true, []string{err.Error()}
		return w, nil
	}
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	for _, f := range w.programs.Missing() {
		w.status.Missing = append(w.status.Missing, f.Error())
	}
	return w, nil
}

// Run tells first what there is and then each change until the context ends. The Record is
// good for the call only.
func (w *Watcher) Run(ctx context.Context, emit func(*identity.Record)) error {
	w.emit = emit
	w.offset, w.began = int64(procfs.Realtime()), time.Now().UnixNano()
	w.tellNode(w.began)
	if w.programs == nil {
		return w.poll(ctx)
	}
	if err := w.programs.Existing(w.handle); errors.Is(err, errors.ErrUnsupported) {
		w.rescan()
	} else if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	err := w.programs.Run(ctx, w.handle, w.idle)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("watch: %w", err)
}

// Close detaches the programs. Run has ended by then.
func (w *Watcher) Close() error {
	if w.programs == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readLost()
	w.closed = true
	return w.programs.Close()
}

// readLost notes what the kernel could not tell, as long as the programs are there.
func (w *Watcher) readLost() {
	if w.programs == nil || w.closed {
		return
	}
	if lost, err := w.programs.Lost(); err == nil {
		w.status.Lost = lost
	}
}

// Status returns how it goes. It may be called by any goroutine.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readLost()
	s := w.status
	s.Missing = slices.Clone(s.Missing)
	return s
}

// count changes the status.
func (w *Watcher) count(f func(*Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.status)
}

// poll looks through /proc again and again.
func (w *Watcher) poll(ctx context.Context) error {
	tick := time.NewTicker(scanEvery)
	defer tick.Stop()
	for {
		w.rescan()
		w.idle()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// idle is called many times a second.
func (w *Watcher) idle() {
	w.count(func(s *Status) { s.Sockets, s.Processes = len(w.sockets), len(w.processes) })
	now := time.Now()
	if w.newcomer {
		w.tellNode(now.UnixNano())
	}
	if now.Sub(w.scanned) >= scanEvery {
		w.scanned = now
		w.offset = int64(procfs.Realtime()) // the machine's time may have been set
		if w.programs != nil && w.blind() {
			w.rescan()
		}
	}
	if now.Sub(w.refreshed) >= refreshEvery {
		if !w.refreshed.IsZero() {
			w.refresh(now.UnixNano())
		}
		w.refreshed = now
	}
}

// blind tells whether the kernel says nothing of accepted sockets.
func (w *Watcher) blind() bool {
	return slices.ContainsFunc(w.programs.Missing(), func(f owner.Feature) bool { return f.Program == "sent" || f.Program == "received" })
}

// handle takes one event of the kernel's.
func (w *Watcher) handle(e *owner.Event) {
	switch e.Kind {
	case owner.Socket:
		w.socket(e)
	case owner.End:
		w.end(e.Cookie, w.real(e.Time))
	case owner.Process:
		w.introduce(e)
	case owner.Exit:
		w.exit(&e.Who, w.real(e.Time))
	}
}

// real turns a time of the kernel's into ns since 1970.
func (w *Watcher) real(t uint64) int64 { return int64(t) + w.offset }

// tell gives a record out.
func (w *Watcher) tell(r *identity.Record, op identity.Op, at int64) {
	out := *r
	out.Op, out.Time = op, time.Unix(0, at).UTC()
	if op == identity.Delete {
		out = identity.Record{
			Time: out.Time, Op: op, Source: r.Source, Kind: r.Kind, UID: r.UID, Namespace: r.Namespace, Name: r.Name, Node: r.Node,
		}
	}
	w.emit(&out)
}
