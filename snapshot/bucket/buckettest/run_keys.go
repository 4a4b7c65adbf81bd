package buckettest

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"shark/snapshot/bucket"
)

func (k *kit) keys() {
	good := []string{
		"a", "0", "-", "_", "=",
		"abcdefghijklmnopqrstuvwxyz/0123456789-_.=",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"a.b..c.", "=2e", "deep/" + strings.Repeat("d/", 20) + "er",
		"long-" + strings.Repeat("x", 195),
		strings.Repeat(strings.Repeat("y", 99)+"/", 5) + "z",
	}
	for _, key := range good {
		k.put(key, []byte(key))
	}
	for _, key := range good {
		k.has(key, []byte(key))
	}
	want := slices.Sorted(slices.Values(good))
	if got := k.listed(""); !slices.Equal(got, want) {
		k.Errorf("lists %q, want %q", got, want)
	}
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", ".a", "a/.b", "a\\b", "a b", "a:b", "ä", "a\x00", "a\n", "a?b", "a%2fb",
		strings.Repeat("x", 201), strings.Repeat("x/", 450) + "x",
	} {
		_, err := k.b.Stat(k.ctx, key)
		k.is(err, fs.ErrInvalid, "")
		_, err = k.b.Open(k.ctx, key, 0, -1)
		k.is(err, fs.ErrInvalid, "")
		_, err = k.b.Create(k.ctx, key)
		k.is(err, fs.ErrInvalid, "")
		k.is(k.b.Publish(k.ctx, key, nil), fs.ErrInvalid, "")
		k.is(k.b.Remove(k.ctx, key), fs.ErrInvalid, "")
	}
}

// order has keys with letters before and after the slash.
func (k *kit) order() {
	keys := []string{"a-b/x", "a.b", "a/w", "a/x-y", "a/x.y/z", "a/x/y", "a0", "aa/x", "b", "c/d/e/f", "c/d/g"}
	for _, key := range slices.Backward(keys) {
		k.put(key, []byte(key))
	}
	if !slices.IsSorted(keys) {
		k.Fatal("the test is wrong")
	}
	for _, prefix := range []string{"", "a", "a/", "a/x", "a/x/", "a-", "c/d", "c/d/", "c/d/e/f", "b", "b/", "x", "a/x.y/z0"} {
		var want []string
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		if got := k.listed(prefix); !slices.Equal(got, want) {
			k.Errorf("%q: lists %q, want %q", prefix, got, want)
		}
	}
	if got, want := collect(k, k.b.Folders(k.ctx)), []string{"a-b", "a", "aa", "c"}; !slices.Equal(got, want) {
		k.Errorf("folders %q, want %q", got, want)
	}
	if got, want := collect(k, k.b.Sub("c").Folders(k.ctx)), []string{"d"}; !slices.Equal(got, want) {
		k.Errorf("folders of c %q, want %q", got, want)
	}
	for o, err := range k.b.List(k.ctx, "a") { // who has enough may leave
		k.must(err)
		if o.Key != keys[0] {
			k.Errorf("%s is first", o.Key)
		}
		break
	}
	for _, err := range k.b.Folders(k.ctx) {
		k.must(err)
		break
	}
}

func (k *kit) manyObjects() {
	const n, at = 2100, 8
	var want [3][]string
	for i := range n {
		want[i%3] = append(want[i%3], fmt.Sprintf("s%d/%05d", i%3, i))
	}
	var all sync.WaitGroup
	for worker := range at {
		all.Go(func() {
			for i := worker; i < n; i += at {
				if err := put(k.ctx, k.b, fmt.Sprintf("s%d/%05d", i%3, i), nil); err != nil {
					k.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := k.listed(""); !slices.Equal(got, slices.Concat(want[:]...)) {
		k.Errorf("lists %d objects, not %d in order", len(got), n)
	}
	for i, prefix := range []string{"s0/", "s1", "s2/0"} {
		if got := k.listed(prefix); !slices.Equal(got, want[i]) {
			k.Errorf("lists %d objects under %s, not %d in order", len(got), prefix, len(want[i]))
		}
	}
	if got := collect(k, k.b.Folders(k.ctx)); !slices.Equal(got, []string{"s0", "s1", "s2"}) {
		k.Errorf("folders %q", got)
	}
}

func (k *kit) parts() {
	a, ab := k.b.Sub("a"), k.b.Sub("a").Sub("b")
	k.put("a/b/c", []byte("data"))
	k.put("ab", nil)
	sub := func(b bucket.Bucket) *kit { return &kit{k.T, k.ctx, b} }
	sub(a).has("b/c", []byte("data"))
	sub(ab).has("c", []byte("data"))
	sub(ab).put("d", []byte("more"))
	k.has("a/b/d", []byte("more"))
	if got := sub(a).listed(""); !slices.Equal(got, []string{"b/c", "b/d"}) {
		k.Errorf("a lists %q", got)
	}
	if got := sub(ab).listed("d"); !slices.Equal(got, []string{"d"}) {
		k.Errorf("a/b lists %q", got)
	}
	if got := collect(k, a.Folders(k.ctx)); !slices.Equal(got, []string{"b"}) {
		k.Errorf("folders of a: %q", got)
	}
	k.must(ab.Publish(k.ctx, "e", []byte("x")))
	k.is(k.b.Publish(k.ctx, "a/b/e", []byte("y")), fs.ErrExist, "a/b/e")
	k.must(ab.Remove(k.ctx, "c"))
	k.hasNot("a/b/c")
	if !strings.HasPrefix(ab.String(), k.b.String()) || ab.String() == a.String() {
		k.Errorf("a/b is %s and a %s in %s", ab, a, k.b)
	}
	k.must(ab.Close())
	k.must(a.Close())
	k.has("ab", nil)
	for _, prefix := range []string{"..", "", "a/../..", ".x"} {
		if prefix == "" {
			continue
		}
		_, err := k.b.Sub(prefix).Stat(k.ctx, "ab")
		k.is(err, fs.ErrInvalid, "")
		for _, err := range k.b.Sub(prefix).List(k.ctx, "") {
			k.is(err, fs.ErrInvalid, "")
		}
	}
}

// atOnce writes, reads, lists and removes in the same folders from several goroutines.
func (k *kit) atOnce() {
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			data := noise(uint64(worker), 1000*worker)
			for i := range 8 {
				key := fmt.Sprintf("f%d/g/%d", i%2, worker)
				if err := put(k.ctx, k.b, key, data); err != nil {
					k.Error(err)
					return
				}
				k.has(key, data)
				if err := k.b.Remove(k.ctx, key); err != nil {
					k.Error(err)
				}
				for _, err := range k.b.List(k.ctx, "f") {
					if err != nil {
						k.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if got := k.listed(""); len(got) > 0 {
		k.Errorf("%q are left", got)
	}
}

// rubbish finds nothing where all writers have ended.
func (k *kit) rubbish() {
	k.put("a/b", []byte("data"))
	w, err := k.b.Create(k.ctx, "a/c")
	k.must(err)
	w.Abort()
	w, err = k.b.Create(k.ctx, "a/d")
	k.must(err)
	if _, err := w.Write(noise(7, 20<<20)); err != nil && !bucket.Temporary(err) {
		k.Error(err)
	}
	w.Abort()
	later := time.Now().Add(time.Hour)
	for _, remove := range []bool{false, true, false} {
		if got := collect(k, k.b.Rubbish(k.ctx, later, remove)); len(got) > 0 {
			k.Errorf("rubbish: %v", got)
		}
	}
	k.has("a/b", []byte("data"))
}
