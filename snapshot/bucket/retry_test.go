package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"testing"
	"time"

	"shark/snapshot/bucket"
	"shark/snapshot/bucket/buckettest"
)

func TestRetryWaitsLongerEachTime(t *testing.T) {
	for _, test := range []struct {
		random float64
		want   []time.Duration
	}{
		{1, []time.Duration{100, 200, 400, 800, 1000, 1000}},
		{0.5, []time.Duration{50, 100, 200, 400, 500, 500}},
		{0, []time.Duration{0, 0, 0, 0, 0, 0}},
	} {
		var waited []time.Duration
		faulty := buckettest.Faulty(openFolder(t), 1, buckettest.Faults{Fail: 1})
		b := bucket.WithRetry(faulty, bucket.Retry{
			Tries: 7, Base: 100, Max: 1000,
			Random: func() float64 { return test.random },
			Wait: func(_ context.Context, d time.Duration) error {
				waited = append(waited, d)
				return nil
			},
		})
		_, err := b.Stat(t.Context(), "a")
		if !bucket.Temporary(err) {
			t.Errorf("got %v", err)
		}
		if !slices.Equal(waited, test.want) {
			t.Errorf("random %v: waited %v, want %v", test.random, waited, test.want)
		}
		if n := faulty.Counts().Stats; n != 7 {
			t.Errorf("tried %d times", n)
		}
	}
}

func TestRetryGivesUpAtOnce(t *testing.T) {
	never := bucket.Retry{Wait: func(context.Context, time.Duration) error {
		t.Error("waits")
		return nil
	}}
	faulty := buckettest.Faulty(openFolder(t), 1, buckettest.Faults{})
	b := bucket.WithRetry(faulty, never)
	if _, err := b.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := b.Publish(t.Context(), "a", nil); err != nil {
		t.Error(err)
	}
	if err := b.Publish(t.Context(), "a", []byte("b")); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if err := b.Remove(t.Context(), ".."); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
	in, err := b.Open(t.Context(), "a", 0, 5)
	if err == nil {
		_, err = io.ReadAll(in)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	// Credentials that have expired do not pass by themselves soon enough.
	faulty.Expire(2)
	for range 2 {
		if _, err := b.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	}
	if _, err := b.Stat(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if n := faulty.Counts().Stats; n != 4 {
		t.Errorf("%d stats", n)
	}
}

func TestRetryEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	faulty := buckettest.Faulty(openFolder(t), 1, buckettest.Faults{Fail: 1})
	b := bucket.WithRetry(faulty, bucket.Retry{Base: time.Hour, Max: time.Hour, Random: func() float64 {
		cancel() // just before the wait
		return 1
	}})
	if err := b.Remove(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := faulty.Counts().Removes; n != 1 {
		t.Errorf("%d tries", n)
	}
}

// A read that breaks off asks for no byte twice.
func TestRetryGoesOnReading(t *testing.T) {
	faulty := buckettest.Faulty(openFolder(t), 7, buckettest.Faults{Cut: 0.9})
	b := bucket.WithRetry(faulty, soon(100))
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	if err := b.Publish(t.Context(), "a", data); err != nil {
		t.Fatal(err)
	}
	got, err := bucket.ReadAll(t.Context(), b, "a", 1<<20)
	if err != nil || !slices.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if c := faulty.Counts(); c.Opens < 3 || c.BytesRead != int64(len(data)) {
		t.Errorf("%v", c)
	}
}

// A list that breaks off on every page but one comes to its end as long as pages come.
func TestRetryGoesOnListing(t *testing.T) {
	faulty := buckettest.Faulty(openFolder(t), 3, buckettest.Faults{Break: 0.4, Page: 10})
	b := bucket.WithRetry(faulty, soon(200))
	var want []string
	for i := range 45 {
		key := fmt.Sprintf("f%02d/x", i)
		want = append(want, key)
		if err := b.Publish(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for o, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("lists %q", got)
	}
	n := 0
	for _, err := range b.Folders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != len(want) || faulty.Counts().Faults == 0 {
		t.Errorf("%d folders, %v", n, faulty.Counts())
	}
}

func TestFaultyIsStale(t *testing.T) {
	b := buckettest.Faulty(openFolder(t), 1, buckettest.Faults{Stale: 2})
	list := func(b bucket.Bucket) string {
		var keys []string
		for o, err := range b.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, o.Key)
		}
		return fmt.Sprint(keys)
	}
	step := func(what string, err error, want ...string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if got := list(b.Sub("a")); got != w {
				t.Errorf("list %d after %s: %s, want %s", i, what, got, w)
			}
		}
	}
	step("publish", b.Publish(t.Context(), "a/x", nil), "[]", "[]", "[x]")
	step("remove", b.Remove(t.Context(), "a/x"), "[x]", "[x]", "[]")
}

func TestFaultyTakesTime(t *testing.T) {
	var waited time.Duration
	b := buckettest.Faulty(openFolder(t), 1, buckettest.Faults{Latency: 20 * time.Millisecond, Wait: func(_ context.Context, d time.Duration) error {
		waited += d
		return nil
	}})
	if err := b.Publish(t.Context(), "a", []byte("data")); err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.ReadAll(t.Context(), b, "a", 4); err != nil {
		t.Fatal(err)
	}
	c := b.Counts()
	if waited != 40*time.Millisecond || c.Requests() != 2 || c.BytesRead != 4 || c.BytesWritten != 4 {
		t.Errorf("waited %v, %v", waited, c)
	}
}
