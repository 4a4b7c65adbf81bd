package bucket_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/snapshot/bucket"
	"shark/snapshot/bucket/buckettest"
)

func openFolder(t *testing.T) bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.Context(), t.TempDir()+"/not/there/yet", bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFolder(t *testing.T) { buckettest.Run(t, openFolder) }

func TestFolderWithoutLinks(t *testing.T) {
	buckettest.Run(t, func(t *testing.T) bucket.Bucket {
		// Who meets the claim of another comes again.
		return bucket.WithRetry(bucket.WithoutLinks(openFolder(t)), bucket.Retry{Tries: 10_000, Base: time.Microsecond, Max: time.Millisecond})
	})
}

// soon tries often without waiting.
func soon(tries int) bucket.Retry {
	return bucket.Retry{Tries: tries, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

func TestFaults(t *testing.T) {
	seeds := uint64(5)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			buckettest.Run(t, func(t *testing.T) bucket.Bucket {
				faulty := buckettest.Faulty(openFolder(t), seed, buckettest.Faults{Fail: 0.08, Lost: 0.08, Cut: 0.3, Break: 0.05, Page: 200})
				t.Cleanup(func() { t.Log(faulty.Counts()) })
				return bucket.WithRetry(faulty, soon(40))
			})
		})
	}
}

func TestS3(t *testing.T)    { runCloud(t, "SHARK_S3_URL", "s3://bucket?region=...") }
func TestGCS(t *testing.T)   { runCloud(t, "SHARK_GCS_URL", "gs://bucket") }
func TestAzure(t *testing.T) { runCloud(t, "SHARK_AZURE_URL", "azblob://container?...") }

// runCloud runs the suite in a bucket of a cloud, or of an emulator. Each test has a
// prefix of its own, which is emptied in the end.
func runCloud(t *testing.T, variable, example string) {
	location := os.Getenv(variable)
	if location == "" {
		t.Skipf("set %s to a bucket that may be written, as in %s, with credentials in the usual variables", variable, example)
	}
	t.Parallel()
	buckettest.Run(t, func(t *testing.T) bucket.Bucket { return openCloud(t, location) })
}

func openCloud(t *testing.T, location string) bucket.Bucket {
	t.Helper()
	prefix := "test of buckets/" + strings.ToLower(rand.Text())
	b, err := bucket.Open(t.Context(), location, bucket.Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		b, err := bucket.Open(ctx, location, bucket.Options{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		var all sync.WaitGroup
		at := make(chan struct{}, 16)
		for o, err := range b.List(ctx, "") {
			if err != nil {
				t.Fatal(err)
			}
			at <- struct{}{}
			all.Go(func() {
				if err := b.Remove(ctx, o.Key); err != nil {
					t.Error(err)
				}
				<-at
			})
		}
		all.Wait()
	})
	return b
}

// Unfinished uploads to S3 are rubbish; the other clouds show none.
func TestRubbishOfS3(t *testing.T) {
	location := os.Getenv("SHARK_S3_URL")
	if location == "" {
		t.Skip("set SHARK_S3_URL to a bucket that may be written, as in s3://bucket?region=..., with credentials in the usual variables")
	}
	b := openCloud(t, location)
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w, err := b.Sub("a").Create(ctx, "left")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 30<<20)); err != nil { // so an upload has begun
		t.Fatal(err)
	}
	rubbish := func(before time.Time, remove bool) (keys []string) {
		for o, err := range b.Rubbish(t.Context(), before, remove) {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, o.Key)
		}
		return keys
	}
	now := time.Now()
	if got := rubbish(now.Add(-time.Hour), true); len(got) > 0 {
		t.Errorf("%q is older than an hour", got)
	}
	for _, remove := range []bool{false, true} {
		if got := rubbish(now.Add(time.Hour), remove); len(got) != 1 || got[0] != "a/left" {
			t.Errorf("rubbish is %q, not a/left", got)
		}
	}
	if got := rubbish(now.Add(time.Hour), false); len(got) > 0 {
		t.Errorf("%q is left", got)
	}
	if err := w.Close(); err == nil {
		t.Error("an upload that was removed has come to an end")
	}
	if _, err := b.Stat(t.Context(), "a/left"); err == nil {
		t.Error("it is there")
	}
}

func TestCloudsAreTried(t *testing.T) {
	for _, variable := range []string{"SHARK_S3_URL", "SHARK_GCS_URL", "SHARK_AZURE_URL"} {
		t.Run(variable, func(t *testing.T) {
			location := os.Getenv(variable)
			if location == "" {
				t.Skipf("set %s to a bucket that may be written", variable)
			}
			faulty := buckettest.Faulty(openCloud(t, location), 1, buckettest.Faults{Fail: 0.1, Lost: 0.1, Cut: 0.5, Break: 0.1})
			b := bucket.WithRetry(faulty, soon(20))
			for i := range 20 {
				key, data := fmt.Sprintf("k/%d", i), make([]byte, 1000*i)
				if err := b.Publish(t.Context(), key, data); err != nil {
					t.Fatal(err)
				}
				if got, err := bucket.ReadAll(t.Context(), b, key, 1<<20); err != nil || len(got) != len(data) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
			}
			n := 0
			for _, err := range b.List(t.Context(), "k/") {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 20 {
				t.Errorf("lists %d of 20", n)
			}
			_, missing, _ := strings.Cut(location, "://")
			name, _, _ := strings.Cut(missing, "?")
			other := strings.Replace(location, "://"+name, "://"+name+"-which-is-not-there", 1)
			_, err := opened(t, other, bucket.Options{}).Stat(t.Context(), "object")
			if err == nil || !strings.Contains(err.Error(), name+"-which-is-not-there") || !strings.Contains(err.Error(), "make the bucket") {
				t.Errorf("a missing bucket: %v", err)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
