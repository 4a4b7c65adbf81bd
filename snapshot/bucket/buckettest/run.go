// Package buckettest holds what every bucket must do, and a bucket in which things go
// wrong.
package buckettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/snapshot/bucket"
)

// Run holds a bucket to all that bucket.Bucket promises but durability. Each call of
// open gives an empty one, which Run closes. The bucket may fail as Faulty makes it,
// except by stale lists, behind bucket.WithRetry: what a list does not show cannot be
// found.
func Run(t *testing.T, open func(t *testing.T) bucket.Bucket) {
	tests := []struct {
		name string
		test func(*kit)
	}{
		{"Objects", (*kit).objects},
		{"Missing", (*kit).missing},
		{"Ranges", (*kit).ranges},
		{"Large", (*kit).large},
		{"Replace", (*kit).replace},
		{"Abort", (*kit).abort},
		{"Cancel", (*kit).cancel},
		{"Publish", (*kit).publish},
		{"PublishAtOnce", (*kit).publishAtOnce},
		{"Remove", (*kit).remove},
		{"Keys", (*kit).keys},
		{"Order", (*kit).order},
		{"ManyObjects", (*kit).manyObjects},
		{"Parts", (*kit).parts},
		{"AtOnce", (*kit).atOnce},
		{"Rubbish", (*kit).rubbish},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := open(t)
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			test.test(&kit{t, t.Context(), b})
		})
	}
}

// kit is a test of one bucket.
type kit struct {
	*testing.T
	ctx context.Context
	b   bucket.Bucket
}

func (k *kit) must(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// is fails unless err is what is wanted, and tells what it is about.
func (k *kit) is(err, want error, about string) {
	k.Helper()
	if !errors.Is(err, want) {
		k.Errorf("got %v, want %v", err, want)
	} else if !strings.Contains(err.Error(), about) {
		k.Errorf("%q does not name %q", err, about)
	}
}

// rewrites is how often an object is written when writers fail for a while.
const rewrites = 30

// put writes an object, again when it fails for a while, as callers do.
func (k *kit) put(key string, data []byte) {
	k.Helper()
	k.must(put(k.ctx, k.b, key, data))
}

func put(ctx context.Context, b bucket.Bucket, key string, data []byte) (err error) {
	for range rewrites {
		if err = write(ctx, b, key, data); !bucket.Temporary(err) {
			return err
		}
	}
	return err
}

func write(ctx context.Context, b bucket.Bucket, key string, data []byte) error {
	w, err := b.Create(ctx, key)
	if err != nil {
		return err
	}
	defer w.Abort() // nothing after Close
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		return err
	}
	return w.Close()
}

