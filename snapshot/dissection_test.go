package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shark/snapshot/bucket"
	"shark/snapshot/bucket/buckettest"
	"shark/snapshot/cache"
)

// database is a file of n bytes that could be an index database, and its bytes.
func database(t *testing.T, n int) (string, []byte) {
	t.Helper()
	data := make([]byte, n)
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	path := filepath.Join(t.TempDir(), "index.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

// published makes a snapshot with a published file.
func published(t *testing.T, n int) (far counted, s *Snapshot, data []byte) {
	t.Helper()
	far, store, id := farStore(t)
	s, err := store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	path, data := database(t, n)
	done := int64(0)
	publish := func() (bool, error) {
		done = 0
		return s.Publish(t.Context(), "abc", "shark", path, nil, func(now, total int64) {
			if now <= done || total != int64(n) {
				t.Errorf("%d of %d after %d", now, total, done)
			}
			done = now
		})
	}
	ok, err := publish()
	for tries := 0; bucket.Temporary(err) && tries < 200; tries++ { // what writes objects is not done again by itself
		ok, err = publish()
	}
	if err != nil || !ok || done != int64(n) {
		t.Fatal(ok, err, done)
	}
	return far, s, data
}

func remote(t *testing.T, s *Snapshot) *Remote {
	t.Helper()
	r, err := s.Dissection(t.Context(), "abc")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What is published is read as it was, wherever one begins, by several at a time.
func TestPublished(t *testing.T) {
	for _, n := range []int{1, pieceSize - 1, pieceSize, pieceSize + 1, 20*pieceSize + 77} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			_, s, data := published(t, n)
			s.Keep(cache.New(t.TempDir(), 1<<30))
			if there, err := s.Published(t.Context(), "abc"); !there || err != nil {
				t.Error(there, err)
			}
			r := remote(t, s)
			if r.Size() != int64(n) {
				t.Errorf("has %d bytes", r.Size())
			}
			var all sync.WaitGroup
			for g := range uint64(4) {
				all.Go(func() {
					rng := rand.New(rand.NewPCG(g, 2))
					for range 50 {
						p := make([]byte, rng.IntN(2*pieceSize))
						at := rng.IntN(n + 10)
						got, err := r.ReadAt(t.Context(), p, int64(at))
						want := data[min(at, n):min(at+len(p), n)]
						if (err == nil) != (len(want) == len(p)) || err != nil && err != io.EOF || !bytes.Equal(p[:got], want) {
							t.Errorf("%d bytes from %d: %d, %v", len(p), at, got, err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// Who reads in order makes few requests, who reads here and there reads little, and what
// was read before is not read again.
func TestReadAhead(t *testing.T) {
	const pieces = 200
	far, s, data := published(t, pieces*pieceSize)
	s.Keep(cache.New(t.TempDir(), 1<<30))
	page := make([]byte, 16<<10)
	r := remote(t, s)
	for at := int64(0); at < r.Size(); at += int64(len(page)) {
		if _, err := r.ReadAt(t.Context(), page, at); err != nil || !bytes.Equal(page, data[at:at+int64(len(page))]) {
			t.Fatal(at, err)
		}
	}
	if requests, n := r.Fetched(); requests > pieces/perRequest+10 || n != int64(len(data)) {
		t.Errorf("%d requests for %d bytes of %d", requests, n, len(data))
	}
	far.take()
	r = remote(t, s)
	if _, err := r.ReadAt(t.Context(), make([]byte, len(data)), 0); err != nil {
		t.Fatal(err)
	}
	if requests, n := r.Fetched(); requests != 0 || n != 0 {
		t.Errorf("again %d requests for %d bytes", requests, n)
	}

	s.Keep(nil)
	r = remote(t, s)
	before, _ := r.Fetched()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10 {
		if _, err := r.ReadAt(t.Context(), page, rng.Int64N(pieces-1)*pieceSize); err != nil {
			t.Fatal(err)
		}
	}
	if requests, n := r.Fetched(); n > (headPieces+tailPieces+10+8)*pieceSize || requests-before > 10 {
		t.Errorf("%d requests and %d bytes for 10 pages", requests-before, n)
	}
	if len(r.held) > maxHeld {
		t.Errorf("%d pieces are held", len(r.held))
	}
}

// Half a publication is none; a second one completes it, and one that is there stays.
func TestPublishIsWholeOrNot(t *testing.T) {
	far, store, id := farStore(t)
	s, err := store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	path, data := database(t, 5*pieceSize)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.Publish(ctx, "abc", "shark", path, nil, func(done, _ int64) {
		if done > 2*pieceSize {
			cancel()
		}
	}); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	if there, err := s.Published(t.Context(), "abc"); there || err != nil {
		t.Error(there, err)
	}
	if _, err := s.Dissection(t.Context(), "abc"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of it: %v", err)
	}
	if ok, err := s.Publish(t.Context(), "abc", "shark", path, nil, func(int64, int64) {}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	// All but the description is there.
	if err := far.Remove(t.Context(), id+"/dissections/abc/"+dissectionName); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Publish(t.Context(), "abc", "shark", path, nil, func(done, _ int64) { t.Errorf("%d bytes are written again", done) }); !ok || err != nil {
		t.Fatal(ok, err)
	}
	other, _ := database(t, 3*pieceSize)
	if ok, err := s.Publish(t.Context(), "abc", "shark", other, nil, func(int64, int64) {}); ok || err != nil {
		t.Errorf("over another: %v, %v", ok, err)
	}
	p := make([]byte, len(data))
	if _, err := remote(t, s).ReadAt(t.Context(), p, 0); err != nil || !bytes.Equal(p, data) {
		t.Errorf("what was there first has changed: %v", err)
	}
}

// Whatever was done to what is published, no wrong byte is handed out.
func TestPublishedDamage(t *testing.T) {
	const n = 12*pieceSize + 5
	far, s, data := published(t, n)
	object := func(suffix string) string {
		t.Helper()
		for o, err := range far.List(t.Context(), s.Manifest.ID+"/dissections/") {
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(o.Key, suffix) {
				return o.Key
			}
		}
		t.Fatal("no " + suffix)
		return ""
	}
	store := &Store{far}
	for _, suffix := range []string{".db", ".sums"} {
		key := object(suffix)
		sound := []byte(stored(t, store)[key])
		rng := rand.New(rand.NewPCG(3, 3))
		for range some(40) {
			bad := bytes.Clone(sound)
			if rng.IntN(4) == 0 {
				bad = bad[:rng.IntN(len(bad))]
			} else {
				bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
			}
			put(t, store, key, string(bad))
			r, err := s.Dissection(t.Context(), "abc")
			got := make([]byte, n)
			read := 0
			if err == nil {
				read, err = r.ReadAt(t.Context(), got, 0)
			}
			if err == nil || !bytes.Equal(got[:read], data[:read]) {
				t.Fatalf("%s: %d bytes, %v", suffix, read, err)
			}
		}
		put(t, store, key, string(sound))
	}
}

// A description that cannot be is refused, and leads nowhere else.
func TestHostileDissection(t *testing.T) {
	far, s, _ := published(t, 3*pieceSize)
	store, key := &Store{far}, s.Manifest.ID+"/dissections/abc/"+dissectionName
	sound := []byte(stored(t, store)[key])
	for name, change := range map[string]func(*Dissection){
		"newer":           func(d *Dissection) { d.Format = 2 },
		"other snapshot":  func(d *Dissection) { d.Snapshot = strings.Repeat("0", 64) },
		"no shard":        func(d *Dissection) { d.Shards = nil },
		"two":             func(d *Dissection) { d.Shards = append(d.Shards, d.Shards[0]) },
		"size below 0":    func(d *Dissection) { d.Shards[0].Size = -1 },
		"empty":           func(d *Dissection) { d.Shards[0].Size = 0 },
		"endless":         func(d *Dissection) { d.Shards[0].Size = 1<<63 - 1 },
		"larger":          func(d *Dissection) { d.Shards[0].Size += pieceSize },
		"smaller":         func(d *Dissection) { d.Shards[0].Size -= pieceSize },
		"out of it":       func(d *Dissection) { d.Shards[0].Path = "../../manifest.json" },
		"elsewhere":       func(d *Dissection) { d.Shards[0].Sums = "/etc/passwd" },
		"below":           func(d *Dissection) { d.Shards[0].Path = "x/" + d.Shards[0].Path },
		"no sum":          func(d *Dissection) { d.Shards[0].SHA = "" },
		"other sum":       func(d *Dissection) { d.Shards[0].SHA = strings.Repeat("a", 64) },
		"not there":       func(d *Dissection) { d.Shards[0].Path = "shard-000-0.db" },
		"sums not there":  func(d *Dissection) { d.Shards[0].Sums = "shard-000-0.sums" },
		"sums are itself": func(d *Dissection) { d.Shards[0].Sums = dissectionName },
	} {
		t.Run(name, func(t *testing.T) {
			d := new(Dissection)
			if err := json.Unmarshal(sound, d); err != nil {
				t.Fatal(err)
			}
			change(d)
			text, err := seal(d, "")
			if err != nil {
				t.Fatal(err)
			}
			put(t, store, key, string(text))
			if _, err := s.Dissection(t.Context(), "abc"); err == nil {
				t.Error("it was taken")
			}
		})
	}
	for _, text := range []string{"", "{", "[]", `{"format":1}`, strings.Repeat(" ", maxDissection+1)} {
		put(t, store, key, text)
		if _, err := s.Dissection(t.Context(), "abc"); err == nil {
			t.Errorf("%.10q was taken", text)
		}
	}
}

// The end of the context ends a read that waits.
func TestRemoteEnds(t *testing.T) {
	_, s, _ := published(t, 20*pieceSize)
	r := remote(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.ReadAt(ctx, make([]byte, 10), 10*pieceSize); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := r.ReadAt(t.Context(), make([]byte, 10), 10*pieceSize); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// Each request takes a while from afar, but those that do not depend on each other are made
// at once: to open a snapshot and its database takes two rounds, what is known to be asked
// for one more, and all that is known from before one in all.
func TestRounds(t *testing.T) {
	const latency = time.Second
	folder, s, data := published(t, 100*pieceSize+5)
	kept := cache.New(t.TempDir(), 1<<30)
	ranges := [][2]int64{{10 * pieceSize, 31 * pieceSize}, {50*pieceSize + 7, 50*pieceSize + 8}, {60 * pieceSize, 62*pieceSize + 1}, {99 * pieceSize, 1 << 60}}
	for _, run := range []struct {
		name     string
		rounds   int
		requests int // at most
	}{{"cold", 3, 3 + 4 + 8}, {"warm", 1, 3}} {
		synctest.Test(t, func(t *testing.T) {
			far := buckettest.Faulty(folder, 1, buckettest.Faults{Latency: latency})
			began := time.Now()
			s, err := (&Store{far}).Get(t.Context(), s.Manifest.ID)
			if err != nil {
				t.Fatal(err)
			}
			s.Keep(kept)
			r := remote(t, s)
			if err := r.Ahead(t.Context(), ranges); err != nil {
				t.Fatal(err)
			}
			rounds := int(time.Since(began) / latency)
			if n := far.Counts().Requests(); rounds > run.rounds || n > run.requests {
				t.Errorf("%s: %d rounds of %d requests in all", run.name, rounds, n)
			}
			before := far.Counts().Requests()
			for _, x := range ranges {
				p := make([]byte, min(x[1], r.Size())-x[0])
				if _, err := r.ReadAt(t.Context(), p, x[0]); err != nil || !bytes.Equal(p, data[x[0]:x[0]+int64(len(p))]) {
					t.Errorf("%d: %v", x, err)
				}
			}
			if n := far.Counts().Requests(); n != before {
				t.Errorf("%s: %d requests for what was read ahead", run.name, n-before)
			}
		})
	}
}

// What is guessed before the description is there is used only if it is what that says.
func TestGuesses(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, s *Snapshot, dir string){
		"the database is another": func(t *testing.T, s *Snapshot, _ string) {
			for key := range s.published {
				if strings.HasSuffix(key, ".db") {
					if err := s.put(t.Context(), key, make([]byte, s.published[key].Size)); err != nil {
						t.Fatal(err)
					}
				}
			}
		},
		"the sums are others": func(t *testing.T, s *Snapshot, _ string) {
			for key := range s.published {
				if strings.HasSuffix(key, ".sums") {
					if err := s.put(t.Context(), key, make([]byte, s.published[key].Size)); err != nil {
						t.Fatal(err)
					}
				}
			}
		},
		"it is gone": func(t *testing.T, s *Snapshot, _ string) {
			for key := range s.published {
				if err := s.files.Remove(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
		},
		"others lie beside it": func(t *testing.T, s *Snapshot, dir string) {
			for _, name := range []string{"shard-000-0.db", "shard-000-0.sums", "more"} {
				if err := s.put(t.Context(), dir+name, make([]byte, 16)); err != nil {
					t.Fatal(err)
				}
			}
		},
		"it is as it was": func(*testing.T, *Snapshot, string) {},
	} {
		t.Run(name, func(t *testing.T) {
			far, s, data := published(t, 12*pieceSize+5)
			s, err := (&Store{far}).Get(t.Context(), s.Manifest.ID)
			if err != nil || len(s.published) != 3 {
				t.Fatal(s.published, err)
			}
			change(t, s, dissectionPath("abc"))
			r, err := s.Dissection(t.Context(), "abc")
			switch name {
			case "it is gone":
				if !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			case "the database is another", "the sums are others":
				if !errors.Is(err, ErrIntegrity) {
					t.Error(err)
				}
			default:
				p := make([]byte, len(data))
				if err == nil {
					_, err = r.ReadAt(t.Context(), p, 0)
				}
				if err != nil || !bytes.Equal(p, data) {
					t.Error(err)
				}
			}
		})
	}
}
