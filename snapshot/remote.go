package snapshot

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"shark/snapshot/bucket"
	"shark/snapshot/cache"
)

const (
	// maxHeld is how many pieces of a published file are in memory: 48 MiB.
	maxHeld = 192
	// maxAhead is how many pieces Ahead reads, and aheadRequests how many requests it makes at
	// a time.
	maxAhead, aheadRequests = 160, 16
	// maxWindow is how many pieces are read ahead at most: 8 MiB.
	maxWindow = 32
	// perRequest is how many pieces are asked for with one request when more are wanted:
	// object stores send several parts at once faster than one.
	perRequest = 8
	// maxTrails is how many places of a file are known to be read one piece after the other.
	maxTrails = 8
)

// Remote is a published file that is read where it lies, piece by piece, each compared
// with its sum. Who reads one piece after the other gets ever more of them at once. It
// may be used by several goroutines, which take turns.
type Remote struct {
	Dissection Dissection
	files      bucket.Bucket
	path       string
	size       int64
	sums       []cache.Sum
	cache      *cache.Cache

	turn   chan struct{} // taken by who uses what follows
	held   map[int64]*held
	clock  int64
	trails []trail // the one used last comes last

	requests, bytes int64
}

// held is a piece in memory.
type held struct {
	data []byte
	used int64 // clock
}

// trail is a place that is read in order.
type trail struct {
	next   int64 // piece
	window int64 // pieces that were read at once before it
}

// Size is how many bytes the file has.
func (r *Remote) Size() int64 { return r.size }

// String is the location of the file.
func (r *Remote) String() string { return r.files.String() + "/" + r.path }

// Fetched returns how many requests were made so far, and for how many bytes.
func (r *Remote) Fetched() (requests, bytes int64) {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	return r.requests, r.bytes
}

// ReadAt fills p from byte at on. It ends with io.EOF if the file has fewer bytes.
func (r *Remote) ReadAt(ctx context.Context, p []byte, at int64) (n int, err error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for n < len(p) {
		if at+int64(n) >= r.size {
			return n, io.EOF
		}
		place := at + int64(n)
		data, err := r.piece(ctx, place/pieceSize)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[place%pieceSize:])
	}
	return n, nil
}

// length is how many bytes a piece has.
func (r *Remote) length(piece int64) int64 { return min(pieceSize, r.size-piece*pieceSize) }

// piece returns a piece: from memory, from the cache or from the bucket.
func (r *Remote) piece(ctx context.Context, i int64) ([]byte, error) {
	r.clock++
	if h := r.held[i]; h != nil {
		h.used = r.clock
		return h.data, nil
	}
	if data := r.cache.Get(r.sums[i], r.length(i)); data != nil {
		r.hold(i, data)
		return data, nil
	}
	n := int64(1)
	for limit := r.window(i); n < limit && r.held[i+n] == nil && !r.cache.Has(r.sums[i+n]); n++ {
	}
	if err := r.fetch(ctx, i, n); err != nil {
		return nil, err
	}
	return r.held[i].data, nil
}

// Ahead reads what will be asked for: ranges, each [from, to) in bytes, with requests side
// by side. Of very much it reads the beginning.
func (r *Remote) Ahead(ctx context.Context, ranges [][2]int64) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return r.ahead(ctx, ranges)
}

