package bucket_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/snapshot/bucket"
)

func TestFolderIsItsOwners(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other permissions")
	}
	dir := filepath.Join(t.TempDir(), "store")
	b, err := bucket.Open(t.Context(), dir, bucket.Options{Prefix: "sub"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), "a/b", nil); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "sub", "a", "b")); err != nil {
		t.Error(err)
	}
}

func TestFolderHasRegularFilesOnly(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "file"), []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"file": filepath.Join(outside, "file"), "dir": outside, "self": "self"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skipf("no symbolic links: %v", err)
		}
	}
	for _, f := range []func() error{
		func() error { return os.Mkdir(filepath.Join(dir, "folder"), 0o700) },
		func() error { return os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o600) },
		func() error { return os.WriteFile(filepath.Join(dir, "A file of others"), nil, 0o600) },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := bucket.Open(t.Context(), "file://"+filepath.ToSlash(dir), bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"file", "dir/file", "self", "folder"} {
		if _, err := b.Stat(t.Context(), key); err == nil {
			t.Errorf("%s is an object", key)
		}
		if _, err := b.Open(t.Context(), key, 0, -1); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := b.Publish(t.Context(), "dir/new", nil); err == nil {
		t.Error("writes through a link that leads out")
	}
	var keys []string
	for o, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	if fmt.Sprint(keys) != "[A file of others]" {
		t.Errorf("lists %q", keys)
	}
	if data, err := os.ReadFile(filepath.Join(outside, "file")); err != nil || string(data) != "not ours" {
		t.Errorf("the file outside has %q, %v", data, err)
	}
}

func TestRubbishOfFolder(t *testing.T) {
	dir := t.TempDir()
	b, err := bucket.Open(t.Context(), dir, bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	left, err := b.Create(t.Context(), "a/b/left")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := left.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), "a/whole", nil); err != nil {
		t.Fatal(err)
	}
	rubbish := func(b bucket.Bucket, before time.Time, remove bool) (all []bucket.Object) {
		for o, err := range b.Rubbish(t.Context(), before, remove) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, o)
		}
		return all
	}
	now := time.Now()
	if got := rubbish(b, now.Add(-time.Hour), true); len(got) > 0 {
		t.Errorf("%v is older than an hour", got)
	}
	got := rubbish(b, now.Add(time.Hour), false)
	if len(got) != 1 || !strings.HasPrefix(got[0].Key, "a/b/.") || got[0].Size != 4 {
		t.Errorf("rubbish is %v", got)
	}
	if got := rubbish(b.Sub("other"), now.Add(time.Hour), true); len(got) > 0 {
		t.Errorf("another part has %v", got)
	}
	got = rubbish(b.Sub("a"), now.Add(time.Hour), true)
	if len(got) != 1 || !strings.HasPrefix(got[0].Key, "b/.") {
		t.Errorf("rubbish is %v", got)
	}
	if err := left.Close(); err == nil {
		t.Error("a writer closes whose draft is gone")
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "a")); err != nil || len(entries) != 1 || entries[0].Name() != "whole" {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}

// TestEmptyFolders: so are folders that hold nothing, and no other.
func TestEmptyFolders(t *testing.T) {
	dir := t.TempDir()
	b, err := bucket.Open(t.Context(), dir, bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/b/c", "a/d", "e", ".hidden/f", "g"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(name)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "g", "link")); err != nil {
		t.Skip(err)
	}
	if err := b.Publish(t.Context(), "a/whole", nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		part   bucket.Bucket
		before time.Duration
		remove bool
		want   string
	}{
		{b, -time.Hour, true, "[]"},
		{b, time.Hour, false, "[a/b/c/ a/d/ e/]"},
		{b.Sub("e"), time.Hour, true, "[]"}, // itself has no name there
		{b, time.Hour, false, "[a/b/c/ a/d/]"},
		{b.Sub("a"), time.Hour, true, "[b/c/ d/]"},
		{b, time.Hour, false, "[]"},
	} {
		keys := []string{}
		for o, err := range c.part.Rubbish(t.Context(), time.Now().Add(c.before), c.remove) {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, o.Key)
		}
		if got := fmt.Sprint(keys); got != c.want {
			t.Errorf("%s: %v, want %v", c.part, got, c.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 { // .hidden, a, g
		t.Errorf("left are %v, %v", left, err)
	}
}

// killed is set for the child of TestKilledWriter to the folder that it writes to.
const killed = "SHARK_TEST_KILLED_WRITER"

// A writer that is killed at any moment leaves objects that are whole, or none.
func TestKilledWriter(t *testing.T) {
	if dir := os.Getenv(killed); dir != "" {
		writeUntilKilled(t, dir)
		return
	}
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		killWriter(t, dir, random.IntN(12), random.IntN(2000))
		checkWhole(t, dir)
	}
	b, err := bucket.Open(t.Context(), dir, bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range b.Rubbish(t.Context(), time.Now().Add(time.Hour), true) {
		if err != nil {
			t.Fatal(err)
		}
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name()[0] == '.' {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// object is data that says itself whether it is whole.
func object(seed uint64) []byte {
	data := make([]byte, 1+seed%300_000)
	c := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	_, _ = c.Read(data)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...)
}

func writeUntilKilled(t *testing.T, dir string) {
	b, err := bucket.Open(t.Context(), dir, bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(0); ; i++ {
		data := object(i * 7919)
		w, err := b.Create(t.Context(), fmt.Sprintf("w/%d", i%10))
		if err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(data, 10_000) {
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		err = b.Publish(t.Context(), fmt.Sprintf("p/%d", i), data)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		fmt.Println("wrote")
	}
}

// killWriter starts a writer and kills it after it has written some objects and has
// then had some more time.
func killWriter(t *testing.T, dir string, objects, spins int) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
	child.Env = append(os.Environ(), killed+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range objects + 1 {
		if !lines.Scan() {
			break
		}
		if lines.Text() != "wrote" {
			t.Errorf("the writer says %s", lines.Text())
		}
	}
	for i := range spins { // a random part of the next object
		_ = object(uint64(i) % 500)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = child.Wait()
}

func checkWhole(t *testing.T, dir string) {
	t.Helper()
	b, err := bucket.Open(t.Context(), dir, bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for o, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := bucket.ReadAll(t.Context(), b, o.Key, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		end := len(data) - sha256.Size
		if end < 0 || sha256.Sum256(data[:end]) != [sha256.Size]byte(data[end:]) {
			t.Errorf("%s is not whole: %d bytes", o.Key, len(data))
		}
		n++
	}
	if n == 0 {
		t.Error("nothing was written")
	}
}
