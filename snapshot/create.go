package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/identity"
)

// Recording is what a recorder keeps of a node, of which a window becomes part of a snapshot.
type Recording interface {
	Node() string
	// Span tells from when to when it recorded; zero times: nothing. It may be ErrAway, as Pin.
	Span() (from, to time.Time, err error)
	// Pin keeps what was recorded from one time to another, both included, from being
	// overwritten. The caller releases it. ErrAway is no reason not to have the others' windows.
	Pin(from, to time.Time) (Pinned, error)
}

// Pinned is a window of a Recording.
type Pinned interface {
	// Open begins to read the packets, in the order they were recorded. The interfaces tell
	// what they received and dropped in the window.
	Open() packet.Source
	// Notes says what of the window was not recorded.
	Notes() []string
	// Size is about how many bytes are read.
	Size() int64
	// Identity opens the log of who had which address; empty: nobody knows. ErrAway leaves it out.
	Identity() (io.ReadCloser, error)
	Release() error
}

// ErrAway says that a Recording cannot be asked, perhaps since its node is down. What others
// recorded becomes a snapshot all the same.
var ErrAway = errors.New("cannot be reached")

// CreateOptions say what becomes a snapshot.
type CreateOptions struct {
	Recordings []Recording // of different nodes
	From, To   time.Time   // the window, both ends included
	Filter     Filter      // what of it is taken
	Policy
	Name    string    // empty: that of the first node
	Note    string    // free text, like the two that follow
	Creator string    // who makes it
	Cluster string    // it is of
	Created time.Time // zero: now
}

// Create makes a snapshot of a window of recordings and puts it into the store. The
// window is pinned first, on all nodes, so it does not matter how long the rest takes. It is
// there when Create returns, and before that, or after an error, it is not. What was not
// recorded is no error: it stands in the manifest's coverage. Progress may be nil.
func (s *Store) Create(ctx context.Context, o CreateOptions, progress func(Progress)) (*Manifest, error) {
	f, err := newSelector(&o.Filter)
	if err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	nodes, err := o.nodes()
	if err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	if o.Name == "" {
		o.Name = nodes[0].Node()
	}
	m := Manifest{
		Name: o.Name, Note: o.Note, Creator: o.Creator, Cluster: o.Cluster, Created: o.Created,
		Asked: &Window{o.From.UTC(), o.To.UTC()},
	}
	if !o.Filter.empty() {
		m.Filter = &o.Filter
	}
	w := &windows{selector: f}
	away, err := w.pin(nodes, o.From, o.To)
	x := s.build(ctx, m, len(w.pinned), w.size(), progress)
	x.manifest.Coverage = append(x.manifest.Coverage, away...)
	x.policy = o.Policy
	if err == nil {
		err = x.recorded(w)
	}
	err = errors.Join(err, w.release())
	return x.end("create", err)
}

