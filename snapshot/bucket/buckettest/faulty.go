package buckettest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"shark/snapshot/bucket"
)

// Faults say what goes wrong in a bucket, in shares of 0 to 1. The zero value is a
// sound one that counts.
type Faults struct {
	Fail float64 // of all calls and writes fail before they take effect
	Lost float64 // of what changes something takes effect, but tells of a failure
	Cut  float64 // of reads break off after some of their bytes
	// Break is the share of a list's pages, of Page objects each, that cannot be had.
	Break float64
	Page  int // 0: 1000
	// Stale is how many lists after a change still show what was before it: what is
	// new is missing, what was removed is there.
	Stale int
	// Latency is what each request takes: the first byte of a read, a page of a list,
	// the end of an object that is written. Wait waits for it; nil: as long as it says.
	Latency time.Duration
	Wait    func(context.Context, time.Duration) error
}

// Counts is what was asked of a bucket.
type Counts struct {
	Opens, Stats, Creates, Publishes, Removes int
	Pages                                     int // of lists
	BytesRead, BytesWritten                   int64
	Faults                                    int // made up
}

// Requests is how often a cloud would have been asked, if no object needs several
// parts.
func (c Counts) Requests() int {
	return c.Opens + c.Stats + c.Creates + c.Publishes + c.Removes + c.Pages
}

func (c Counts) String() string {
	return fmt.Sprintf("%d requests (%d opens, %d stats, %d creates, %d publishes, %d removes, %d pages), %d bytes read, %d written, %d faults",
		c.Requests(), c.Opens, c.Stats, c.Creates, c.Publishes, c.Removes, c.Pages, c.BytesRead, c.BytesWritten, c.Faults)
}

// FaultyBucket is a bucket in which things go wrong. Its parts share its faults and
// counts.
type FaultyBucket struct {
	bucket.Bucket
	prefix string
	*state
}

// state is what all parts of a bucket share.
type state struct {
	faults Faults

	mu      sync.Mutex
	random  *rand.Rand
	counts  Counts
	expired int               // as many calls to come are refused
	changes map[string]change // by whole key
}

// change is one that lists do not show yet.
type change struct {
	was   *bucket.Object // nil: nothing
	lists int            // to come
}

// Faulty is b with faults. The same calls in the same order have the same faults
// with the same seed.
func Faulty(b bucket.Bucket, seed uint64, f Faults) *FaultyBucket {
	if f.Page <= 0 {
		f.Page = 1000
	}
	if f.Wait == nil {
		f.Wait = bucket.Wait
	}
	return &FaultyBucket{b, "", &state{faults: f, random: rand.New(rand.NewPCG(seed, seed)), changes: make(map[string]change)}}
}

// Counts is what was asked so far.
func (s *state) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Expire makes the next n calls fail for want of permission, as with credentials
// that have run out.
func (s *state) Expire(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expired = n
}

func (s *state) count(f func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.counts)
}

// hit tells whether a fault with a share happens now.
func (s *state) hit(share float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if share <= 0 || s.random.Float64() >= share {
		return false
	}
	s.counts.Faults++
	return true
}

func (s *state) fault(what string) error {
	return bucket.MayPass(fmt.Errorf("%s: a fault was made up", what))
}

// begin begins a request.
func (s *state) begin(ctx context.Context, what string, count func(*Counts)) error {
	s.count(count)
	if s.faults.Latency > 0 {
		if err := s.faults.Wait(ctx, s.faults.Latency); err != nil {
			return err
		}
	}
	s.mu.Lock()
	refused := s.expired > 0
	if refused {
		s.expired--
		s.counts.Faults++
	}
	s.mu.Unlock()
	if refused {
		return fmt.Errorf("%s: %w: the credentials have expired", what, fs.ErrPermission)
	}
	if s.hit(s.faults.Fail) {
		return s.fault(what)
	}
	return nil
}

// end ends a request that took effect.
func (s *state) end(what string) error {
	if s.hit(s.faults.Lost) {
		return s.fault(what + " (which took effect)")
	}
	return nil
}

func (b *FaultyBucket) whole(key string) string {
	if b.prefix == "" {
		return key
	}
	return b.prefix + "/" + key
}

// Sub is a part of the bucket that shares its faults and counts.
func (b *FaultyBucket) Sub(prefix string) bucket.Bucket {
	return &FaultyBucket{b.Bucket.Sub(prefix), b.whole(prefix), b.state}
}

// Stat may fail.
func (b *FaultyBucket) Stat(ctx context.Context, key string) (bucket.Object, error) {
	if err := b.begin(ctx, "stat "+key, func(c *Counts) { c.Stats++ }); err != nil {
		return bucket.Object{}, err
	}
	return b.Bucket.Stat(ctx, key)
}

// Open may fail, and what it opens may break off.
func (b *FaultyBucket) Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	if err := b.begin(ctx, "open "+key, func(c *Counts) { c.Opens++ }); err != nil {
		return nil, err
	}
	in, err := b.Bucket.Open(ctx, key, from, n)
	if err != nil {
		return nil, err
	}
	r := &faultyReader{b: b, in: in, key: key, cut: -1}
	if b.hit(b.faults.Cut) {
		b.mu.Lock()
		r.cut = int64(1) << b.random.IntN(20) >> 1 // 0 to 256 KiB
		b.mu.Unlock()
	}
	return r, nil
}

type faultyReader struct {
	b   *FaultyBucket
	in  io.ReadCloser
	key string
	cut int64 // bytes until it breaks off; < 0: it does not
}

