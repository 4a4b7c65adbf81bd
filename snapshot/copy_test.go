package snapshot

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/snapshot/bucket"
	"shark/snapshot/bucket/buckettest"
	"shark/snapshot/identity"
)

// origin is a store with one snapshot of two nodes, signed, with things beside that
// are no part of it.
func origin(t *testing.T) (*Store, *Manifest) {
	t.Helper()
	store := openStore(t)
	m := mustImport(t, store, ImportOptions{
		Files:    []string{"n1=" + capture(t, "a.pcapng", 3000, 700, 0), "n2=" + capture(t, "b.pcapng", 100, 60, 2*time.Second)},
		Identity: writeLog(t, identity.Record{Time: began, Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "cart-1", Addresses: []string{"10.0.0.1"}}),
		Name:     "outage", Created: began,
	})
	for _, name := range []string{"dissections/x.db", "notes.txt"} {
		put(t, store, m.ID+"/"+name, "this is "+name)
	}
	s, err := store.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := vectorKeys(t)
	if err := s.Sign(t.Context(), secret, false); err != nil {
		t.Fatal(err)
	}
	return store, m
}

func put(t *testing.T, s *Store, key, data string) {
	t.Helper()
	try := func() error {
		w, err := s.files.Create(t.Context(), key)
		if err == nil {
			if _, err = w.Write([]byte(data)); err == nil {
				err = w.Close()
			}
		}
		return err
	}
	err := try()
	for tries := 0; bucket.Temporary(err) && tries < 20; tries++ {
		err = try()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// stored is all that a store has, by key.
func stored(t *testing.T, s *Store) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for o, err := range s.files.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := bucket.ReadAll(t.Context(), s.files, o.Key, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		all[o.Key] = string(data)
	}
	return all
}

// evidence is what a copy has: all but what lies beside.
func evidence(t *testing.T, s *Store) map[string]string {
	t.Helper()
	all := stored(t, s)
	maps.DeleteFunc(all, func(key, _ string) bool {
		return strings.Contains(key, "/dissections/") || strings.HasSuffix(key, "/notes.txt")
	})
	return all
}

// copied fails unless a store has just this.
func copied(t *testing.T, s *Store, want map[string]string) {
	t.Helper()
	got := stored(t, s)
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("there is %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%s has other bytes", key)
		}
	}
	for o, err := range s.files.Rubbish(t.Context(), time.Now().Add(time.Hour), false) {
		t.Errorf("left behind is %s, %v", o.Key, err)
	}
}

// instantly does not wait.
func instantly(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func TestCopy(t *testing.T) {
	from, m := origin(t)
	want := evidence(t, from)
	counted := buckettest.Faulty(openStore(t).files, 0, buckettest.Faults{})
	to := &Store{counted}
	var last CopyProgress
	run := func(ref string) (*Manifest, error) {
		return from.Copy(t.Context(), to, ref, CopyOptions{Parallel: 2}, func(p CopyProgress) { last = p })
	}
	got, err := run("outage")
	if err != nil || got.ID != m.ID {
		t.Fatalf("%+v, %v", got, err)
	}
	if last.Bytes != last.Total || last.Total == 0 || last.Objects != len(m.Objects) || last.Kept != 0 {
		t.Errorf("progress ends with %+v", last)
	}
	copied(t, to, want)
	if v, err := to.Verify(t.Context(), m.ID, nil); err != nil || v.Objects != len(m.Objects) || len(v.Unlisted) > 0 {
		t.Errorf("verify %+v, %v", v, err)
	}

	// What is there whole is not even read.
	before := counted.Counts()
	if _, err := run(m.ID); err != nil {
		t.Fatal(err)
	}
	if c := counted.Counts(); c.Opens > before.Opens+1 || c.Creates > before.Creates || last.Kept != len(m.Objects) || last.Bytes != last.Total {
		t.Errorf("the second time: %v after %v, %+v", c, before, last)
	}
	copied(t, to, want)

	// What it has lost it gets again, and no more than that.
	if err := to.files.Remove(t.Context(), m.ID+"/"+m.Objects[0].Path); err != nil {
		t.Fatal(err)
	}
	if _, err := run(m.ID); err != nil || last.Kept != len(m.Objects)-1 {
		t.Errorf("after a loss: %+v, %v", last, err)
	}
	copied(t, to, want)

	// A signature that came later follows; another one is not replaced.
	if err := to.files.Remove(t.Context(), m.ID+"/"+signatureName); err != nil {
		t.Fatal(err)
	}
	if _, err := run(m.ID); err != nil {
		t.Fatal(err)
	}
	copied(t, to, want)
	put(t, to, m.ID+"/"+signatureName, "by somebody else")
	want[m.ID+"/"+signatureName] = "by somebody else"
	if _, err := run(m.ID); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), signatureName) {
		t.Errorf("another signature: %v", err)
	}
	copied(t, to, want)

	if _, err := run("nothing"); !errors.Is(err, ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
}