// nodes returns the recordings that the filter takes.
func (o *CreateOptions) nodes() (list []Recording, err error) {
	known := make(map[string]bool)
	for _, r := range o.Recordings {
		if known[r.Node()] {
			return nil, fmt.Errorf("two recordings are of node %q", r.Node())
		}
		known[r.Node()] = true
		if len(o.Filter.Nodes) == 0 || slices.Contains(o.Filter.Nodes, r.Node()) {
			list = append(list, r)
		}
	}
	for _, n := range o.Filter.Nodes {
		if !known[n] {
			return nil, fmt.Errorf("%w: there is no recording of node %q", ErrFilter, n)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("no recording is named")
	}
	return list, nil
}

// windows are the windows of several nodes, pinned.
type windows struct {
	selector *selector
	nodes    []string
	pinned   []Pinned
}

// pin pins the window on all nodes and notes those that are away, unless all are.
func (w *windows) pin(nodes []Recording, from, to time.Time) (away []Note, err error) {
	var gone []error
	for _, r := range nodes {
		p, err := r.Pin(from, to)
		if errors.Is(err, ErrAway) {
			gone = append(gone, fmt.Errorf("node %s: %w", r.Node(), err))
			away = append(away, Note{NoteNode, r.Node(), fmt.Sprintf("nothing of it is here: %v", err)})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", r.Node(), err)
		}
		w.nodes, w.pinned = append(w.nodes, r.Node()), append(w.pinned, p)
	}
	if len(w.pinned) == 0 {
		return nil, errors.Join(gone...)
	}
	return away, nil
}

func (w *windows) size() (n int64) {
	for _, p := range w.pinned {
		n += p.Size()
	}
	return n
}

func (w *windows) release() error {
	var errs []error
	for _, p := range w.pinned {
		errs = append(errs, p.Release())
	}
	return errors.Join(errs...)
}

// owners reads the logs of all nodes together: who is at the other end of a connection may
// be known to another node alone.
func (w *windows) owners() (*identity.Log, error) {
	var inputs []identity.Input
	var errs []error
	for i, p := range w.pinned {
		in, err := p.Identity()
		if errors.Is(err, ErrAway) { // which is noted where its packets are read
			continue
		}
		if err != nil {
			errs = append(errs, err)
			break
		}
		defer in.Close()
		inputs = append(inputs, identity.Input{Name: w.nodes[i], Reader: in})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return identity.ReadAll(inputs...)
}

// recorded writes what the windows hold.
func (x *builder) recorded(w *windows) error {
	if w.selector.byOwner() {
		log, err := w.owners()
		if err != nil {
			return fmt.Errorf("identity: %w", err)
		}
		if log.Records() == 0 {
			return fmt.Errorf("%w: nothing was recorded of who had which address, so namespaces and workloads are not known", ErrFilter)
		}
		w.selector.log = log
		unknown, err := w.selector.strangers()
		if err != nil {
			return fmt.Errorf("identity: %w", err)
		}
		for _, text := range unknown {
			x.note(NoteFilter, "", "%s", text)
		}
	}
	for i, p := range w.pinned {
		name := w.nodes[i]
		for _, text := range p.Notes() {
			x.note(NoteWindow, name, "%s", text)
		}
		open := func() (source, error) { return &recorded{Source: p.Open(), selector: w.selector}, nil }
		if err := x.node(name, open); err != nil {
			return err
		}
		some, err := told(p)
		if err == nil && some {
			err = x.identity(p.Identity, name, "recorder")
		}
		if errors.Is(err, ErrAway) {
			x.note(NoteIdentity, name, "its identity log is not here: %v", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("node %s: identity: %w", name, err)
		}
	}
	return nil
}

// told tells whether a recording says who had which address.
func told(p Pinned) (bool, error) {
	in, err := p.Identity()
	if err != nil {
		return false, err
	}
	n, err := io.ReadFull(in, make([]byte, 1))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n > 0, errors.Join(err, in.Close())
}

// recorded is a window's packets, of which those are left that are selected.
type recorded struct {
	packet.Source
	selector *selector
	checked  int    // interfaces that the expression is known to suit
	left     uint64 // packets that are not selected
	clear    uint64 // segments of plaintext that are not
	hellos   hellos // among the packets that are
}

// ReadBatch implements packet.Source.
func (r *recorded) ReadBatch(b *packet.Batch) error {
	for {
		err := r.Source.ReadBatch(b)
		if r.selector.all() {
			return err
		}
		interfaces := r.Interfaces()
		if bad := r.selector.check(interfaces[r.checked:]); bad != nil {
			return bad
		}
		r.checked = len(interfaces)
		b.Records = slices.DeleteFunc(b.Records, func(rec packet.Record) bool {
			if r.takes(&rec) {
				return false
			}
			if int(rec.Interface) < len(interfaces) && interfaces[rec.Interface].Name == packet.PlaintextInterface {
				r.clear++
			} else {
				r.left++
			}
			return true
		})
		if err != nil || len(b.Records) > 0 {
			return err
		}
	}
}

// takes tells whether a packet is selected, and looks at it if so.
func (r *recorded) takes(rec *packet.Record) bool {
	if !r.selector.match(rec) {
		return false
	}
	r.hellos.see(r.selector.decoded(rec))
	return true
}

// Read returns how many bytes were read, if the recording tells.
func (r *recorded) Read() int64 {
	if s, ok := r.Source.(interface{ Read() int64 }); ok {
		return s.Read()
	}
	return 0
}

// Secrets returns what the recording has that decrypts its packets; with a filter, of those that
// were read by now and that it takes.
func (r *recorded) Secrets() []pcapng.Secret {
	s, ok := r.Source.(keyed)
	switch {
	case !ok:
		return nil
	case r.selector.all():
		return s.Secrets()
	}
	return r.hellos.narrow(s.Secrets())
}

// Asides returns what stands beside packets in the recording. With a filter only statistics are
// taken: nobody knows what the rest is about.
func (r *recorded) Asides() (list []pcapng.Aside) {
	s, ok := r.Source.(beside)
	if !ok {
		return nil
	}
	list = s.Asides()
	if r.selector.all() {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(a pcapng.Aside) bool { return !a.IsStatistics() })
}

// Omitted counts what of it is not among the Asides.
func (r *recorded) Omitted() pcapng.Omitted {
	s, ok := r.Source.(beside)
	if !ok {
		return pcapng.Omitted{}
	}
	o := s.Omitted()
	o.Filtered += uint64(len(s.Asides()) - len(r.Asides()))
	return o
}

// Losses tells when packets were lost, if the recording does.
func (r *recorded) Losses() []packet.Loss {
	if s, ok := r.Source.(timely); ok {
		return s.Losses()
	}
	return nil
}

func (r *recorded) describe(n *Node) error {
	n.Filtered, n.FilteredPlaintext, n.FilteredSecrets = r.left, r.clear, uint64(len(r.hellos.left))
	return nil
}
