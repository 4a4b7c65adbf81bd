package workbench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path"

	"shark/snapshot"
)

// HoldSnapshot keeps a snapshot of the store from being deleted until it is released. It
// returns its id, and the hold, which says who it is that holds it.
func (w *Workbench) HoldSnapshot(ctx context.Context, ref, reason string) (string, snapshot.Hold, error) {
	h := snapshot.Hold{By: whoami(), Since: w.cfg.Now().UTC(), Reason: reason}
	s, err := snapshot.OpenStore(ctx, w.cfg.Store)
	if err != nil {
		return "", h, err
	}
	id, err := s.Hold(ctx, ref, h)
	return id, h, err
}

// whoami names whoever runs the program, as user@host.
func whoami() string {
	name, host := "somebody", "somewhere"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil && h != "" {
		host = h
	}
	return name + "@" + host
}

// ReleaseSnapshot ends the hold of a snapshot of the store. It returns its id, and the hold
// that there was, nil when there was none.
func (w *Workbench) ReleaseSnapshot(ctx context.Context, ref string) (string, *snapshot.Hold, error) {
	s, err := snapshot.OpenStore(ctx, w.cfg.Store)
	if err != nil {
		return "", nil, err
	}
	return s.Release(ctx, ref)
}

// SnapshotHold returns the hold of a snapshot, nil when it has none.
func (w *Workbench) SnapshotHold(ctx context.Context, ref string) (*snapshot.Hold, error) {
	s, err := snapshot.Find(ctx, w.cfg.Store, ref)
	if err != nil {
		return nil, err
	}
	return s.Held(ctx)
}

// DeleteSnapshot deletes a snapshot of the store and the index that was made of it.
func (w *Workbench) DeleteSnapshot(ctx context.Context, ref string) error {
	s, err := snapshot.OpenStore(ctx, w.cfg.Store)
	if err != nil {
		return err
	}
	digest := ""
	if x, err := s.Get(ctx, ref); err == nil { // a damaged one can be deleted too
		digest = x.Digest
	}
	if err := s.Delete(ctx, ref); err != nil {
		return err
	}
	return w.removeIndex(ctx, digest)
}

// PruneSnapshots removes snapshots of the store that no rule keeps, with the indexes made
// of them, and what interrupted work has left there.
func (w *Workbench) PruneSnapshots(ctx context.Context, o snapshot.PruneOptions) ([]snapshot.Pruned, error) {
	if _, err := path.Match(o.Name, ""); err != nil {
		return nil, usage("%q is not a pattern of names such as web-*", o.Name)
	}
	s, err := snapshot.OpenStore(ctx, w.cfg.Store)
	if err != nil {
		return nil, err
	}
	o.Now = w.cfg.Now()
	list, err := s.Prune(ctx, o)
	for _, x := range list {
		if x.Remove && x.Failed == "" && !o.DryRun {
			err = errors.Join(err, w.removeIndex(ctx, x.Digest))
		}
	}
	return list, err
}

// RepairSnapshot makes anew what can be made of what a snapshot has lost.
func (w *Workbench) RepairSnapshot(ctx context.Context, ref string) (*snapshot.Repaired, error) {
	return snapshot.Repair(ctx, w.cfg.Store, ref, snapshot.RepairOptions{Workers: w.cfg.Workers, Progress: func(done, total int64) {
		w.cfg.Progress(Progress{Task: "verifying", Bytes: done, Total: total})
	}})
}

// removeIndex removes from the cache what was made of the snapshot whose manifest has a
// digest: its index, and excerpts.
func (w *Workbench) removeIndex(ctx context.Context, digest string) error {
	if digest == "" {
		return nil
	}
	source, err := (&Evidence{w: w, snapshot: &snapshot.Snapshot{Digest: digest}}).digest(ctx, nil)
	if err != nil {
		return nil // then there is none
	}
	file, err := w.cachePath(source)
	if err != nil || file == "" {
		return nil // there is no cache
	}
	if err := os.RemoveAll(excerptsBeside(file)); err != nil {
		return fmt.Errorf("excerpts of the snapshot: %w", err)
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("index of the snapshot: %w", err)
	}
	return nil
}
