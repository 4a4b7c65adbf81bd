package keys

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	kernel "shark/bpf/keylog"
	"shark/packet/keylog"
	"shark/recorder/plaintext/libraries"
	"shark/recorder/procfs"
)

// Keys reads the secrets of the machine's processes.
type Keys struct {
	o       Options
	set     *kernel.Set
	changed <-chan struct{}
	revise  chan struct{}

	mu       sync.Mutex
	files    []libraries.File             // with TLS, as they were last told
	attached map[libraries.ID]*attachment // or tried
	numbers  map[uint32]*attachment       // by the number that events have
	verdicts map[kernel.Process]bool      // whether they may be read
	results  map[string]kernel.Place      // of calibrations, by digest
	hellos   hellos
	sockets  map[uint32]*os.File      // by network namespace
	last     uint32                   // number given
	waiting  int                      // dumps, of all files
	seen     [2]map[repeated]struct{} // events given: now, and a generation ago
	status   Status                   // but for Files

	emit   sync.Mutex // around the caller's function
	give   func(Event)
	worker sync.WaitGroup // of sockets
}

// repeated is what tells an event from all others.
type repeated struct {
	tgid   uint32
	random random
	label  string
}

// Open loads what is needed in the kernel, and attaches to the files that are there: secrets wait
// from then on until Run gives them out. What the kernel does not have, or does not allow,
// is an error that wraps errors.ErrUnsupported.
func Open(o Options) (*Keys, error) {
	if o.Allow == nil {
		o.Allow = func(libraries.Process) bool { return true }
	}
	if o.linger == 0 {
		o.linger = linger
	}
	set, err := kernel.Open(kernel.Options{PerfEvents: o.perfEvents})
	if err != nil {
		return nil, err
	}
	k := &Keys{
		o: o, set: set, changed: o.Libraries.Changed(), revise: make(chan struct{}, 1),
		attached: make(map[libraries.ID]*attachment), numbers: make(map[uint32]*attachment),
		verdicts: make(map[kernel.Process]bool), results: make(map[string]kernel.Place), sockets: make(map[uint32]*os.File),
		seen: [2]map[repeated]struct{}{make(map[repeated]struct{}), make(map[repeated]struct{})},
	}
	k.reconcile(o.Libraries.Files(), time.Now())
	return k, nil
}

// Close gives back what Open took. Run must have ended, if it ever began.
func (k *Keys) Close() error {
	err := k.detachAll()
	k.worker.Wait()
	return errors.Join(err, k.set.Close())
}

// Reconsider asks Allow about all processes again, when its answers have changed.
func (k *Keys) Reconsider() error {
	k.mu.Lock()
	clear(k.verdicts)
	err := k.set.AllowAll()
	k.mu.Unlock()
	select {
	case k.revise <- struct{}{}:
	default:
	}
	return err
}

// Run gives f each secret, one after another, until the context ends; the watcher of libraries has
// to run meanwhile. All probes are taken off at the end.
func (k *Keys) Run(ctx context.Context, f func(Event)) error {
	k.give = f
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, 2)
	go func() { defer cancel(); errs <- k.set.ReadSecrets(k.secret) }()
	go func() { defer cancel(); errs <- k.set.ReadDumps(k.dump) }()

	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		k.reconcile(k.o.Libraries.Files(), time.Now())
		select {
		case <-ctx.Done():
		case <-k.changed:
		case <-k.revise:
		case <-tick.C: // for what was put off
		}
	}
	err := errors.Join(k.detachAll(), k.set.Interrupt())
	k.worker.Wait()
	return errors.Join(err, <-errs, <-errs)
}

// Status returns how the reading goes.
func (k *Keys) Status() (Status, error) {
	c, err := k.set.Counters()
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	s.Denied += c.Denied
	s.Unknown += c.NoFile
	s.Unreadable += c.BadLabel + c.BadSecret + c.BadRandom
	s.Lost = c.SecretsFull + c.DumpsFull
	for i := range k.files {
		f := &k.files[i]
		of := FileStatus{
			Path: f.Path, BuildID: f.Object.BuildID, Library: f.Object.Library, Found: f.Object.Found,
			Processes: len(f.Processes), Reason: f.Object.Why,
		}
		if a := k.attached[f.ID]; a != nil {
			a.describe(&of)
		} else if of.Reason == "" {
			of.Reason = "none of its processes may be read"
		}
		s.Files = append(s.Files, of)
	}
	return s, err
}

// Hello tells of a ClientHello that went by. Keys hears of them itself where it may enter network
// namespaces; where it may not, whoever sees packets can call this.
func (k *Keys) Hello(r [keylog.RandomSize]byte) {
	k.mu.Lock()
	var events []Event
	if k.hellos.add(r) {
		for _, a := range k.numbers {
			events = append(events, k.calibrate(a, a.waiting, map[random]struct{}{r: {}})...)
		}
	}
	k.mu.Unlock()
	k.deliver(events)
}

// secret takes an event of the kernel.
func (k *Keys) secret(e *kernel.Event) {
	k.mu.Lock()
	event, ok := k.event(e)
	k.mu.Unlock()
	if ok {
		k.deliver([]Event{event})
	}
}