// TestCopyOfFolder: the folder of a snapshot is copied whatever it is called.
func TestCopyOfFolder(t *testing.T) {
	from, m := origin(t)
	want := evidence(t, from)
	dir := filepath.Join(t.TempDir(), "moved")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(from.files.String(), m.ID))); err != nil {
		t.Fatal(err)
	}
	x, err := Find(t.Context(), "", dir)
	if err != nil {
		t.Fatal(err)
	}
	to := openStore(t)
	if _, err := x.Copy(t.Context(), to, CopyOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	copied(t, to, want)
}

// TestCopyOfAnother: another snapshot of the same id stays what it is.
func TestCopyOfAnother(t *testing.T) {
	from, m := origin(t)
	for name, manifest := range map[string]string{
		"another": strings.Replace(stored(t, from)[m.ID+"/"+manifestName], `"outage"`, `"other"`, 1),
		"broken":  "{", "empty": "", "large": strings.Repeat(" ", maxManifest+1),
	} {
		t.Run(name, func(t *testing.T) {
			to := openStore(t)
			put(t, to, m.ID+"/"+manifestName, manifest)
			if _, err := from.Copy(t.Context(), to, m.ID, CopyOptions{}, nil); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), m.ID) {
				t.Errorf("got %v", err)
			}
			copied(t, to, map[string]string{m.ID + "/" + manifestName: manifest})
		})
	}
}

