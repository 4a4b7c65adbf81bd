// Package snapshot is the snapshot format, and the store that snapshots are kept
// in.
//
// In: capture files of nodes and the log of who had which address. Out: a folder
// of standard files with a manifest that says what they hold, how large they are
// and what is missing. A snapshot is evidence: it does not change once it is
// there, it is there only when it is whole, and anyone can check it.
//
//	<id>/manifest.json                     written last: without it there is no snapshot
//	<id>/nodes/<node>/packets.pcapng.zst   zstd frames of one pcapng section each
//	<id>/nodes/<node>/packets.blocks       where each of them is and what it may hold
//	<id>/nodes/<node>/plaintext.pcapng.zst what TLS libraries sent and received, in the same form, with its .blocks
//	<id>/nodes/<node>/secrets.pcapng       TLS session secrets, where there are any
//	<id>/nodes/<node>/identity.jsonl.zst   who had which address when
package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"shark/snapshot/bucket"
	"shark/snapshot/cache"
	"shark/snapshot/identity"
)

// Errors that a caller acts upon.
var (
	// ErrNotFound says that there is no such snapshot.
	ErrNotFound = errors.New("no such snapshot")
	// ErrAmbiguous says that more than one snapshot is meant.
	ErrAmbiguous = errors.New("more than one snapshot is meant")
	// ErrIntegrity says that a snapshot is not what its manifest says, or the
	// manifest not what a manifest can be.
	ErrIntegrity = errors.New("the snapshot is damaged")
)

// manifestName is the name of the manifest in the folder of a snapshot.
const manifestName = "manifest.json"

// Snapshot is a snapshot that was opened. It may be used by several goroutines.
type Snapshot struct {
	Manifest *Manifest
	Digest   string // SHA-256 of the manifest, in hex: of the same content, since it has those of all objects
	files    bucket.Bucket
	cache    *cache.Cache // nil: none
	// published is what of dissections there was when the snapshot was opened, by key; nil:
	// nobody looked, or could.
	published map[string]bucket.Object

	mu      sync.Mutex
	packets []*nodePackets // nil until somebody asks for them
}

// Find opens the snapshot that ref names: its folder, its URL, or its id, the beginning of
// its id or its name in the store. An empty store has none.
func Find(ctx context.Context, store, ref string) (*Snapshot, error) {
	if info, err := os.Stat(ref); err == nil && info.IsDir() || strings.Contains(ref, "://") {
		s, err := openAt(ctx, ref)
		if store == "" || !errors.Is(err, ErrNotFound) {
			return s, err
		}
	}
	if store == "" {
		return nil, fmt.Errorf("%s: %w, and no store is set", ref, ErrNotFound)
	}
	s, err := OpenStore(ctx, store)
	if err != nil {
		return nil, err
	}
	return s.Get(ctx, ref)
}

// openAt opens the snapshot in a folder or below a URL, whatever the folder is called.
func openAt(ctx context.Context, location string) (*Snapshot, error) {
	files, err := bucket.Open(ctx, location, bucket.Options{})
	if err != nil {
		return nil, err
	}
	s, err := loadChecked(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", files, err)
	}
	return s, nil
}

// loadChecked is load and check, and a look at what is published with the snapshot. What
// takes several requests to a bucket is done at once.
func loadChecked(ctx context.Context, files bucket.Bucket) (*Snapshot, error) {
	var sizes map[string]int64
	var published map[string]bucket.Object
	var failed error
	var listing sync.WaitGroup
	list, cancel := context.WithCancel(ctx)
	defer cancel()
	listing.Go(func() { sizes, failed = sizesIn(list, files) })
	listing.Go(func() { published = publishedIn(list, files) })
	s, err := load(ctx, files)
	if err != nil {
		cancel()
	}
	listing.Wait()
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return nil, failed
	}
	s.published = published
	return s, s.compare(ctx, sizes, false)
}

// maxListed is how many objects of dissections are looked at: some for each version of the
// program that published one.
const maxListed = 1000

