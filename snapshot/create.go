package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"shark/packet"
	"shark/snapshot/identity"
)

// Recording is what a recorder keeps of a node, of which a window becomes part of a snapshot.
type Recording interface {
	Node() string
	// Span tells from when to when it recorded; zero times: nothing.
	Span() (from, to time.Time, err error)
	// Pin keeps what was recorded from one time to another, both included, from being
	// overwritten. The caller releases it.
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
	// Identity opens the log of who had which address; empty: nobody knows.
	Identity() (io.ReadCloser, error)
	Release() error
}

// CreateOptions say what becomes a snapshot.
type CreateOptions struct {
	Recordings []Recording // of different nodes
	From, To   time.Time   // the window, both ends included
	Filter     Filter      // what of it is taken
	Name       string      // empty: that of the first node
	Note       string      // free text, like the two that follow
	Creator    string      // who makes it
	Cluster    string      // it is of
	Created    time.Time   // zero: now
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
	err = w.pin(nodes, o.From, o.To)
	x := s.build(ctx, m, w.size(), progress)
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

func (w *windows) pin(nodes []Recording, from, to time.Time) error {
	for _, r := range nodes {
		p, err := r.Pin(from, to)
		if err != nil {
			return fmt.Errorf("node %s: %w", r.Node(), err)
		}
		w.nodes, w.pinned = append(w.nodes, r.Node()), append(w.pinned, p)
	}
	return nil
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
	}
	for i, p := range w.pinned {
		name := w.nodes[i]
		for _, text := range p.Notes() {
			x.note(NoteWindow, name, "%s", text)
		}
		src := &recorded{Source: p.Open(), selector: w.selector}
		if err := errors.Join(x.node(name, src), src.Close()); err != nil {
			return err
		}
		some, err := told(p)
		if err == nil && some {
			err = x.identity(p.Identity, name, "recorder")
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
		n := len(b.Records)
		b.Records = slices.DeleteFunc(b.Records, func(rec packet.Record) bool { return !r.selector.match(&rec) })
		r.left += uint64(n - len(b.Records))
		if err != nil || len(b.Records) > 0 {
			return err
		}
	}
}

// Read returns how many bytes were read, if the recording tells.
func (r *recorded) Read() int64 {
	if s, ok := r.Source.(interface{ Read() int64 }); ok {
		return s.Read()
	}
	return 0
}

func (r *recorded) describe(n *Node) error {
	n.Filtered = r.left
	return nil
}
