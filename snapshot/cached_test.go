package snapshot

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"shark/snapshot/block"
	"shark/snapshot/bucket"
	"shark/snapshot/cache"
	"shark/snapshot/identity"
)

// counted is a bucket that is no folder and counts the bytes that are asked for.
type counted struct {
	bucket.Bucket
	bytes *atomic.Int64
}

func (c counted) Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	in, err := c.Bucket.Open(ctx, key, from, n)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(in, adder{c.bytes}), in}, nil
}

func (c counted) Sub(prefix string) bucket.Bucket { return counted{c.Bucket.Sub(prefix), c.bytes} }

type adder struct{ n *atomic.Int64 }

func (a adder) Write(p []byte) (int, error) {
	a.n.Add(int64(len(p)))
	return len(p), nil
}

// take returns what was counted since it was called last.
func (c counted) take() int64 { return c.bytes.Swap(0) }

// farStore is a store that counts what is read of it, with a snapshot.
func farStore(t *testing.T) (counted, *Store, string) {
	t.Helper()
	files := capture(t, "a.pcapng", 3000, 700, 0)
	log := writeLog(t, identity.Record{Time: began, Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "cart-1", Addresses: []string{"10.0.0.1"}})
	near := openStore(t)
	m := mustImport(t, near, ImportOptions{Files: []string{"n1=" + files}, Identity: log, Name: "outage"})
	far := counted{near.files, new(atomic.Int64)}
	return far, &Store{far}, m.ID
}

// readAll opens a snapshot and reads all that there is.
func readAll(t *testing.T, store *Store, id string, c *cache.Cache) []string {
	t.Helper()
	s, err := store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.Keep(c)
	log, err := s.Identity(t.Context())
	if err != nil || log == nil {
		t.Fatal(log, err)
	}
	p, err := s.Packets(t.Context(), Selection{Selection: block.Selection{Extras: true}})
	if err != nil {
		t.Fatal(err)
	}
	return described(t, p)
}

// What was read of a bucket once is not read again, but for the manifest; and whatever is
// done to the cache, the answer stays the same.
func TestCached(t *testing.T) {
	far, store, id := farStore(t)
	manifest, err := bucket.ReadAll(t.Context(), far, id+"/"+manifestName, maxManifest)
	if err != nil {
		t.Fatal(err)
	}
	far.take()
	want := readAll(t, store, id, nil)
	whole := far.take()
	dir := t.TempDir()
	c := cache.New(dir, 1<<30)
	equal(t, readAll(t, store, id, c), want)
	if n := far.take(); n != whole {
		t.Errorf("%d bytes are read at first, without a cache %d", n, whole)
	}
	onlyManifest := func(what string) {
		t.Helper()
		if n := far.take(); n != int64(len(manifest)) {
			t.Errorf("%s: %d bytes are read, the manifest has %d", what, n, len(manifest))
		}
	}
	equal(t, readAll(t, store, id, c), want)
	onlyManifest("again")

	// Damage in every file of the cache.
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 0x40
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, readAll(t, store, id, c), want)
	if n := far.take(); n != whole {
		t.Errorf("with a damaged cache %d bytes are read, of %d", n, whole)
	}
	equal(t, readAll(t, store, id, c), want)
	onlyManifest("after damage")

	// A cache that is too small for it keeps none of the blocks.
	small := cache.New(t.TempDir(), 1<<20)
	equal(t, readAll(t, store, id, small), want)
	if n := small.Usage().PartBytes; n > 1<<18 {
		t.Errorf("a cache of 1 MiB keeps %d bytes of a read of %d", n, whole)
	}
}

// A folder costs nothing to read: nothing of it is kept.
func TestFoldersAreNotCached(t *testing.T) {
	store := openStore(t)
	log := writeLog(t, identity.Record{Time: began, Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "cart-1", Addresses: []string{"10.0.0.1"}})
	m := mustImport(t, store, ImportOptions{Files: []string{capture(t, "a.pcapng", 10, 70, 0)}, Identity: log})
	c := cache.New(t.TempDir(), 1<<30)
	readAll(t, store, m.ID, c)
	if u := c.Usage(); u.Bytes() > 0 {
		t.Errorf("kept are %+v", u)
	}
}

// An identity log that is damaged is told as it is without a cache, and not kept.
func TestDamagedIdentityWithCache(t *testing.T) {
	far, store, id := farStore(t)
	key := id + "/nodes/n1/identity.jsonl.zst"
	bad := []byte(stored(t, &Store{far})[key])
	bad[len(bad)-1] ^= 1 // of the checksum
	put(t, &Store{far}, key, string(bad))
	s, err := store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	_, want := s.Identity(t.Context())
	c := cache.New(t.TempDir(), 1<<30)
	s.Keep(c)
	_, got := s.Identity(t.Context())
	if want == nil || got == nil || got.Error() != want.Error() {
		t.Errorf("with a cache %v, without %v", got, want)
	}
	if u := c.Usage(); u.Parts > 0 {
		t.Error("what is damaged is kept")
	}
}
