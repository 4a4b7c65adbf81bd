package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// blob is n bytes that are the same for the same seed, and their sum.
func blob(seed uint64, n int) ([]byte, Sum) {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data, SumOf(data)
}

func TestKeepsWhatItIsGiven(t *testing.T) {
	c := New(filepath.Join(t.TempDir(), "not", "there"), 1<<20)
	data, sum := blob(1, 1000)
	if c.Get(sum, 1000) != nil {
		t.Error("an empty cache has something")
	}
	c.Put(sum, data)
	if got := c.Get(sum, 1000); !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back", len(got))
	}
	if got := New(c.dir, 1<<20).Get(sum, 1000); !bytes.Equal(got, data) {
		t.Error("another program does not find it")
	}
	if u := c.Usage(); u.Parts != 1 || u.PartBytes != 1000 || u.Bytes() != 1000 {
		t.Errorf("it says that it has %+v", u)
	}
	if info, err := os.Stat(c.dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may look into it: %v, %v", info.Mode(), err)
	}
}

func TestWithoutFolderOrSize(t *testing.T) {
	data, sum := blob(1, 10)
	for _, c := range []*Cache{nil, New("", 1000), New(t.TempDir(), 0)} {
		c.Put(sum, data)
		c.Trim()
		c.Used("x")
		if c.Get(sum, 10) != nil || c.Size() != 0 || c.Usage() != (Usage{}) {
			t.Error("it keeps something")
		}
	}
}

// Nothing but the right bytes ever comes out, whatever is done to the file.
func TestDamageIsNotAnswered(t *testing.T) {
	data, sum := blob(1, 5000)
	for name, damage := range map[string]func(string) error{
		"flipped": func(p string) error {
			bad := bytes.Clone(data)
			bad[4000] ^= 1
			return os.WriteFile(p, bad, 0o600)
		},
		"cut":   func(p string) error { return os.Truncate(p, 4999) },
		"empty": func(p string) error { return os.Truncate(p, 0) },
		"long":  func(p string) error { return os.Truncate(p, 1<<40) },
		"folder": func(p string) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.Mkdir(p, 0o700)
		},
		"link": func(p string) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.Symlink(os.DevNull, p)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(t.TempDir(), 1<<20)
			c.Put(sum, data)
			if err := damage(c.path(sum)); err != nil {
				t.Skip(err)
			}
			if got := c.Get(sum, 5000); got != nil {
				t.Fatalf("%d bytes came back", len(got))
			}
			c.Put(sum, data)
			if got := c.Get(sum, 5000); !bytes.Equal(got, data) {
				t.Error("it is not kept anew")
			}
		})
	}
}

// What cannot be written is no error, and is not tried again and again.
func TestCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := New(file, 1<<20) // there can be no folder
	data, sum := blob(1, 10)
	c.Put(sum, data)
	if c.Get(sum, 10) != nil || !c.failed.Load() {
		t.Error("it was kept, or is tried again")
	}
}

// The folder stays within its size by what was not used for the longest time.
func TestStaysWithinItsSize(t *testing.T) {
	now := time.Now().Add(-48 * time.Hour) // what is written is newer than all before
	c := New(t.TempDir(), 100_000)
	c.now = func() time.Time { return now }
	used, usedSum := blob(0, 1000)
	c.Put(usedSum, used)
	if err := os.Chtimes(c.path(usedSum), now, now); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(1000) {
		data, sum := blob(i+1, 1000)
		c.Put(sum, data)
		now = now.Add(2 * recent)
		if err := os.Chtimes(c.path(sum), now, now); err != nil {
			t.Fatal(err)
		}
		if c.Get(usedSum, 1000) == nil {
			t.Fatalf("after %d others, what is always used is gone", i)
		}
		if u := c.Usage(); u.Bytes() > c.size+c.size/share {
			t.Fatalf("after %d it has %d bytes of %d", i, u.Bytes(), c.size)
		}
	}
	last, sum := blob(1000, 1000)
	if !bytes.Equal(c.Get(sum, 1000), last) {
		t.Error("what came last is gone")
	}
	if u := c.Usage(); u.PartBytes < c.size/2 {
		t.Errorf("it has thrown away too much: %d of %d are left", u.PartBytes, c.size)
	}
	huge, sum := blob(2000, 50_000)
	if c.Put(sum, huge); c.Get(sum, 50_000) != nil {
		t.Error("it keeps what would drive out half of it")
	}
}