// dump takes a secret with the object that has its random somewhere.
func (k *Keys) dump(d *kernel.Dump) {
	k.mu.Lock()
	var events []Event
	switch a := k.numbers[d.File]; {
	case a == nil:
		k.status.Unknown++
	case !k.may(d.Process, d.Comm):
		k.status.Denied++
	case a.place.Known: // since the kernel made the dump
		events = k.resolve(a, []*kernel.Dump{d})
	case k.waiting >= maxDumps:
		k.status.Uncalibrated++
	default:
		dropped := a.add(d)
		k.waiting += 1 - dropped
		k.status.Uncalibrated += uint64(dropped)
		events = k.calibrate(a, []*kernel.Dump{d}, k.hellos.have)
	}
	k.mu.Unlock()
	k.deliver(events)
}

// calibrate searches dumps of a file for hellos, and when it is then known where the random is
// gives the events that waited for that.
func (k *Keys) calibrate(a *attachment, dumps []*kernel.Dump, hellos map[random]struct{}) []Event {
	if a.place.Known {
		return nil
	}
	for _, d := range dumps {
		a.look(d, hellos)
	}
	place, ok := a.result()
	if !ok {
		return nil
	}
	if err := k.set.Put(a.number, place); err != nil {
		a.reason = err.Error() // the next dump tries again
		return nil
	}
	a.place, a.random, a.agree, a.reason = place, "calibrated", nil, ""
	if len(k.results) >= maxResults {
		clear(k.results)
	}
	if a.digest != "" {
		k.results[a.digest] = place
	}
	waiting := a.waiting
	a.waiting = nil
	k.waiting -= len(waiting)
	return k.resolve(a, waiting)
}

// resolve gives the events of dumps, now that it is known where they have the random.
func (k *Keys) resolve(a *attachment, dumps []*kernel.Dump) (events []Event) {
	for _, d := range dumps {
		r, ok := take(d, a.place)
		if !ok {
			k.status.Unreadable++
			continue
		}
		d.Random = r
		if e, ok := k.event(&d.Event); ok {
			events = append(events, e)
		}
	}
	return events
}

// event makes an event of one of the kernel's, if it is to be given.
func (k *Keys) event(e *kernel.Event) (Event, bool) {
	a := k.numbers[e.File]
	switch {
	case a == nil || !known(e.Label):
		k.status.Unknown++
		return Event{}, false
	case e.Random == random{}:
		k.status.Unreadable++
		return Event{}, false
	case !k.may(e.Process, e.Comm):
		k.status.Denied++
		return Event{}, false
	case k.again(repeated{e.TGID, e.Random, e.Label}):
		k.status.Repeated++
		return Event{}, false
	}
	a.secrets++
	k.status.Secrets++
	return Event{
		Secret: keylog.Secret{Label: e.Label, Random: e.Random, Secret: e.Secret},
		Time:   time.Unix(0, int64(procfs.Realtime()+e.Time)), TGID: e.TGID, TID: e.TID, Comm: e.Comm, Cgroup: e.Cgroup, NetNS: e.NetNS,
		Library: a.library, Path: a.path,
	}, true
}

// deliver gives events to the caller, one at a time.
func (k *Keys) deliver(events []Event) {
	k.emit.Lock()
	defer k.emit.Unlock()
	for _, e := range events {
		k.give(e)
	}
}

// may says whether a process may be read, and has the kernel keep quiet about one that may not.
func (k *Keys) may(p kernel.Process, comm string) bool {
	ok, have := k.verdicts[p]
	if have {
		return ok
	}
	if len(k.verdicts) >= maxVerdicts {
		clear(k.verdicts)
	}
	ok = k.o.Allow(libraries.Process{TGID: p.TGID, NetNS: p.NetNS, Cgroup: p.Cgroup, Started: p.Started, Comm: comm})
	k.verdicts[p] = ok
	if !ok {
		// Without the kernel's help each of its secrets is thrown away here.
		if err := k.set.Deny(p); err != nil {
			delete(k.verdicts, p)
		}
	}
	return ok
}

// again says whether an event was given before: Go's function begins twice when the stack grows,
// and where only /proc tells of files one may be attached to by two names.
func (k *Keys) again(r repeated) bool {
	for _, m := range k.seen {
		if _, ok := m[r]; ok {
			return true
		}
	}
	if len(k.seen[0]) >= generation {
		k.seen[0], k.seen[1] = k.seen[1], k.seen[0]
		clear(k.seen[0])
	}
	k.seen[0][r] = struct{}{}
	return false
}

// known says whether a label is one of key logs. Traffic secrets are numbered by key updates.
func known(label string) bool {
	switch label {
	case keylog.ClientRandom, keylog.ClientEarlyTraffic, keylog.ClientHandshake, keylog.ServerHandshake,
		keylog.Exporter, keylog.EarlyExporterMaster:
		return true
	}
	for _, prefix := range []string{"CLIENT_TRAFFIC_SECRET_", "SERVER_TRAFFIC_SECRET_"} {
		if n, ok := strings.CutPrefix(label, prefix); ok {
			return n != "" && len(n) < 10 && strings.Trim(n, "0123456789") == ""
		}
	}
	return false
}

// hear reads hellos until the socket is closed.
func (k *Keys) hear(f *os.File) {
	b := make([]byte, helloSnap)
	for {
		n, err := f.Read(b)
		if err != nil {
			if errors.Is(err, unix.ENETDOWN) { // a device of the namespace went away
				continue
			}
			return
		}
		if r, ok := helloRandom(b[:n]); ok {
			k.Hello(r)
		}
	}
}
