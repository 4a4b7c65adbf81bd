package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Store is where snapshots are kept, one folder each under its id. It may be used
// by several goroutines and programs at once.
type Store struct{ dir string }

// OpenStore opens a store: a folder by its path or file:// URL. It need not
// exist until something is imported.
func OpenStore(ctx context.Context, location string) (*Store, error) {
	dir := location
	if scheme, _, ok := strings.Cut(location, "://"); ok {
		if !strings.EqualFold(scheme, "file") {
			return nil, fmt.Errorf("store %s: this build keeps snapshots in folders only: %w", redacted(location), errors.ErrUnsupported)
		}
		u, err := url.Parse(location)
		switch {
		case err != nil:
			return nil, fmt.Errorf("store: %w", err)
		case u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || u.Fragment != "":
			return nil, fmt.Errorf("store %s: a file URL here is file:///path and no more", location)
		}
		dir = u.Path
		if len(dir) > 2 && dir[0] == '/' && dir[2] == ':' && filepath.Separator == '\\' {
			dir = dir[1:] // file:///C:/...
		}
		dir = filepath.FromSlash(dir)
	}
	if dir == "" {
		return nil, errors.New("no store is named")
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("store %s is not a folder", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %w", err)
	}
	return &Store{dir}, ctx.Err()
}

// redacted is a URL without its password and query, which may hold a key.
func redacted(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		scheme, _, _ := strings.Cut(location, "://")
		return scheme + "://..."
	}
	u.RawQuery = ""
	return u.Redacted()
}

// Listed is one snapshot of a store.
type Listed struct {
	ID       string
	Manifest *Manifest // nil when it could not be read
	Err      error     // why not
}

// List lists the snapshots of the store from oldest to newest.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	entries, err := os.ReadDir(s.dir) // by name, so by time
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var all []Listed
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if info, err := os.Stat(s.folder(e.Name()).dir); !validID(e.Name()) || err != nil || !info.IsDir() {
			continue
		}
		x, err := s.load(e.Name())
		switch {
		case errors.Is(err, ErrNotFound): // being written, or what an interrupted import left
		case err != nil:
			all = append(all, Listed{ID: e.Name(), Err: err})
		default:
			all = append(all, Listed{ID: e.Name(), Manifest: x.Manifest})
		}
	}
	return all, nil
}

func (s *Store) folder(id string) folder { return folder{filepath.Join(s.dir, id)} }

// load reads the manifest of the snapshot with an id.
func (s *Store) load(id string) (*Snapshot, error) {
	x, err := load(s.folder(id))
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
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
	x, err := s.load(id)
	if err != nil {
		return nil, err
	}
	if err := x.check(); err != nil {
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
		if _, err := s.load(ref); !errors.Is(err, ErrNotFound) {
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
		return "", fmt.Errorf("%s: %w in %s", ref, ErrNotFound, s.dir)
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
		if info, e := os.Stat(s.folder(ref).dir); e == nil && info.IsDir() {
			id, err = ref, nil
		}
	}
	if err != nil {
		return err
	}
	if err := s.folder(id).delete(); err != nil {
		return fmt.Errorf("delete snapshot %s: %w", id, err)
	}
	return nil
}