// TestCopyRefusesDamage: what is damaged is named, and is no snapshot where it goes. It
// is damaged before the snapshot is opened, or after.
func TestCopyRefusesDamage(t *testing.T) {
	from, m := origin(t)
	sound := stored(t, from)
	damages := map[string]func(string) string{
		"bit":     func(s string) string { b := []byte(s); b[len(b)/2] ^= 4; return string(b) },
		"cut":     func(s string) string { return s[:len(s)-1] },
		"longer":  func(s string) string { return s + "x" },
		"missing": nil,
	}
	try := func(t *testing.T, opened *Snapshot, path string) {
		t.Helper()
		for _, late := range []bool{false, true}[:some(2)] { // in clouds, only what was there when it was opened
			to := openStore(t)
			var err error
			if late {
				_, err = opened.Copy(t.Context(), to, CopyOptions{}, nil)
			} else {
				_, err = from.Copy(t.Context(), to, m.ID, CopyOptions{}, nil)
			}
			if !errors.Is(err, ErrIntegrity) || !strings.Contains(err.Error(), path) {
				t.Errorf("late %v: %v, want one about %s", late, err, path)
			}
			if _, err := to.Get(t.Context(), m.ID); !errors.Is(err, ErrNotFound) {
				t.Errorf("late %v: the target has %v", late, err)
			}
		}
	}
	for _, o := range m.Objects {
		for name, damage := range damages {
			opened, err := from.Get(t.Context(), m.ID)
			if err != nil {
				t.Fatal(err)
			}
			key := m.ID + "/" + o.Path
			if damage != nil {
				put(t, from, key, damage(sound[key]))
			} else if err := from.files.Remove(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			t.Run(name+" "+o.Path, func(t *testing.T) { try(t, opened, o.Path) })
			put(t, from, key, sound[key])
		}
	}
	put(t, from, m.ID+"/"+signatureName, strings.Repeat("x", maxMinisig+1))
	opened, err := from.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	try(t, opened, signatureName)
	put(t, from, m.ID+"/"+manifestName, sound[m.ID+"/"+manifestName]+"\n")
	if _, err := opened.Copy(t.Context(), openStore(t), CopyOptions{}, nil); !errors.Is(err, ErrIntegrity) || !strings.Contains(err.Error(), manifestName) {
		t.Errorf("a manifest that changed: %v", err)
	}
}

// TestCopyOverGarbage: what lies under the keys in the target is kept if it is what
// should be there, and is replaced otherwise.
func TestCopyOverGarbage(t *testing.T) {
	from, m := origin(t)
	want := evidence(t, from)
	for seed := range uint64(some(20)) {
		rng := rand.New(rand.NewPCG(seed, 7))
		to, right := openStore(t), 0
		for _, o := range m.Objects {
			key := m.ID + "/" + o.Path
			switch rng.IntN(5) {
			case 0:
				put(t, to, key, want[key])
				right++
			case 1:
				put(t, to, key, strings.Repeat("x", int(o.Size)))
			case 2:
				put(t, to, key, want[key][:rng.IntN(int(o.Size))])
			case 3:
				put(t, to, key, want[key]+"x")
			}
		}
		put(t, to, m.ID+"/"+signatureName, "garbage")
		var last CopyProgress
		if _, err := from.Copy(t.Context(), to, m.ID, CopyOptions{}, func(p CopyProgress) { last = p }); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if last.Kept != right || last.Objects != len(m.Objects) || last.Bytes != last.Total {
			t.Errorf("seed %d: %+v, want %d kept", seed, last, right)
		}
		copied(t, to, want)
	}
}

// TestCopyFaults: whatever fails on both sides, before or after it took effect, the
// target has the snapshot whole or not at all, and a later copy completes it.
func TestCopyFaults(t *testing.T) {
	sound, m := origin(t)
	want := evidence(t, sound)
	made, failed := 0, 0
	for seed := range uint64(20) {
		to := openStore(t)
		faults := buckettest.Faults{Fail: 0.05, Lost: 0.1, Cut: 0.2, Break: 0.1, Page: 2}
		tries := 20
		if seed%2 > 0 {
			tries = 1
		}
		unsound := func(b bucket.Bucket) *Store {
			return &Store{bucket.WithRetry(buckettest.Faulty(b, seed, faults), bucket.Retry{Tries: tries, Wait: instantly})}
		}
		_, err := unsound(sound.files).Copy(t.Context(), unsound(to.files), m.ID, CopyOptions{Wait: instantly}, nil)
		_, there := to.Get(t.Context(), m.ID)
		switch {
		case err == nil && there == nil:
			made++
		case err != nil && (there == nil || errors.Is(there, ErrNotFound)) && bucket.Temporary(err):
			failed++
		default:
			t.Fatalf("seed %d: %v, and the target says %v", seed, err, there)
		}
		if there == nil {
			copied(t, to, want)
		}
		if _, err := sound.Copy(t.Context(), to, m.ID, CopyOptions{}, nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		copied(t, to, want)
	}
	if made == 0 || failed == 0 {
		t.Errorf("%d copies succeeded and %d failed", made, failed)
	}
}

// requests is a bucket that calls before for each request.
func requests(b bucket.Bucket, before func()) *Store {
	return &Store{buckettest.Faulty(b, 0, buckettest.Faults{Latency: 1, Wait: func(ctx context.Context, _ time.Duration) error {
		before()
		return ctx.Err()
	}})}
}

// TestCopyInterrupted: at any request and any progress a copy can be cancelled, and the
// next one completes it.
func TestCopyInterrupted(t *testing.T) {
	sound, m := origin(t)
	want := evidence(t, sound)
	var mu sync.Mutex
	attempt := func(to *Store, at int) (steps int, err error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		step := func() {
			mu.Lock()
			defer mu.Unlock()
			if steps++; steps == at {
				cancel()
			}
		}
		_, err = requests(sound.files, step).Copy(ctx, requests(to.files, step), m.ID, CopyOptions{Parallel: 3}, func(CopyProgress) { step() })
		return steps, err
	}
	steps, err := attempt(openStore(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(some(40)) {
		at := 1 + rand.New(rand.NewPCG(seed, 1)).IntN(steps)
		to := openStore(t)
		_, err := attempt(to, at)
		_, there := to.Get(t.Context(), m.ID)
		if err != nil && (!errors.Is(err, context.Canceled) || !errors.Is(there, ErrNotFound)) || err == nil && there != nil {
			t.Fatalf("at %d of %d: %v, and the target says %v", at, steps, err, there)
		}
		if _, err := sound.Copy(t.Context(), to, m.ID, CopyOptions{}, nil); err != nil {
			t.Fatalf("at %d of %d: %v", at, steps, err)
		}
		copied(t, to, want)
	}
}

// TestCopyAtOnce: several may copy one snapshot to one place.
func TestCopyAtOnce(t *testing.T) {
	from, m := origin(t)
	to := openStore(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := from.Copy(t.Context(), to, m.ID, CopyOptions{}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	copied(t, to, evidence(t, from))
}

// TestCopyAround: from a folder through all clouds to a folder nothing changes.
func TestCopyAround(t *testing.T) {
	first, m := origin(t)
	want := evidence(t, first)
	at := first
	for _, name := range []string{"S3", "GCS", "Azure"} {
		next := openCloud(t, clouds[name])
		t.Cleanup(func() {
			if err := next.Delete(context.WithoutCancel(t.Context()), m.ID); err != nil {
				t.Error(err)
			}
		})
		if _, err := at.Copy(t.Context(), next, "outage", CopyOptions{}, nil); err != nil {
			t.Fatal(err)
		}
		copied(t, next, want)
		at = next
	}
	last := openStore(t)
	if _, err := at.Copy(t.Context(), last, m.ID, CopyOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	copied(t, last, want)
}
