package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"shark/snapshot/bucket"
)

// removers is how many objects are removed at once: of an object store most of the time is
// waiting.
const removers = 16

// Delete removes the snapshot that ref names, damaged or not: its manifest first, and with
// it the snapshot, then its signature, then all else below its id. A whole id also removes
// what an interrupted import, copy or deletion left below it. What is held is not removed:
// the error wraps ErrHeld. A deletion that was interrupted is completed by another one of
// the same id, or by Prune.
func (s *Store) Delete(ctx context.Context, ref string) error {
	id, err := s.resolveID(ctx, ref)
	if err != nil {
		return err
	}
	if err := remove(ctx, s.files.Sub(id)); err != nil {
		return fmt.Errorf("delete snapshot %s: %w", id, err)
	}
	return nil
}

// resolveID is resolve, but a whole id may also be that of something without a manifest.
func (s *Store) resolveID(ctx context.Context, ref string) (string, error) {
	id, err := s.resolve(ctx, ref)
	if !errors.Is(err, ErrNotFound) || !validID(ref) {
		return id, err
	}
	for _, e := range s.files.List(ctx, ref+"/") {
		if e == nil {
			return ref, nil
		}
		break
	}
	return "", err
}

// remove removes a snapshot, or what is left of one, unless it is held.
func remove(ctx context.Context, files bucket.Bucket) error {
	if err := unheld(ctx, files); err != nil {
		return err
	}
	manifest, err := bucket.ReadAll(ctx, files, manifestName, maxManifest)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, bucket.ErrTooLarge) {
		return err
	}
	if err := files.Remove(ctx, manifestName); err != nil {
		return err
	}
	// Who holds it since then has seen the manifest, maybe: it gets it back.
	if held := unheld(ctx, files); held != nil {
		if err == nil {
			held = errors.Join(held, files.Publish(context.WithoutCancel(ctx), manifestName, manifest))
		}
		return held
	}
	if err := files.Remove(ctx, signatureName); err != nil {
		return err
	}
	var known []string
	if m, err := ParseManifest(manifest); err == nil {
		for i := range m.Objects {
			known = append(known, m.Objects[i].Path)
		}
	}
	return removeAll(ctx, files, known...)
}

// removeAll removes all objects, and those that are known though a list may not show them
// yet. The first error ends it.
func removeAll(ctx context.Context, files bucket.Bucket, known ...string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	turn := make(chan struct{}, removers)
	removed := make(map[string]bool)
	remove := func(key string, listed bool) {
		removed[key] = true
		turn <- struct{}{}
		wg.Go(func() {
			// What a list will never show, such as one behind a link, is none of ours.
			if err := files.Remove(ctx, key); err != nil && (listed || bucket.Temporary(err)) {
				cancel(err)
			}
			<-turn
		})
	}
	for o, err := range files.List(ctx, "") {
		if err != nil {
			cancel(err)
		}
		if ctx.Err() != nil {
			break
		}
		remove(o.Key, true)
	}
	for _, key := range known {
		if ctx.Err() == nil && !removed[key] {
			remove(key, false)
		}
	}
	wg.Wait()
	return context.Cause(ctx)
}