func (k *kit) get(key string, from, n int64) ([]byte, error) {
	in, err := k.b.Open(k.ctx, key, from, n)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

// has fails unless an object has this data.
func (k *kit) has(key string, data []byte) {
	k.Helper()
	got, err := k.get(key, 0, -1)
	k.must(err)
	if !bytes.Equal(got, data) {
		k.Errorf("%s: got %d bytes %.20q, want %d %.20q", key, len(got), got, len(data), data)
	}
}

// hasNot fails if an object is there.
func (k *kit) hasNot(key string) {
	k.Helper()
	if _, err := k.b.Stat(k.ctx, key); !errors.Is(err, fs.ErrNotExist) {
		k.Errorf("%s is there: %v", key, err)
	}
	for o, err := range k.b.List(k.ctx, "") {
		k.must(err)
		if o.Key == key {
			k.Errorf("%s is listed", key)
		}
	}
}

func collect[T any](k *kit, list iter.Seq2[T, error]) []T {
	k.Helper()
	var all []T
	for x, err := range list {
		k.must(err)
		all = append(all, x)
	}
	return all
}

func (k *kit) listed(prefix string) []string {
	k.Helper()
	var keys []string
	for _, o := range collect(k, k.b.List(k.ctx, prefix)) {
		keys = append(keys, o.Key)
	}
	return keys
}

// noise is data that does not come again.
func noise(seed uint64, size int) []byte {
	c := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	data := make([]byte, size)
	_, _ = c.Read(data)
	return data
}

func (k *kit) objects() {
	for _, size := range []int{0, 1, 511, 512, 513, 70_000} {
		key := fmt.Sprintf("sizes/%d", size)
		data := noise(uint64(size), size)
		k.put(key, data)
		k.has(key, data)
		o, err := k.b.Stat(k.ctx, key)
		k.must(err)
		if o.Key != key || o.Size != int64(size) || time.Since(o.Modified).Abs() > 24*time.Hour {
			k.Errorf("stat says %+v", o)
		}
		all, err := bucket.ReadAll(k.ctx, k.b, key, int64(size))
		k.must(err)
		if !bytes.Equal(all, data) {
			k.Errorf("ReadAll gives %d bytes of %d", len(all), size)
		}
		if size > 0 {
			if _, err := bucket.ReadAll(k.ctx, k.b, key, int64(size)-1); err == nil {
				k.Errorf("ReadAll gives more bytes than it may")
			}
		}
	}
	for _, o := range collect(k, k.b.List(k.ctx, "")) {
		if want := "sizes/" + fmt.Sprint(o.Size); o.Key != want {
			k.Errorf("%s is listed as %+v", want, o)
		}
	}
}

func (k *kit) missing() {
	_, err := k.b.Stat(k.ctx, "not/there")
	k.is(err, fs.ErrNotExist, "not/there")
	for _, n := range []int64{-1, 0, 1} {
		_, err = k.get("not/there", 0, n)
		k.is(err, fs.ErrNotExist, "not/there")
	}
	_, err = k.get("not/there", 7, -1)
	k.is(err, fs.ErrNotExist, "not/there")
	k.put("there", nil)
	_, err = k.b.Stat(k.ctx, "the")
	k.is(err, fs.ErrNotExist, "the")
	if all := k.listed("not"); len(all) > 0 {
		k.Errorf("lists %q", all)
	}
}

func (k *kit) ranges() {
	const size = 1000
	data := noise(1, size)
	k.put("object", data)
	k.put("empty", nil)
	for _, test := range []struct {
		key     string
		from, n int64
		short   bool
	}{
		{"object", 0, -1, false},
		{"object", 0, size, false},
		{"object", 0, 1, false},
		{"object", 400, 200, false},
		{"object", 400, -1, false},
		{"object", size - 1, 1, false},
		{"object", size - 1, -1, false},
		{"object", size, -1, false},
		{"object", 0, 0, false},
		{"object", 5, 0, false},
		{"object", size, 0, false},
		{"object", 0, size + 1, true},
		{"object", size - 1, 2, true},
		{"object", size, 1, true},
		{"object", size + 1, -1, true},
		{"object", 10 * size, 10, true},
		{"empty", 0, -1, false},
		{"empty", 0, 0, false},
		{"empty", 0, 1, true},
		{"empty", 1, -1, true},
	} {
		what := fmt.Sprintf("%d bytes of %s from %d on", test.n, test.key, test.from)
		whole := data
		if test.key == "empty" {
			whole = nil
		}
		want := whole[min(test.from, int64(len(whole))):]
		if test.n >= 0 {
			want = want[:min(test.n, int64(len(want)))]
		}
		got, err := k.get(test.key, test.from, test.n)
		if !bytes.Equal(got, want) {
			k.Errorf("%s: got %d bytes, want %d", what, len(got), len(want))
		}
		if test.short {
			k.is(err, io.ErrUnexpectedEOF, test.key)
		} else if err != nil {
			k.Errorf("%s: %v", what, err)
		}
	}
	for _, r := range [][2]int64{{-1, 1}, {-1, -1}, {1 << 62, 1 << 62}} {
		_, err := k.get("object", r[0], r[1])
		k.is(err, fs.ErrInvalid, "object")
	}
}

// large has parts, in every cloud, and is read in parts at once.
func (k *kit) large() {
	data := noise(2, 37<<20+11)
	k.put("large", data)
	k.has("large", data)
	const part = 5<<20 + 3
	var all sync.WaitGroup
	for from := int64(0); from < int64(len(data)); from += part {
		all.Go(func() {
			n := min(part, int64(len(data))-from)
			got, err := k.get("large", from, n)
			if err != nil || !bytes.Equal(got, data[from:from+n]) {
				k.Errorf("%d bytes from %d on: got %d, %v", n, from, len(got), err)
			}
		})
	}
	all.Wait()
}

func (k *kit) replace() {
	for i, size := range []int{100, 5, 0, 300} {
		data := noise(uint64(i), size)
		k.put("a/object", data)
		k.has("a/object", data)
	}
	// Until it is closed, the old one stays.
	old := noise(3, 300)
	w, err := k.b.Create(k.ctx, "a/object")
	k.must(err)
	if _, err := w.Write([]byte("new")); err != nil && !bucket.Temporary(err) {
		k.Error(err)
	}
	k.has("a/object", old)
	w.Abort()
	k.has("a/object", old)
	if all := k.listed(""); !slices.Equal(all, []string{"a/object"}) {
		k.Errorf("lists %q", all)
	}
}

func (k *kit) abort() {
	for _, size := range []int{0, 10, 20 << 20} {
		w, err := k.b.Create(k.ctx, "aborted")
		k.must(err)
		if _, err := w.Write(noise(4, size)); err != nil && !bucket.Temporary(err) {
			k.Error(err)
		}
		w.Abort()
		w.Abort()
		if _, err := w.Write([]byte("more")); err == nil {
			k.Error("writes after Abort")
		}
		if err := w.Close(); err == nil {
			k.Error("closes after Abort")
		}
		k.hasNot("aborted")
	}
	k.put("closed", []byte("data")) // aborts after Close
	k.has("closed", []byte("data"))
}

func (k *kit) cancel() {
	k.put("there", []byte("data"))
	ctx, cancel := context.WithCancel(k.ctx)
	w, err := k.b.Create(ctx, "canceled")
	k.must(err)
	if _, err := w.Write(noise(5, 9<<20)); err != nil && !bucket.Temporary(err) {
		k.Error(err)
	}
	in, err := k.b.Open(ctx, "there", 0, -1)
	k.must(err)
	defer in.Close()
	cancel()
	if err := w.Close(); err == nil {
		k.Error("a writer closes after its context ended")
	}
	k.hasNot("canceled")

	_, err = k.b.Stat(ctx, "there")
	k.is(err, context.Canceled, "")
	_, err = k.b.Open(ctx, "there", 0, -1)
	k.is(err, context.Canceled, "")
	_, err = k.b.Create(ctx, "there")
	k.is(err, context.Canceled, "")
	k.is(k.b.Publish(ctx, "published", nil), context.Canceled, "")
	k.is(k.b.Remove(ctx, "there"), context.Canceled, "")
	for _, err := range k.b.List(ctx, "") {
		k.is(err, context.Canceled, "")
	}
	for _, err := range k.b.Folders(ctx) {
		k.is(err, context.Canceled, "")
	}
	k.hasNot("published")
	k.has("there", []byte("data"))
}

func (k *kit) publish() {
	for _, size := range []int{0, 300, 9 << 20} {
		key, data := fmt.Sprintf("x/%d", size), noise(6, size)
		k.must(k.b.Publish(k.ctx, key, data))
		k.must(k.b.Publish(k.ctx, key, data)) // took effect
		k.is(k.b.Publish(k.ctx, key, append(slices.Clone(data), 1)), fs.ErrExist, key)
		if size > 0 {
			k.is(k.b.Publish(k.ctx, key, data[1:]), fs.ErrExist, key)
			other := slices.Clone(data)
			other[size-1] ^= 1
			k.is(k.b.Publish(k.ctx, key, other), fs.ErrExist, key)
		}
		k.has(key, data)
	}
	k.put("written", []byte("old"))
	k.is(k.b.Publish(k.ctx, "written", []byte("new")), fs.ErrExist, "written")
	k.has("written", []byte("old"))
	k.must(k.b.Remove(k.ctx, "written"))
	k.must(k.b.Publish(k.ctx, "written", []byte("new")))
	k.has("written", []byte("new"))
}

func (k *kit) publishAtOnce() {
	for round := range 5 {
		const n = 16
		key := fmt.Sprintf("round/%d", round)
		errs := make([]error, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { errs[i] = k.b.Publish(k.ctx, key, fmt.Appendf(nil, "by %d", i)) })
		}
		all.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won >= 0:
				k.Errorf("%d and %d have both published %s", won, i, key)
			case err == nil:
				won = i
			default:
				k.is(err, fs.ErrExist, key)
			}
		}
		if won < 0 {
			k.Fatalf("nobody has published %s", key)
		}
		k.has(key, fmt.Appendf(nil, "by %d", won))
	}
}

func (k *kit) remove() {
	k.put("a/b/c", []byte("data"))
	k.put("a/d", nil)
	k.must(k.b.Remove(k.ctx, "a/b/c"))
	k.hasNot("a/b/c")
	k.must(k.b.Remove(k.ctx, "a/b/c"))
	k.must(k.b.Remove(k.ctx, "never/was"))
	k.has("a/d", nil)
	k.must(k.b.Remove(k.ctx, "a/d"))
	if all := collect(k, k.b.Folders(k.ctx)); len(all) > 0 {
		k.Errorf("folders without objects: %q", all)
	}
	k.put("a/b/c", []byte("again"))
	k.has("a/b/c", []byte("again"))
}
