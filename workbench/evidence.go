package workbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
	"shark/snapshot/block"
	"shark/snapshot/identity"
	"shark/workbench/index"
)

// Evidence is what questions are asked about: captured packets with the
// identities of their time, and, once dissected, their index. It may be used by
// several goroutines until it is closed.
type Evidence struct {
	w           *Workbench
	Name        string             // for people
	inputs      []input            // capture files
	identity    *identity.Log      // nil: nothing is known of the addresses; of a snapshot, after know
	identitySum string             // digest of the file that identity was read from; empty for the snapshot's own
	node        string             // that recorded the capture files, which say so; empty when unknown
	altered     []string           // notes on inputs that are not what the manifest says
	scratch     []string           // index databases that are of no use to anybody else
	unusable    string             // note on a published index database that could not be used
	snapshot    *snapshot.Snapshot // nil: capture files or an index database
	given       string             // path of the index database that was given instead of packets
	spool       string             // copy of standard input, removed by Close

	knowing sync.Mutex // held while the snapshot's identity log is read
	known   bool       // it was, or another stands for it
	unnamed error      // why it could not be

	mu     sync.Mutex  // held while dissecting
	opened *opened     // nil before the first question that needs an index
	before partsBefore // of the last dissection
	early  *early      // is given what is found meanwhile; nil: nobody
	// excerpts are those that were opened, by path.
	excerpts map[string]*opened
	dbs      []*index.DB
}

// input is one capture file.
type input struct {
	path  string
	label string // what people are told of it
	size  int64
}

// OpenOptions say more about what to open.
type OpenOptions struct {
	Identity string    // path of an identity log to go with capture files, instead of what they carry
	Stdin    io.Reader // what "-" stands for
}

