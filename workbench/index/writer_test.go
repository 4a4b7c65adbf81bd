package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/field"
	"shark/snapshot/identity"
)

func randomEntries(n int) []*dissector.Entry {
	rng := rand.New(rand.NewPCG(1, 2))
	var out []*dissector.Entry
	for i := range n {
		out = append(out, random(rng, uint64(i+1)))
	}
	return out
}

func TestSameRowsWhateverTheShards(t *testing.T) {
	entries := randomEntries(scaled(3000))
	want := ""
	for _, tc := range []struct {
		name   string
		shards int
		spill  int // entries between spills; 0: only by memory
	}{{"one", 1, 0}, {"three", 3, 0}, {"spilled", 2, 100}, {"many runs", 5, 2}} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			w, err := Create(filepath.Dir(path), Options{Schema: testSchema(t), Resolver: newOwners()})
			if err != nil {
				t.Fatal(err)
			}
			var sinks []*Shard
			for range tc.shards {
				sinks = append(sinks, w.Shard())
			}
			for i, e := range shuffled(entries, uint64(tc.shards)) {
				s := sinks[e.Partition%tc.shards]
				if err := s.Entry(e); err != nil {
					t.Fatal(err)
				}
				if tc.spill > 0 && i%tc.spill == 0 {
					if err := s.spill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.Finish(context.Background(), path, Meta{Source: "x"}); err != nil {
				t.Fatal(err)
			}
			got := dump(t, path)
			if want == "" {
				want = got
			}
			if got != want {
				t.Error("other rows than with one shard")
			}
			onlyFile(t, filepath.Dir(path), "x.db")
		})
	}
}

// shuffled returns entries in another order, but in the same within each partition.
func shuffled(entries []*dissector.Entry, seed uint64) (out []*dissector.Entry) {
	of := make(map[int][]*dissector.Entry)
	for _, e := range entries {
		of[e.Partition] = append(of[e.Partition], e)
	}
	for _, n := range rand.New(rand.NewPCG(seed, 9)).Perm(len(entries)) {
		p := entries[n].Partition
		out = append(out, of[p][0])
		of[p] = of[p][1:]
	}
	return out
}

// onlyFile checks that a folder holds these files and nothing else.
func onlyFile(t *testing.T, dir string, names ...string) {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		t.Errorf("folder holds %v, want %v", got, names)
	}
}

// cancelling ends a context from within a look-up.
type cancelling struct {
	after  int
	cancel context.CancelFunc
	*owners
}

func (c *cancelling) Owner(e *identity.End, at int64) identity.Owner {
	if c.after--; c.after == 0 {
		c.cancel()
	}
	return c.owners.Owner(e, at)
}

func TestInterruptedFinishLeavesNothing(t *testing.T) {
	for _, after := range []int{0, 1, 100, 1900} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.db")
		if err := os.WriteFile(path, []byte("older"), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		if after == 0 {
			cancel()
		}
		w, err := Create(filepath.Dir(path), Options{Schema: testSchema(t), Resolver: &cancelling{after, cancel, newOwners()}})
		if err != nil {
			t.Fatal(err)
		}
		s := w.Shard()
		for i, e := range randomEntries(1000) {
			if err := s.Entry(e); err != nil {
				t.Fatal(err)
			}
			if i == 500 {
				if err := s.spill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		err = w.Finish(ctx, path, Meta{})
		if !errors.Is(err, context.Canceled) || strings.Count(err.Error(), "canceled") != 1 {
			t.Errorf("after %d look-ups: %v", after, err)
		}
		onlyFile(t, dir, "x.db")
		if b, _ := os.ReadFile(path); string(b) != "older" {
			t.Error("the older file is gone")
		}
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Options{Schema: testSchema(t)})
	if err != nil {
		t.Fatal(err)
	}
	s := w.Shard()
	if err := errors.Join(s.Entry(call(web, start, 1)), s.spill(), w.Abort()); err != nil {
		t.Fatal(err)
	}
	onlyFile(t, dir)
}

func TestEntriesThatAreRefused(t *testing.T) {
	stranger := &dissector.Protocol{Name: "x"}
	for _, tc := range []struct {
		name, want string
		make       func() *dissector.Entry
	}{
		{"protocol", "was not made for", func() *dissector.Entry { return call(stranger, start, 1) }},
		{"carrier", "was not made for", func() *dissector.Entry {
			e := call(web, start, 1)
			e.Carriers = []*dissector.Protocol{stranger}
			return e
		}},
		{"derived field", "no protocol declares", func() *dissector.Entry {
			e := call(web, start, 1)
			field.TextField{Field: webPath}.SetString(&e.Request.Values, "/")
			return e
		}},
	} {
		w, err := Create(t.TempDir(), Options{Schema: testSchema(t)})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Shard().Entry(tc.make()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
		w.Abort()
	}
}

func TestLostFolderIsAnError(t *testing.T) {
	w, err := Create(t.TempDir(), Options{Schema: testSchema(t)})
	if err != nil {
		t.Fatal(err)
	}
	s := w.Shard()
	if err := errors.Join(s.Entry(call(web, start, 1)), os.RemoveAll(w.dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.spill(); err == nil {
		t.Error("a run that could not be written went unnoticed")
	}
	if err := w.Finish(context.Background(), filepath.Join(t.TempDir(), "x.db"), Meta{}); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("not one clear error: %v", err)
	}
}
