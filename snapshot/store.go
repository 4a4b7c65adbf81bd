package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"shark/snapshot/bucket"
)

// Store is where snapshots are kept, each below its id. It may be used by several
// goroutines and programs at once.
type Store struct{ files bucket.Bucket }

// OpenStore opens a store: a folder by its path or file:// URL, which need not exist until
// something is imported, or a bucket of S3, Google Cloud Storage or Azure by its URL.
func OpenStore(ctx context.Context, location string) (*Store, error) {
	if location == "" {
		return nil, errors.New("no store is named")
	}
	files, err := bucket.Open(ctx, location, bucket.Options{})
	if err != nil {
		return nil, fmt.Errorf("store %w", err)
	}
	return &Store{files}, nil
}

// Listed is one snapshot of a store.
type Listed struct {
	ID       string
	Manifest *Manifest // nil when it could not be read
	Err      error     // why not
}

// loaders is how many manifests are read at once.
const loaders = 16

// List lists the snapshots of the store from oldest to newest.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	var all []Listed
	for id, err := range s.files.Folders(ctx) {
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		if validID(id) {
			all = append(all, Listed{ID: id})
		}
	}
	var wg sync.WaitGroup
	turn := make(chan struct{}, loaders)
	for i := range all {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			x, err := s.load(ctx, all[i].ID)
			if all[i].Err = err; err == nil {
				all[i].Manifest = x.Manifest
			}
		})
	}
	wg.Wait()
	all = slices.DeleteFunc(all, func(x Listed) bool { return errors.Is(x.Err, ErrNotFound) }) // being written, or what an interrupted import left
	slices.SortFunc(all, func(a, b Listed) int { return strings.Compare(a.ID, b.ID) })
	return all, ctx.Err()
}

// load reads the manifest of the snapshot with an id.
func (s *Store) load(ctx context.Context, id string) (*Snapshot, error) {
	x, err := load(ctx, s.files.Sub(id))
	if err == nil && x.Manifest.ID != id {
		err = fmt.Errorf("%w: its manifest is that of %s", ErrIntegrity, x.Manifest.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", id, err)
	}
	return x, nil
}

// Get opens the snapshot that ref names: its id, its name when no other has the
// same, or the beginning of its id when no other begins so.
func (s *Store) Get(ctx context.Context, ref string) (*Snapshot, error) {
	id, err := s.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	x, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := x.check(ctx); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", id, err)
	}
	return x, nil
}

// maxNamed is how many snapshots an error names.
const maxNamed = 10

// resolve returns the id that ref means.
func (s *Store) resolve(ctx context.Context, ref string) (string, error) {
	if ref == "" {
		return "", fmt.Errorf("an empty name: %w", ErrNotFound)
	}
	if validID(ref) {
		if _, err := s.load(ctx, ref); !errors.Is(err, ErrNotFound) {
			return ref, nil
		}
	}
	all, err := s.List(ctx)
	if err != nil {
		return "", err
	}
	var named, begins []string
	for _, x := range all {
		if x.Manifest != nil && x.Manifest.Name == ref {
			named = append(named, x.ID)
		}
		if strings.HasPrefix(x.ID, ref) {
			begins = append(begins, x.ID)
		}
	}
	ids := named
	if len(ids) == 0 {
		ids = begins
	}
	switch len(ids) {
	case 0:
		return "", fmt.Errorf("%s: %w in %s", ref, ErrNotFound, s.files)
	case 1:
		return ids[0], nil
	}
	more := ""
	if n := len(ids) - maxNamed; n > 0 {
		ids, more = ids[n:], fmt.Sprintf(" and %d older", n)
	}
	return "", fmt.Errorf("%s: %w: %s%s", ref, ErrAmbiguous, strings.Join(ids, ", "), more)
}

// Delete removes the snapshot that ref names, damaged or not, its manifest first.
// A whole id also removes what an interrupted import or deletion left under it.
func (s *Store) Delete(ctx context.Context, ref string) error {
	id, err := s.resolve(ctx, ref)
	if errors.Is(err, ErrNotFound) && validID(ref) {
		for _, e := range s.files.List(ctx, ref+"/") {
			if e == nil {
				id, err = ref, nil
			}
			break
		}
	}
	if err != nil {
		return err
	}
	if err := remove(ctx, s.files.Sub(id)); err != nil {
		return fmt.Errorf("delete snapshot %s: %w", id, err)
	}
	return nil
}