// Open finds what refs name, all of one kind: capture files, which are merged by
// time, one snapshot by id, unique name or folder, one index database, or "-".
// The caller closes the Evidence.
func (w *Workbench) Open(ctx context.Context, refs []string, o OpenOptions) (*Evidence, error) {
	if len(refs) == 0 {
		return nil, usage("no snapshot or capture file is named")
	}
	e := &Evidence{w: w, Name: refs[0], excerpts: make(map[string]*opened)}
	if len(refs) > 1 {
		e.Name = fmt.Sprintf("%s and %d more", refs[0], len(refs)-1)
	}
	for _, ref := range refs {
		if err := e.add(ctx, ref, o, len(refs) == 1); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	add := e.addCarried
	if o.Identity != "" {
		add = func(ctx context.Context) error { return e.addIdentity(ctx, o.Identity) }
	}
	if err := add(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// add opens one reference.
func (e *Evidence) add(ctx context.Context, ref string, o OpenOptions, alone bool) error {
	if ref == "-" {
		return e.addStdin(ctx, o.Stdin, alone)
	}
	info, err := os.Stat(ref)
	switch {
	case err == nil && info.IsDir():
		return e.addSnapshot(ctx, ref, alone)
	case err == nil && index.Is(ref):
		if !alone {
			return usage("%s is an index database; name it alone", ref)
		}
		if len(e.w.cfg.Protocols) > 0 {
			return usage("%s is an index database: what it was dissected for stays as it is; --protocols goes with captures and snapshots", ref)
		}
		if e.w.keyLog != nil {
			return usage("%s is an index database: it was dissected with the secrets of its time; --keylog goes with captures and snapshots", ref)
		}
		e.given = ref
		return nil
	case err == nil && !info.Mode().IsRegular():
		return usage("%s is not a regular file, and captures are read more than once: send it to standard input and name -", ref)
	case err == nil:
		e.inputs = append(e.inputs, input{path: ref, label: ref, size: info.Size()})
		return nil
	case !errors.Is(err, fs.ErrNotExist) && filepath.Base(ref) != ref:
		return err
	case !alone:
		return fmt.Errorf("%s: no such capture file, and a snapshot is named alone: %w", ref, ErrNotFound)
	}
	return e.addSnapshot(ctx, ref, alone)
}

// addStdin copies standard input to a file: it is read more than once.
func (e *Evidence) addStdin(ctx context.Context, in io.Reader, alone bool) error {
	if !alone || in == nil {
		return usage("standard input goes alone")
	}
	f, err := os.CreateTemp("", "shark-stdin-*")
	if err != nil {
		return fmt.Errorf("copying standard input: %w", err)
	}
	e.spool, e.Name = f.Name(), "standard input"
	n, err := copyContext(ctx, f, in)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("copying standard input: %w", err)
	}
	e.inputs = append(e.inputs, input{path: e.spool, label: e.Name, size: n})
	return nil
}

// copyContext is io.Copy until the end of ctx. A Read that waits then, such as for
// what a person will type, is left behind; what it gives is lost.
func copyContext(ctx context.Context, out io.Writer, in io.Reader) (int64, error) {
	type copied struct {
		n   int64
		err error
	}
	done := make(chan copied, 1)
	go func() {
		n, err := io.Copy(out, in)
		done <- copied{n, err}
	}()
	select {
	case c := <-done:
		return c.n, c.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// addSnapshot opens a snapshot: a folder of its own, or one of the store.
func (e *Evidence) addSnapshot(ctx context.Context, ref string, alone bool) error {
	if !alone {
		return usage("%s: a snapshot is named alone", ref)
	}
	s, err := snapshot.Find(ctx, e.w.cfg.Store, ref)
	if errors.Is(err, snapshot.ErrNotFound) {
		return fmt.Errorf("%s: neither a file nor a snapshot of the store: %w", ref, ErrNotFound)
	}
	if err != nil {
		return err
	}
	e.Name, e.snapshot = s.Manifest.Name, s
	s.Keep(e.w.cache)
	return nil
}

// addIdentity reads an identity log, which stands for the snapshot's own if that
// has one.
func (e *Evidence) addIdentity(ctx context.Context, path string) error {
	if e.given != "" {
		return usage("an identity log goes with packets, not with an index database")
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("identity log: %w", err)
	}
	defer f.Close()
	if e.identity, err = identity.Read(f); err != nil {
		return fmt.Errorf("identity log %s: %w", path, err)
	}
	e.known = true
	e.identitySum, err = e.w.fileDigest(ctx, path, algorithmSHA256)
	return err
}

// addCarried reads the identity logs that capture files carry among their packets.
func (e *Evidence) addCarried(ctx context.Context) error {
	var logs []identity.Input
	for i := range e.inputs {
		blocks, err := carried(ctx, e.inputs[i].path)
		if err != nil {
			return err
		}
		if len(blocks) > 0 {
			logs = append(logs, identity.Input{Name: e.inputs[i].label, Reader: bytes.NewReader(slices.Concat(blocks...))})
		}
	}
	if len(logs) == 0 {
		return nil
	}
	var err error
	if e.identity, err = identity.ReadAll(logs...); err != nil {
		return fmt.Errorf("identity log of %s: %w", e.Name, err)
	}
	if nodes := e.identity.Nodes(); len(nodes) == 1 && len(logs) == len(e.inputs) {
		e.node = nodes[0] // a recording is of the machine that it tells of
	}
	return nil
}

// carried returns the identity log of a capture file, which is read through only if it has
// one. What of the packets cannot be read, who reads those will say.
func carried(ctx context.Context, path string) ([][]byte, error) {
	r, err := pcapng.Open(path)
	if err != nil {
		return nil, nil
	}
	defer r.Close()
	var b packet.Batch
	for err == nil {
		if err = r.ReadBatch(&b); len(r.Identity()) == 0 {
			return nil, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return r.Identity(), nil
}

// Close releases what the evidence holds.
func (e *Evidence) Close() error {
	var err error
	for _, db := range e.dbs {
		err = errors.Join(err, db.Close())
	}
	for _, path := range e.scratch {
		err = errors.Join(err, os.Remove(path))
	}
	if e.spool != "" {
		err = errors.Join(err, os.Remove(e.spool))
	}
	e.dbs, e.opened, e.excerpts, e.scratch, e.spool = nil, nil, nil, nil, ""
	return err
}

// source is packets, with what is known beside them.
type source interface {
	packet.Source
	Names() []pcapng.Name
	Secrets() []pcapng.Secret
	Comments() []string
	Asides() []pcapng.Aside   // statistics are of the interfaces
	Omitted() pcapng.Omitted  // what of that is not there
	Origins() []pcapng.Origin // of each interface
	Nodes() []string          // that captured, by interface; empty when unknown
	Points() []pcapng.Point
}

// captures is capture files as a source.
type captures struct {
	*pcapng.Merged
	node string // that captured them all; empty when unknown
}

func (c captures) Nodes() []string { return slices.Repeat([]string{c.node}, len(c.Origins())) }

// packets opens the packets, merged by time: all of capture files; of a snapshot those
// blocks that may have some of sel.
func (e *Evidence) packets(ctx context.Context, sel snapshot.Selection) (source, error) {
	return e.watchedPackets(ctx, sel, func(int) func([]byte) { return nil })
}

// watchedPackets is packets for who wants to see the bytes of capture files.
func (e *Evidence) watchedPackets(ctx context.Context, sel snapshot.Selection, see func(file int) func([]byte)) (source, error) {
	if e.snapshot != nil {
		return e.snapshot.Packets(ctx, sel)
	}
	if len(e.inputs) == 0 {
		return nil, e.packetless()
	}
	src, err := pcapng.OpenWatched(see, e.paths()...)
	if err != nil && e.spool != "" {
		err = retold{err, strings.ReplaceAll(err.Error(), e.spool, e.Name)} // nobody knows the copy
	}
	return captures{src, e.node}, err
}

// whole is the selection of all that a snapshot holds.
var whole = snapshot.Selection{Selection: block.Selection{Extras: true}}

// retold is an error in other words.
type retold struct {
	error
	text string
}

func (r retold) Error() string { return r.text }
func (r retold) Unwrap() error { return r.error }

func (e *Evidence) packetless() error { return fmt.Errorf("%s: %w", e.Name, ErrNoPackets) }

func (e *Evidence) paths() []string {
	out := make([]string, len(e.inputs))
	for i := range e.inputs {
		out[i] = e.inputs[i].path
	}
	return out
}

// size returns how many bytes the packets have as they are kept.
func (e *Evidence) size() (n int64) {
	for i := range e.inputs {
		n += e.inputs[i].size
	}
	if e.snapshot != nil {
		n += e.snapshot.PacketBytes()
	}
	return n
}

// hasPackets tells whether packets are at hand, besides an index.
func (e *Evidence) hasPackets() bool { return e.snapshot != nil || len(e.inputs) > 0 }

// stated returns the times of the first and the last packet as a snapshot's
// manifest states them.
func (e *Evidence) stated() (first, last time.Time, ok bool) {
	if e.snapshot == nil {
		return first, last, false
	}
	for _, n := range e.snapshot.Manifest.Nodes {
		if n.Got == nil {
			continue
		}
		if !ok || n.Got.From.Before(first) {
			first = n.Got.From
		}
		if !ok || n.Got.To.After(last) {
			last = n.Got.To
		}
		ok = true
	}
	return first, last, ok
}