// publishedIn lists what is published, as far as it can: whoever reads it is told why not.
func publishedIn(ctx context.Context, files bucket.Bucket) map[string]bucket.Object {
	out := make(map[string]bucket.Object)
	for o, err := range files.List(ctx, "dissections/") {
		if err != nil || len(out) == maxListed {
			return nil
		}
		out[o.Key] = o
	}
	return out
}

// load reads the manifest of a snapshot.
func load(ctx context.Context, files bucket.Bucket) (*Snapshot, error) {
	data, err := bucket.ReadAll(ctx, files, manifestName, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s", ErrNotFound, manifestName)
	}
	if errors.Is(err, bucket.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", ErrIntegrity, err)
	}
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(data)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(data)
	return &Snapshot{Manifest: m, Digest: hex.EncodeToString(digest[:]), files: files}, nil
}

// Keep has what is read of the snapshot kept in a cache, and looked for there first,
// unless it is in a folder, where it costs nothing to read. Verify reads everything anew.
func (s *Snapshot) Keep(c *cache.Cache) {
	if s.Far() {
		s.cache = c
	}
}

// Far tells whether the snapshot is in a bucket, not in a folder of this machine.
func (s *Snapshot) Far() bool { return !bucket.IsFolder(s.files) }

// check compares what is there with the manifest as far as that takes no reading.
func (s *Snapshot) check(ctx context.Context) error {
	sizes, err := sizesIn(ctx, s.files)
	if err != nil {
		return err
	}
	return s.compare(ctx, sizes, true)
}

// sizesIn lists the evidence that there is.
func sizesIn(ctx context.Context, files bucket.Bucket) (map[string]int64, error) {
	sizes := make(map[string]int64)
	for o, err := range files.List(ctx, "nodes/") {
		if err != nil {
			return nil, err
		}
		sizes[o.Key] = o.Size
	}
	return sizes, nil
}

// compare compares the sizes of what is there with the manifest: of all, or of what there
// is no answer without. Who had which address may be unknown. Lists may lag behind: what
// they say is wrong is asked for by its name.
func (s *Snapshot) compare(ctx context.Context, sizes map[string]int64, all bool) error {
	for i := range s.Manifest.Objects {
		o := &s.Manifest.Objects[i]
		if o.Kind == KindIdentity && !all || !strings.HasPrefix(o.Path, "nodes/") { // what is published beside comes and goes
			continue
		}
		if size, ok := sizes[o.Path]; ok && size == o.Size {
			continue
		}
		there, err := s.files.Stat(ctx, o.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %s is missing", ErrIntegrity, o.Path)
		case err != nil && (bucket.Temporary(err) || ctx.Err() != nil):
			return err
		case err != nil: // such as a folder of that name
			return fmt.Errorf("%w: %s is missing: %w", ErrIntegrity, o.Path, err)
		case there.Size != o.Size:
			return fmt.Errorf("%w: %s has %d bytes, by the manifest %d", ErrIntegrity, o.Path, there.Size, o.Size)
		}
	}
	return nil
}

// Identity reads who had which address when, of all nodes together. It is nil
// when the snapshot does not tell.
func (s *Snapshot) Identity(ctx context.Context) (*identity.Log, error) {
	var inputs []identity.Input
	for _, o := range s.Manifest.Objects {
		if o.Kind != KindIdentity {
			continue
		}
		f, err := s.openObject(ctx, &o)
		if err != nil {
			return nil, fmt.Errorf("snapshot %s: %w", s.Manifest.ID, err)
		}
		defer f.Close()
		inputs = append(inputs, identity.Input{Name: o.Path, Reader: f})
	}
	if len(inputs) == 0 {
		return nil, nil
	}
	log, err := identity.ReadAll(inputs...)
	if errors.Is(err, identity.ErrFormat) {
		err = fmt.Errorf("%w: %w", ErrIntegrity, err)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: identity: %w", s.Manifest.ID, err)
	}
	return log, nil
}