// ahead is Ahead for who has the turn.
func (r *Remote) ahead(ctx context.Context, ranges [][2]int64) error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	turn := make(chan struct{}, aheadRequests)
	runs := r.missing(ranges)
	got := make([][][]byte, len(runs))
	for k, run := range runs {
		turn <- struct{}{}
		r.requests++
		got[k] = make([][]byte, run[1])
		all.Go(func() {
			defer func() { <-turn }()
			if err := r.request(ctx, run[0], got[k]); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	if all.Wait(); failed != nil {
		return fmt.Errorf("%s: %w", r.path, failed)
	}
	for k, run := range runs {
		r.take(run[0], got[k])
	}
	return nil
}

// missing returns what of ranges of bytes is neither in memory nor in the cache: runs of
// pieces, each the first and how many.
func (r *Remote) missing(ranges [][2]int64) (runs [][2]int64) {
	seen := make(map[int64]bool)
	for _, x := range ranges {
		last := (min(x[1], r.size) + pieceSize - 1) / pieceSize
		for i := max(x[0], 0) / pieceSize; i < last && len(seen) < maxAhead; i++ {
			if !seen[i] && r.held[i] == nil && !r.cache.Has(r.sums[i]) {
				seen[i] = true
			}
		}
	}
	for _, i := range slices.Sorted(maps.Keys(seen)) {
		if k := len(runs) - 1; k >= 0 && i == runs[k][0]+runs[k][1] && runs[k][1] < perRequest {
			runs[k][1]++
		} else {
			runs = append(runs, [2]int64{i, 1})
		}
	}
	return runs
}

// window tells how many pieces are to be read from one on: four times as many as before if it
// comes next where somebody reads in order.
func (r *Remote) window(i int64) int64 {
	t := trail{window: 1}
	for k, old := range r.trails {
		// What is held or in the cache may have been passed over.
		if i >= old.next && i <= old.next+old.window {
			t.window = min(4*old.window, maxWindow)
			r.trails = append(r.trails[:k], r.trails[k+1:]...)
			break
		}
	}
	if len(r.trails) == maxTrails {
		r.trails = r.trails[1:]
	}
	n := min(t.window, int64(len(r.sums))-i)
	t.next = i + n
	r.trails = append(r.trails, t)
	return n
}

// fetch reads n pieces from i on, all at once.
func (r *Remote) fetch(ctx context.Context, i, n int64) error {
	data := make([][]byte, n)
	errs := make([]error, n)
	var all sync.WaitGroup
	for at := int64(0); at < n; at += perRequest {
		part := data[at:min(at+perRequest, n)]
		r.requests++
		all.Go(func() { errs[at] = r.request(ctx, i+at, part) })
	}
	all.Wait()
	for k := range data {
		if errs[k] != nil {
			return fmt.Errorf("%s: %w", r.path, errs[k])
		}
	}
	r.take(i, data)
	return nil
}

// take keeps pieces that were read, from i on, in memory.
func (r *Remote) take(i int64, pieces [][]byte) {
	for k, data := range pieces {
		r.bytes += int64(len(data))
		r.hold(i+int64(k), data)
	}
}

// request reads pieces from i on and keeps them in the cache.
func (r *Remote) request(ctx context.Context, i int64, pieces [][]byte) error {
	last := i + int64(len(pieces)) - 1
	in, err := r.files.Open(ctx, r.path, i*pieceSize, last*pieceSize+r.length(last)-i*pieceSize)
	if err != nil {
		return err
	}
	defer in.Close()
	for k := range pieces {
		at := i + int64(k)
		pieces[k] = make([]byte, r.length(at))
		if _, err := io.ReadFull(in, pieces[k]); err != nil {
			return err
		}
		if cache.SumOf(pieces[k]) != r.sums[at] {
			return fmt.Errorf("%w: its bytes from %d on are not what was published: dissect anew with --no-fetch", ErrIntegrity, at*pieceSize)
		}
		r.cache.Put(r.sums[at], pieces[k])
	}
	return nil
}

// hold keeps a piece in memory, in the place of the one that was not used for the longest
// time if there are too many.
func (r *Remote) hold(i int64, data []byte) {
	if len(r.held) >= maxHeld {
		oldest := int64(-1)
		for k, h := range r.held {
			if oldest < 0 || h.used < r.held[oldest].used {
				oldest = k
			}
		}
		delete(r.held, oldest)
	}
	r.held[i] = &held{data, r.clock}
}
