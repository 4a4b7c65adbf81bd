package workbench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"shark/snapshot"
)

// ImportSnapshot keeps capture files as a snapshot of the store. The file - is stdin, alone.
func (w *Workbench) ImportSnapshot(ctx context.Context, o snapshot.ImportOptions, stdin io.Reader) (_ *snapshot.Manifest, err error) {
	if i := slices.IndexFunc(o.Files, isStdin); i >= 0 {
		if len(o.Files) > 1 || stdin == nil {
			return nil, usage("standard input goes alone")
		}
		dir, err := os.MkdirTemp("", "shark-import-*")
		if err != nil {
			return nil, fmt.Errorf("copying standard input: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		node, _, named := strings.Cut(o.Files[i], "=")
		if !named {
			node = "stdin"
		}
		path, err := spool(ctx, dir, stdin)
		if err != nil {
			return nil, err
		}
		o.Files = []string{node + "=" + path}
	}
	s, err := snapshot.OpenStore(ctx, w.cfg.Store)
	if err != nil {
		return nil, err
	}
	if o.Creator == "" {
		o.Creator = "shark " + w.cfg.Version
	}
	return s.Import(ctx, o, func(p snapshot.Progress) {
		w.cfg.Progress(Progress{Task: "importing", Packets: int64(p.Packets), Bytes: p.Bytes, Total: p.Total})
	})
}

// isStdin tells whether an argument of an import is standard input.
func isStdin(file string) bool { return file == "-" || strings.HasSuffix(file, "=-") }

// spool copies standard input to a file in a folder: it is read more than once.
func spool(ctx context.Context, dir string, in io.Reader) (path string, err error) {
	path = filepath.Join(dir, "stdin")
	f, err := os.Create(path)
	if err == nil {
		_, err = copyContext(ctx, f, in)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return "", fmt.Errorf("copying standard input: %w", err)
	}
	return path, nil
}

// CreateSnapshot keeps a window of recordings as a snapshot of the store. Times that are
// relative are so to the end of what was recorded, on the node that recorded last; zero ones
// are its beginning and its end. Both ends are included.
func (w *Workbench) CreateSnapshot(ctx context.Context, o snapshot.CreateOptions, from, to When) (*snapshot.Manifest, error) {
	s, err := snapshot.OpenStore(ctx, w.cfg.Store)
	if err != nil {
		return nil, err
	}
	if o.From, o.To, err = recordedWindow(o.Recordings, from, to); err != nil {
		return nil, err
	}
	if o.Creator == "" {
		o.Creator = "shark " + w.cfg.Version
	}
	m, err := s.Create(ctx, o, func(p snapshot.Progress) {
		w.cfg.Progress(Progress{Task: "creating", Packets: int64(p.Packets), Bytes: p.Bytes, Total: p.Total})
	})
	if errors.Is(err, snapshot.ErrFilter) {
		err = usage("%w", err)
	}
	return m, err
}

// recordedWindow turns the limits of a window into times and checks them against what was
// recorded.
func recordedWindow(list []snapshot.Recording, from, to When) (a, b time.Time, err error) {
	var first, last time.Time
	var away []error
	for _, r := range list {
		f, l, err := r.Span()
		if errors.Is(err, snapshot.ErrAway) { // the others may have the window
			away = append(away, err)
			continue
		}
		if err != nil {
			return a, b, err
		}
		if !f.IsZero() && (first.IsZero() || f.Before(first)) {
			first = f
		}
		if l.After(last) {
			last = l
		}
	}
	if first.IsZero() && len(away) > 0 {
		return a, b, errors.Join(away...)
	}
	if first.IsZero() {
		return a, b, fmt.Errorf("%w: nothing is recorded", ErrOutside)
	}
	a, b = from.in(first, last, first), to.in(first, last, last)
	if a.IsZero() {
		a = first
	}
	if b.IsZero() {
		b = last
	}
	switch {
	case b.Before(a):
		return a, b, usage("the window ends at %s, before it begins at %s", text(b.UTC()), text(a.UTC()))
	case a.After(last) || b.Before(first):
		return a, b, fmt.Errorf("%w: recorded is from %s to %s", ErrOutside, text(first.UTC()), text(last.UTC()))
	}
	return a, b, nil
}

// Snapshots lists the snapshots of the store, from oldest to newest.
func (w *Workbench) Snapshots(ctx context.Context) ([]snapshot.Listed, error) {
	s, err := snapshot.OpenStore(ctx, w.cfg.Store)
	if err != nil {
		return nil, err
	}
	return s.List(ctx)
}

// Snapshot returns what a snapshot holds.
func (w *Workbench) Snapshot(ctx context.Context, ref string) (*snapshot.Manifest, error) {
	s, err := snapshot.Find(ctx, w.cfg.Store, ref)
	if err != nil {
		return nil, err
	}
	return s.Manifest, nil
}

// VerifySnapshot compares a snapshot, damaged or not, with its manifest, and that with its
// signature if there is a key.
func (w *Workbench) VerifySnapshot(ctx context.Context, ref string, o snapshot.VerifyOptions) (*snapshot.Verification, error) {
	o.Workers = w.cfg.Workers
	o.Progress = func(done, total int64) {
		w.cfg.Progress(Progress{Task: "verifying", Bytes: done, Total: total})
	}
	return snapshot.Verify(ctx, w.cfg.Store, ref, o)
}

// SignSnapshot signs a snapshot, and replaces the signature that there is if it should. It
// returns the snapshot's id.
func (w *Workbench) SignSnapshot(ctx context.Context, ref string, key *snapshot.SecretKey, replace bool) (string, error) {
	s, err := snapshot.Find(ctx, w.cfg.Store, ref)
	if err != nil {
		return "", err
	}
	return s.Manifest.ID, s.Sign(ctx, key, replace)
}

// SnapshotCopy says what is copied and where.
type SnapshotCopy struct {
	Ref  string // the snapshot: its folder or URL, or its id or name in From
	From string // store that it is of; empty: the workbench's
	To   string // store that it goes to; empty: the workbench's
}

// CopySnapshot copies a snapshot from one store to another, where it is whole or not at
// all. It returns what was copied, and how much of it was there already.
func (w *Workbench) CopySnapshot(ctx context.Context, c SnapshotCopy) (*snapshot.Manifest, snapshot.CopyProgress, error) {
	var last snapshot.CopyProgress
	from, to := cmp.Or(c.From, w.cfg.Store), cmp.Or(c.To, w.cfg.Store)
	if !isFolder(c.Ref) && sameStore(from, to) {
		return nil, last, fmt.Errorf("%w: the target is the store that it comes from: name another", ErrUsage)
	}
	if !strings.Contains(to, "://") && InSnapshot(filepath.Join(to, "id")) {
		return nil, last, fmt.Errorf("%w: %s is in the folder of a snapshot, which never changes: copy to the folder of a store", ErrUsage, to)
	}
	x, err := snapshot.Find(ctx, from, c.Ref)
	if err != nil {
		return nil, last, err
	}
	target, err := snapshot.OpenStore(ctx, to)
	if err != nil {
		return nil, last, err
	}
	m, err := x.Copy(ctx, target, snapshot.CopyOptions{}, func(p snapshot.CopyProgress) {
		last = p
		w.cfg.Progress(Progress{Task: "copying", Bytes: p.Bytes, Total: p.Total})
	})
	return m, last, err
}

// isFolder tells whether a reference is a folder or a URL, not an id or a name.
func isFolder(ref string) bool {
	info, err := os.Stat(ref)
	return err == nil && info.IsDir() || strings.Contains(ref, "://")
}

// sameStore tells whether two locations are the same, as far as can be seen from here.
func sameStore(a, b string) bool {
	if a == b || strings.Contains(a, "://") || strings.Contains(b, "://") {
		return a == b
	}
	one, err := os.Stat(a)
	other, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(one, other) || filepath.Clean(a) == filepath.Clean(b)
}

// idForm is what snapshots' folders are called in a store.
var idForm = regexp.MustCompile(`^\d{8}t\d{9}z-[0-9a-z]+$`)

// InSnapshot tells whether a path, of a file that may be there or not, leads into the
// folder of a snapshot, in a store or not.
func InSnapshot(path string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	dir := filepath.Dir(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		dir = filepath.Dir(real)
	} else if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for ; ; dir = filepath.Dir(dir) {
		if idForm.MatchString(filepath.Base(dir)) || hasManifest(dir) {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// hasManifest tells whether a folder holds the manifest of a snapshot.
func hasManifest(dir string) bool {
	path := filepath.Join(dir, "manifest.json")
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	_, err = snapshot.ParseManifest(b)
	return err == nil // others have files of this name too
}
