package block

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"shark/snapshot/cache"
)

// Fetch reads n bytes of the file from byte from on. The caller closes what it returns,
// which gives exactly n bytes or an error.
type Fetch func(ctx context.Context, from, n int64) (io.ReadCloser, error)

// How the blocks of a bucket are read ahead of those who need them.
const (
	// fetchers is how many ranges are read at once: of an object store most of the time is
	// waiting.
	fetchers = 8
	// maxAhead is how many packed bytes wait to be needed, besides what is on its way.
	maxAhead = 32 << 20
	// maxRange is how many bytes are asked for at once, and maxGap how many between two
	// blocks are read though nobody needs them, for one request less.
	maxRange = 8 << 20
	maxGap   = 64 << 10
)

// fetcher reads packed blocks ahead, in the order they are listed.
type fetcher struct {
	ctx    context.Context
	cancel context.CancelFunc
	fetch  Fetch
	cache  *cache.Cache // where blocks are looked for first; nil: nowhere
	keep   bool         // what is read is put there
	wait   sync.WaitGroup
	slots  map[int]*slot // by block

	mu    sync.Mutex
	freed sync.Cond
	ahead int // bytes that wait

	requests, bytes atomic.Int64
}

// slot is a block that somebody will need.
type slot struct {
	block *Block
	taken atomic.Bool // somebody reads it: ahead, or because it is needed now
	done  chan struct{}
	data  []byte
	err   error
}

// newFetcher starts to read blocks of a file. close ends it.
func newFetcher(ctx context.Context, file *File, blocks []int) *fetcher {
	f := &fetcher{fetch: file.Fetch, cache: file.Cache, keep: file.keeps(blocks), slots: make(map[int]*slot, len(blocks))}
	f.freed.L = &f.mu
	f.ctx, f.cancel = context.WithCancel(ctx)
	ranges := file.ranges(blocks)
	n := 0
	for _, r := range ranges {
		for _, s := range r {
			f.slots[blocks[n]] = s
			n++
		}
	}
	next := make(chan []*slot)
	f.wait.Go(func() {
		defer close(next)
		for _, r := range ranges {
			select {
			case next <- r:
			case <-f.ctx.Done():
				return
			}
		}
	})
	for range min(fetchers, len(ranges)) {
		f.wait.Go(func() {
			for r := range next {
				f.read(r)
			}
		})
	}
	context.AfterFunc(f.ctx, f.freed.Broadcast)
	return f
}

// ranges puts blocks together that are asked for at once.
func (f *File) ranges(blocks []int) (ranges [][]*slot) {
	for _, i := range blocks {
		s := &slot{block: &f.Index.Blocks[i], done: make(chan struct{})}
		if n := len(ranges); n > 0 && adjoins(ranges[n-1], s.block) {
			ranges[n-1] = append(ranges[n-1], s)
		} else {
			ranges = append(ranges, []*slot{s})
		}
	}
	return ranges
}

// Cost tells how many requests it takes to read blocks, for how many bytes, and how many
// the cache has already.
func (f *File) Cost(blocks []int) (requests, bytes, cached int64) {
	for _, r := range f.ranges(inTime(f.Index, blocks)) {
		var missing []*slot
		end := func() {
			if len(missing) > 0 {
				last := missing[len(missing)-1].block
				requests, bytes = requests+1, bytes+last.Offset+int64(last.Packed)-missing[0].block.Offset
				missing = missing[:0]
			}
		}
		for _, s := range r {
			if f.Cache.Has(cache.Sum(s.block.Sum)) {
				cached += int64(s.block.Packed)
				continue
			}
			if len(missing) > 0 && !adjoins(missing, s.block) {
				end()
			}
			missing = append(missing, s)
		}
		end()
	}
	return requests, bytes, cached
}

// adjoins tells whether a block is to be read together with those of a range.
func adjoins(r []*slot, b *Block) bool {
	first, last := r[0].block, r[len(r)-1].block
	end := last.Offset + int64(last.Packed)
	return b.Offset >= end && b.Offset-end <= maxGap && b.Offset+int64(b.Packed)-first.Offset <= maxRange
}

// read reads the blocks of a range that nobody has taken, once there is room for them.
func (f *fetcher) read(r []*slot) {
	f.mu.Lock()
	for f.ahead > maxAhead && f.ctx.Err() == nil {
		f.freed.Wait()
	}
	var mine []*slot
	for _, s := range r {
		if !s.taken.Swap(true) {
			mine = append(mine, s)
			f.ahead += s.block.Packed
		}
	}
	f.mu.Unlock()
	if len(mine) > 0 {
		f.load(mine)
	}
}

// load reads blocks that lie one behind the other: those that the cache has from there,
// the others together as far as they still adjoin.
func (f *fetcher) load(r []*slot) {
	var missing []*slot
	for _, s := range r {
		if s.data = f.cache.Get(cache.Sum(s.block.Sum), int64(s.block.Packed)); s.data != nil {
			close(s.done)
			continue
		}
		if len(missing) > 0 && !adjoins(missing, s.block) {
			f.request(missing)
			missing = missing[:0]
		}
		missing = append(missing, s)
	}
	if len(missing) > 0 {
		f.request(missing)
	}
}

// request reads blocks that lie one behind the other with one request.
func (f *fetcher) request(r []*slot) {
	first, last := r[0].block, r[len(r)-1].block
	n := last.Offset + int64(last.Packed) - first.Offset
	f.requests.Add(1)
	f.bytes.Add(n)
	in, err := f.fetch(f.ctx, first.Offset, n)
	at := first.Offset
	for _, s := range r {
		if err == nil {
			_, err = io.CopyN(io.Discard, in, s.block.Offset-at)
		}
		if err == nil {
			s.data = make([]byte, s.block.Packed)
			_, err = io.ReadFull(in, s.data)
			at = s.block.Offset + int64(s.block.Packed)
		}
		switch s.err = err; {
		case err != nil:
		case sumOf(s.data) != s.block.Sum:
			s.err = fmt.Errorf("the block is %w: its sum is another than the index says", ErrFormat)
		case f.keep:
			f.cache.Put(cache.Sum(s.block.Sum), s.data)
		}
		close(s.done)
	}
	if in != nil {
		_ = in.Close() // it was only read from
	}
}

// take returns the bytes of a block, which is needed now and not again.
func (f *fetcher) take(block int) ([]byte, error) {
	s := f.slots[block]
	if !s.taken.Swap(true) {
		f.load([]*slot{s})
		return s.data, s.err
	}
	select {
	case <-s.done:
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
	f.mu.Lock()
	f.ahead -= s.block.Packed
	f.mu.Unlock()
	f.freed.Broadcast()
	data := s.data
	s.data = nil
	return data, s.err
}

// close ends reading ahead, and returns when nothing of it runs any more.
func (f *fetcher) close() {
	f.cancel()
	f.wait.Wait()
}
