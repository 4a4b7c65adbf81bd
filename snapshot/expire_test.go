package snapshot

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/snapshot/bucket"
	"shark/snapshot/bucket/buckettest"
)

// expiring is a store whose credentials run out at a step of the work, and stay so until
// renew is called.
func expiring(files bucket.Bucket, at int) (s *Store, renew func()) {
	faulty := buckettest.Faulty(files, 1, buckettest.Faults{})
	var mu sync.Mutex // some work goes on side by side
	steps := 0
	step := func() {
		mu.Lock()
		defer mu.Unlock()
		if steps++; steps == at {
			faulty.Expire(math.MaxInt)
		}
	}
	retry := bucket.WithRetry(faulty, bucket.Retry{Tries: 3, Wait: instantly})
	return &Store{stepped{mortal{retry, step}}}, func() { faulty.Expire(0) }
}

// stepped is mortal for which reads are steps, too.
type stepped struct{ mortal }

func (s stepped) Sub(prefix string) bucket.Bucket { return stepped{s.mortal.Sub(prefix).(mortal)} }

func (s stepped) Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	s.step()
	return s.mortal.Open(ctx, key, from, n)
}

// TestCredentialsExpire at every step of a work in turn: the error says so, a snapshot is
// whole or not there, and with new credentials the same work succeeds.
func TestCredentialsExpire(t *testing.T) {
	from, file := openStore(t), capture(t, "a.pcapng", 100, 60, 0)
	m := mustImport(t, from, ImportOptions{Files: []string{"n1=" + file, "n2=" + file}, Name: "outage"})
	secret, _ := vectorKeys(t)
	database, _ := database(t, 1000)
	works := map[string]struct {
		there bool // the snapshot is in the store before
		left  int  // snapshots after it
		do    func(*Store) error
	}{
		"import": {false, 1, func(s *Store) error {
			_, err := s.Import(t.Context(), ImportOptions{Files: []string{"n1=" + file}}, nil)
			return err
		}},
		"create": {false, 1, func(s *Store) error {
			_, err := s.Create(t.Context(), CreateOptions{Recordings: []Recording{filed{"n1", file}}, From: began, To: began.Add(time.Hour), Name: "made"}, nil)
			return err
		}},
		"prune": {true, 0, func(s *Store) error {
			_, err := s.Prune(t.Context(), PruneOptions{Rules: Rules{Within: time.Second}, Now: time.Now().Add(25 * time.Hour)})
			return err
		}},
		"sign": {true, 1, func(s *Store) error {
			x, err := s.Get(t.Context(), m.ID)
			if err == nil {
				err = x.Sign(t.Context(), secret, true)
			}
			return err
		}},
		"publish": {true, 1, func(s *Store) error {
			x, err := s.Get(t.Context(), m.ID)
			if err == nil {
				_, err = x.Publish(t.Context(), "abc", "shark", database, nil, func(int64, int64) {})
			}
			return err
		}},
		"copy": {false, 1, func(s *Store) error {
			_, err := from.Copy(t.Context(), s, m.ID, CopyOptions{Parallel: 1}, nil)
			return err
		}},
		"verify": {true, 1, func(s *Store) error {
			_, err := s.Verify(t.Context(), m.ID, nil)
			return err
		}},
		"hold": {true, 1, func(s *Store) error {
			_, err := s.Hold(t.Context(), m.ID, Hold{Since: began})
			return err
		}},
		"delete": {true, 0, func(s *Store) error {
			err := s.Delete(t.Context(), m.ID)
			if errors.Is(err, ErrNotFound) { // all of it is gone
				err = nil
			}
			return err
		}},
	}
	for name, w := range works {
		t.Run(name, func(t *testing.T) {
			failed := 0
			for at := 1; ; at++ {
				store := openStore(t)
				if w.there {
					for key, data := range stored(t, from) {
						put(t, store, key, data)
					}
				}
				s, renew := expiring(store.files, at)
				err := w.do(s)
				if err == nil {
					break
				}
				failed++
				if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "credentials have expired") {
					t.Errorf("step %d: %v", at, err)
				}
				if n := wholeOnes(t, store); n > 1 {
					t.Errorf("step %d: %d snapshots", at, n)
				}
				renew()
				if err := w.do(s); err != nil && (name != "hold" || !errors.Is(err, ErrHeld)) {
					t.Errorf("step %d, again: %v", at, err)
				}
				if n := wholeOnes(t, store); n != w.left {
					t.Errorf("step %d: %d snapshots after the second time, want %d", at, n, w.left)
				}
			}
			if failed < 2 {
				t.Errorf("it failed %d times only", failed)
			}
		})
	}
}

// wholeOnes returns how many snapshots a store has, each of which must be whole.
func wholeOnes(t *testing.T, s *Store) int {
	t.Helper()
	all, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if _, err := s.Verify(t.Context(), x.ID, nil); err != nil {
			t.Errorf("a snapshot that is not whole: %v", err)
		}
	}
	return len(all)
}
