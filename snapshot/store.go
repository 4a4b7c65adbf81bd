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

// ErrLocation says that a store is none: another one has to be named.
var ErrLocation = bucket.ErrLocation

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
	Hold     *Hold     // nil when it is not held
	digest   string    // of the manifest
}

// loaders is how many manifests are read at once.
const loaders = 16

// List lists the snapshots of the store from oldest to newest.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	all, err := s.all(ctx, true)
	return slices.DeleteFunc(all, func(x Listed) bool { return errors.Is(x.Err, ErrNotFound) }), err
}

// all is List with what has no manifest: it is being written or removed, or was left
// behind. Holds are read if they should be.
func (s *Store) all(ctx context.Context, holds bool) ([]Listed, error) {
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
			s.look(ctx, &all[i], holds)
		})
	}
	wg.Wait()
	slices.SortFunc(all, func(a, b Listed) int { return strings.Compare(a.ID, b.ID) })
	return all, ctx.Err()
}

// look reads the manifest of a snapshot, and its hold.
func (s *Store) look(ctx context.Context, l *Listed, holds bool) {
	x, err := s.load(ctx, l.ID)
	if l.Err = err; err == nil {
		l.Manifest, l.digest = x.Manifest, x.Digest
	}
	if holds {
		if l.Hold, err = readHold(ctx, s.files.Sub(l.ID)); err != nil && l.Err == nil {
			l.Manifest, l.Err = nil, fmt.Errorf("snapshot %s: %w", l.ID, err)
		}
	}
}

// load reads the manifest of the snapshot with an id.
func (s *Store) load(ctx context.Context, id string) (*Snapshot, error) {
	return s.loadWith(ctx, id, load)
}

// loadWith has do open the snapshot with an id.
func (s *Store) loadWith(ctx context.Context, id string, do func(context.Context, bucket.Bucket) (*Snapshot, error)) (*Snapshot, error) {
	x, err := do(ctx, s.files.Sub(id))
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
	if validID(ref) { // mostly it is one
		if x, err := s.loadWith(ctx, ref, loadChecked); !errors.Is(err, ErrNotFound) {
			return x, err
		}
	}
	id, err := s.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	return s.loadWith(ctx, id, loadChecked)
}

// maxNamed is how many snapshots an error names, and namespaces a note.
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
	all, err := s.all(ctx, false)
	if err != nil {
		return "", err
	}
	var named, begins, unread []string
	for _, x := range all {
		if errors.Is(x.Err, ErrNotFound) {
			continue
		}
		if x.Manifest == nil {
			unread = append(unread, x.ID)
		} else if x.Manifest.Name == ref {
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
		text := ""
		if n := len(unread); n > 0 {
			text = fmt.Sprintf(", as far as their names can be read: that of %s cannot, of %d in all", unread[n-1], n)
		}
		return "", fmt.Errorf("%s: %w in %s%s", ref, ErrNotFound, s.files, text)
	case 1:
		return ids[0], nil
	}
	more := ""
	if n := len(ids) - maxNamed; n > 0 {
		ids, more = ids[n:], fmt.Sprintf(" and %d older", n)
	}
	return "", fmt.Errorf("%s: %w: %s%s", ref, ErrAmbiguous, strings.Join(ids, ", "), more)
}