func (r *faultyReader) Read(p []byte) (int, error) {
	if r.cut == 0 {
		return 0, bucket.MayPass(fmt.Errorf("%s breaks off: %w", r.key, io.ErrUnexpectedEOF))
	}
	if r.cut > 0 {
		p = p[:min(int64(len(p)), r.cut)]
	}
	n, err := r.in.Read(p)
	if r.cut > 0 {
		r.cut -= int64(n)
	}
	r.b.count(func(c *Counts) { c.BytesRead += int64(n) })
	return n, err
}

func (r *faultyReader) Close() error { return r.in.Close() }

// remember keeps what lists are to show for a while instead of a change.
func (b *FaultyBucket) remember(ctx context.Context, key string, do func() error) error {
	if b.faults.Stale <= 0 {
		return do()
	}
	var was *bucket.Object
	if o, err := b.Bucket.Stat(ctx, key); err == nil {
		o.Key = b.whole(key)
		was = &o
	}
	err := do()
	if err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, pending := b.changes[b.whole(key)]; !pending {
			b.changes[b.whole(key)] = change{was, b.faults.Stale}
		}
	}
	return err
}

// Remove may fail before or after it took effect.
func (b *FaultyBucket) Remove(ctx context.Context, key string) error {
	if err := b.begin(ctx, "remove "+key, func(c *Counts) { c.Removes++ }); err != nil {
		return err
	}
	if err := b.remember(ctx, key, func() error { return b.Bucket.Remove(ctx, key) }); err != nil {
		return err
	}
	return b.end("remove " + key)
}

// Publish may fail before or after it took effect.
func (b *FaultyBucket) Publish(ctx context.Context, key string, data []byte) error {
	if err := b.begin(ctx, "publish "+key, func(c *Counts) { c.Publishes++; c.BytesWritten += int64(len(data)) }); err != nil {
		return err
	}
	if err := b.remember(ctx, key, func() error { return b.Bucket.Publish(ctx, key, data) }); err != nil {
		return err
	}
	return b.end("publish " + key)
}

// Create may fail, and so may all that its writer does.
func (b *FaultyBucket) Create(ctx context.Context, key string) (bucket.Writer, error) {
	if err := b.begin(ctx, "create "+key, func(c *Counts) { c.Creates++ }); err != nil {
		return nil, err
	}
	w, err := b.Bucket.Create(ctx, key)
	if err != nil {
		return nil, err
	}
	return &faultyWriter{Writer: w, ctx: ctx, b: b, key: key}, nil
}

type faultyWriter struct {
	bucket.Writer
	ctx    context.Context
	b      *FaultyBucket
	key    string
	failed error
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	if w.failed == nil && w.b.hit(w.b.faults.Fail) {
		w.failed = w.b.fault("write " + w.key)
	}
	if w.failed != nil {
		return 0, w.failed
	}
	n, err := w.Writer.Write(p)
	w.b.count(func(c *Counts) { c.BytesWritten += int64(n) })
	return n, err
}

func (w *faultyWriter) Close() error {
	if w.failed == nil && w.b.hit(w.b.faults.Fail) {
		w.failed = w.b.fault("close " + w.key)
	}
	if w.failed != nil {
		w.Abort()
		return w.failed
	}
	if err := w.b.remember(w.ctx, w.key, w.Writer.Close); err != nil {
		return err
	}
	return w.b.end("close " + w.key)
}

// page begins a page of a list.
func (b *FaultyBucket) page(ctx context.Context) error {
	if err := b.begin(ctx, "list", func(c *Counts) { c.Pages++ }); err != nil {
		return err
	}
	if b.hit(b.faults.Break) {
		return b.fault("list")
	}
	return nil
}

// List may break off at the end of any page, and may be stale.
func (b *FaultyBucket) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	return func(yield func(bucket.Object, error) bool) {
		list := b.Bucket.List(ctx, prefix)
		if b.faults.Stale > 0 {
			all, err := b.stale(list, prefix)
			if err != nil {
				yield(bucket.Object{}, err)
				return
			}
			list = all
		}
		pages(ctx, b, list, yield)
	}
}

// Folders may break off at the end of any page.
func (b *FaultyBucket) Folders(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { pages(ctx, b, b.Bucket.Folders(ctx), yield) }
}

// pages yields a list page by page.
func pages[T any](ctx context.Context, b *FaultyBucket, list iter.Seq2[T, error], yield func(T, error) bool) {
	var zero T
	if err := b.page(ctx); err != nil {
		yield(zero, err)
		return
	}
	n := 0
	for x, err := range list {
		if n == b.faults.Page {
			n = 0
			if err := b.page(ctx); err != nil {
				yield(zero, err)
				return
			}
		}
		n++
		if !yield(x, err) || err != nil {
			return
		}
	}
}

// stale is a list without the latest changes.
func (b *FaultyBucket) stale(list iter.Seq2[bucket.Object, error], prefix string) (iter.Seq2[bucket.Object, error], error) {
	shown := make(map[string]bucket.Object)
	for o, err := range list {
		if err != nil {
			return nil, err
		}
		shown[o.Key] = o
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for whole, c := range b.changes {
		key, ok := strings.CutPrefix(whole, b.whole(prefix))
		if !ok {
			continue
		}
		key = prefix + key
		delete(shown, key)
		if c.was != nil {
			was := *c.was
			was.Key = key
			shown[key] = was
		}
		if c.lists--; c.lists > 0 {
			b.changes[whole] = c
		} else {
			delete(b.changes, whole)
		}
	}
	return func(yield func(bucket.Object, error) bool) {
		keys := make([]string, 0, len(shown))
		for key := range shown {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if !yield(shown[key], nil) {
				return
			}
		}
	}, nil
}
