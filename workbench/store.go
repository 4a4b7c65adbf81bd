package workbench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"shark/snapshot"
)

// ImportSnapshot keeps capture files as a snapshot of the store.
func (w *Workbench) ImportSnapshot(ctx context.Context, o snapshot.ImportOptions) (*snapshot.Manifest, error) {
	s, err := snapshot.OpenStore(ctx, w.cfg.Store)
	if err != nil {
		return nil, err
	}
	if o.Creator == "" {
		o.Creator = "shark " + w.cfg.Version
	}
	return s.Import(ctx, o, func(p snapshot.ImportProgress) {
		w.cfg.Progress(Progress{Task: "importing", Packets: int64(p.Packets), Bytes: p.Bytes, Total: p.Total})
	})
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

// VerifySnapshot reads all of a snapshot and compares it with its manifest.
func (w *Workbench) VerifySnapshot(ctx context.Context, ref string) (*snapshot.Verification, error) {
	progress := func(done, total int64) {
		w.cfg.Progress(Progress{Task: "verifying", Bytes: done, Total: total})
	}
	if info, err := os.Stat(ref); err != nil || !info.IsDir() {
		s, err := snapshot.OpenStore(ctx, w.cfg.Store)
		if err != nil {
			return nil, err
		}
		return s.Verify(ctx, ref, progress)
	}
	s, err := snapshot.Find(ctx, w.cfg.Store, ref)
	if err != nil {
		return nil, err
	}
	return s.Verify(ctx, progress)
}

// DeleteSnapshot deletes a snapshot of the store and the index that was made of it.
func (w *Workbench) DeleteSnapshot(ctx context.Context, ref string) error {
	s, err := snapshot.OpenStore(ctx, w.cfg.Store)
	if err != nil {
		return err
	}
	path := ""
	if x, err := s.Get(ctx, ref); err == nil { // a damaged one can be deleted too
		path = w.indexOf(ctx, x)
	}
	if err := s.Delete(ctx, ref); err != nil {
		return err
	}
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("index of the snapshot: %w", err)
	}
	return nil
}

// indexOf returns where the cache keeps the index of a snapshot; empty when there
// is no cache.
func (w *Workbench) indexOf(ctx context.Context, s *snapshot.Snapshot) string {
	e := &Evidence{w: w, snapshot: s}
	source, err := e.digest(ctx)
	if err != nil {
		return ""
	}
	path, err := w.cachePath(source)
	if err != nil {
		return ""
	}
	return path
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
