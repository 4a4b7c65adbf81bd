package workbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
	"shark/snapshot/identity"
	"shark/workbench/index"
)

// Evidence is what questions are asked about: captured packets with the
// identities of their time, and, once dissected, their index.
type Evidence struct {
	w           *Workbench
	Name        string // for people
	inputs      []input
	identity    *identity.Log // nil: nothing is known of the addresses
	identitySum string        // digest of where identity was read from
	given       string        // path of the index database that was given instead of packets
	spool       string        // copy of standard input, removed by Close
	db          *index.DB
	account     account // of the dissection that made db
}

// input is one file of packets.
type input struct {
	path string
	node string // that captured it; empty when unknown
	size int64
}

// OpenOptions say more about what to open.
type OpenOptions struct {
	Identity string    // path of an identity log to go with capture files
	Stdin    io.Reader // what "-" stands for
}

// Open finds what refs name, all of one kind: capture files, which are merged by
// time, one snapshot by id, unique name or folder, one index database, or "-".
// The caller closes the Evidence.
func (w *Workbench) Open(ctx context.Context, refs []string, o OpenOptions) (*Evidence, error) {
	if len(refs) == 0 {
		return nil, usage("no snapshot or capture file is named")
	}
	e := &Evidence{w: w, Name: refs[0]}
	if len(refs) > 1 {
		e.Name = fmt.Sprintf("%s and %d more", refs[0], len(refs)-1)
	}
	for _, ref := range refs {
		if err := e.add(ctx, ref, o, len(refs) == 1); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	if o.Identity != "" {
		if e.given != "" {
			return nil, usage("an identity log goes with packets, not with an index database")
		}
		log, err := readIdentity(o.Identity)
		if err != nil {
			return nil, errors.Join(err, e.Close())
		}
		e.identity = log
		if e.identitySum, err = w.fileDigest(ctx, o.Identity); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	return e, nil
}

// add opens one reference.
func (e *Evidence) add(ctx context.Context, ref string, o OpenOptions, alone bool) error {
	if ref == "-" {
		return e.addStdin(o.Stdin, alone)
	}
	info, err := os.Stat(ref)
	switch {
	case err == nil && info.IsDir():
		return e.addSnapshot(ctx, ref, alone)
	case err == nil && index.Is(ref):
		if !alone {
			return usage("%s is an index database; name it alone", ref)
		}
		e.given = ref
		return nil
	case err == nil:
		e.inputs = append(e.inputs, input{path: ref, size: info.Size()})
		return nil
	case !errors.Is(err, fs.ErrNotExist) && filepath.Base(ref) != ref:
		return err
	}
	return e.addSnapshot(ctx, ref, alone)
}

// addStdin copies standard input to a file: it is read more than once.
func (e *Evidence) addStdin(in io.Reader, alone bool) error {
	if !alone || in == nil {
		return usage("standard input goes alone")
	}
	f, err := os.CreateTemp("", "shark-stdin-*")
	if err != nil {
		return fmt.Errorf("copying standard input: %w", err)
	}
	e.spool, e.Name = f.Name(), "standard input"
	n, err := io.Copy(f, in)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("copying standard input: %w", err)
	}
	e.inputs = append(e.inputs, input{path: e.spool, size: n})
	return nil
}

// addSnapshot opens a snapshot: a folder of its own, or one of the store.
func (e *Evidence) addSnapshot(ctx context.Context, ref string, alone bool) error {
	if !alone {
		return usage("%s: a snapshot is named alone, and a capture file must exist", ref)
	}
	s, err := snapshot.Find(ctx, e.w.cfg.Store, ref)
	if errors.Is(err, snapshot.ErrNotFound) {
		return fmt.Errorf("%s: neither a file nor a snapshot of the store: %w", ref, ErrNotFound)
	}
	if err != nil {
		return err
	}
	e.Name, e.identitySum = s.Manifest.Name, "of snapshot "+s.Manifest.ID
	for _, f := range s.PacketFiles() {
		e.inputs = append(e.inputs, input{path: f.Path, node: f.Node, size: f.Size})
	}
	e.identity, err = s.Identity()
	return err
}

func readIdentity(path string) (*identity.Log, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("identity log: %w", err)
	}
	defer f.Close()
	log, err := identity.Read(f)
	if err != nil {
		return nil, fmt.Errorf("identity log %s: %w", path, err)
	}
	return log, nil
}

// Close releases what the evidence holds.
func (e *Evidence) Close() error {
	var err error
	if e.db != nil {
		err = e.db.Close()
	}
	if e.spool != "" {
		err = errors.Join(err, os.Remove(e.spool))
	}
	return err
}

// Identity returns who had which address when; nil when nothing is known.
func (e *Evidence) Identity() *identity.Log { return e.identity }

// packets opens the packets of all inputs, merged by time.
func (e *Evidence) packets() (*pcapng.Merged, error) {
	if len(e.inputs) == 0 {
		return nil, fmt.Errorf("%s: %w", e.Name, ErrNoPackets)
	}
	m, err := pcapng.OpenFiles(e.paths()...)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (e *Evidence) paths() []string {
	out := make([]string, len(e.inputs))
	for i := range e.inputs {
		out[i] = e.inputs[i].path
	}
	return out
}

func (e *Evidence) size() (n int64) {
	for i := range e.inputs {
		n += e.inputs[i].size
	}
	return n
}

// nodes tells for each interface of m which node captured it.
func (e *Evidence) nodes(m *pcapng.Merged) []string {
	origins := m.Origins()
	out := make([]string, len(origins))
	for i, o := range origins {
		out[i] = e.inputs[o.File].node
	}
	return out
}

// each calls visit with the packets of the given numbers, ascending, skipping
// over what lies between where the input allows it.
func (e *Evidence) each(ctx context.Context, numbers []uint64, visit func(*packet.Record, []packet.Interface) error) error {
	src, err := e.packets()
	if err != nil {
		return err
	}
	defer func() { src.Close() }()
	points, origins := e.points()
	var b packet.Batch
	at := uint64(1) // number of the next packet that src gives
	for len(numbers) > 0 && ctx.Err() == nil {
		if p := pcapng.PointBefore(points, numbers[0]); len(p) > 0 && p[0].Number > at {
			next, ok, err := pcapng.OpenFilesAt(e.paths(), p, origins)
			if err != nil {
				return err
			}
			if ok {
				src.Close()
				src = next
			} else {
				next.Close()
				points = nil
			}
		}
		err := src.ReadBatch(&b)
		for i := range b.Records {
			r := &b.Records[i]
			at = r.Number + 1
			for len(numbers) > 0 && numbers[0] < r.Number {
				numbers = numbers[1:]
			}
			if len(numbers) > 0 && numbers[0] == r.Number {
				numbers = numbers[1:]
				if err := visit(r, src.Interfaces()); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() == nil && len(numbers) > 0 {
		return fmt.Errorf("%s: packet %d of the index is not there: has the file changed?", e.Name, numbers[0])
	}
	return ctx.Err()
}

// points returns the restart places that the index knows.
func (e *Evidence) points() ([]pcapng.Point, []pcapng.Origin) {
	if e.db == nil {
		return nil, nil
	}
	var points []pcapng.Point
	for _, p := range e.db.Meta().Points {
		var point pcapng.Point
		if json.Unmarshal(p.State, &point) != nil {
			return nil, nil // without them reading starts at the beginning
		}
		points = append(points, point)
	}
	return points, e.account.Origins
}