// file makes a file of the cache that was last used so long ago.
func file(t *testing.T, c *Cache, name string, n int, ago time.Duration) string {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, n), 0o600); err != nil {
		t.Fatal(err)
	}
	at := c.now().Add(-ago)
	for _, p := range []string{path, filepath.Dir(path)} {
		if err := os.Chtimes(p, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Index databases count, and so does what killed programs left; what is in use stays, and
// so does what is not ours.
func TestTrim(t *testing.T) {
	c := New(t.TempDir(), 10_000)
	const day = 24 * time.Hour
	old := file(t, c, "index/a.db", 4000, 3*day)
	newer := file(t, c, "index/b.excerpts/7.db", 4000, 2*day)
	asked := file(t, c, "index/c.db", 4000, 30*time.Minute)
	rows := file(t, c, "index/d.rows", 3000, 20*time.Minute)
	killed := file(t, c, "index/.index.tmp-1/run-0", 9000, 2*day)
	busy := file(t, c, "index/.index.tmp-2/run-0", 4000, time.Hour)
	written := file(t, c, "parts/ab/.new-1", 100, 2*day)
	writing := file(t, c, "parts/ab/.new-2", 100, time.Minute)
	others := file(t, c, "index/notes.txt", 9000, 9*day)
	stamps := file(t, c, "digest/x.json", 9000, 9*day)
	if u := c.Usage(); u.Indexes != 3 || u.IndexBytes != 12_000 || u.Rows != 1 || u.RowBytes != 3000 || u.Left != 4 || u.LeftBytes != 13_200 {
		t.Errorf("it says that it has %+v", u)
	}
	c.Trim()
	for path, want := range map[string]bool{
		old: false, newer: false, asked: true, rows: false, killed: false, filepath.Dir(killed): false, busy: true,
		written: false, writing: true, others: true, stamps: true,
	} {
		if there(path) != want {
			t.Errorf("%s is there: %v", path, !want)
		}
	}
	now := c.now()
	c.now = func() time.Time { return now.Add(time.Hour) }
	c.Used(asked)
	c.now = func() time.Time { return now.Add(time.Hour + inUse - time.Minute) }
	c.size = 1
	if c.Trim(); !there(asked) {
		t.Error("an index that was used within the hour is gone")
	}
	c.now = func() time.Time { return now.Add(3 * time.Hour) }
	if c.Trim(); there(asked) {
		t.Error("an index that nobody asks stays")
	}
	gone, err := c.Clear()
	if err != nil || gone.LeftBytes != 4100 || there(busy) || !there(stamps) {
		t.Errorf("removed %+v, %v", gone, err)
	}
}

// Several programs share a folder.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for p := range uint64(4) {
		c := New(dir, 50_000)
		for g := range uint64(3) {
			all.Go(func() {
				r := rand.New(rand.NewPCG(p, g))
				for range 200 {
					data, sum := blob(r.Uint64N(100), 1000)
					if got := c.Get(sum, 1000); got != nil && !bytes.Equal(got, data) {
						t.Error("wrong bytes")
					}
					c.Put(sum, data)
				}
			})
		}
	}
	all.Wait()
	c := New(dir, 50_000)
	if u := c.Usage(); u.Left > 0 || u.Bytes() > 50_000*(share+4)/share {
		t.Errorf("it has %+v", u)
	}
}

func BenchmarkTrim(b *testing.B) {
	c := New(b.TempDir(), 1<<40)
	for i := range 10_000 {
		sum := SumOf(fmt.Append(nil, i))
		if err := Write(c.path(sum), nil); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		c.Trim()
	}
}
