package snapshot

import (
	"context"
	"time"
)

// Cost is what it takes to read packets: by the manifest and the indexes alone, nothing
// else is read.
type Cost struct {
	Blocks, AllBlocks int    // that are read, of those there are
	Packets           uint64 // in them: at least those that are asked for
	Raw               int64  // bytes that they have unpacked
	Bytes             int64  // to read from the store
	Cached            int64  // bytes that the cache has already
	Requests          int64
}

// Cost tells what it takes to read the packets that are asked for.
func (s *Snapshot) Cost(ctx context.Context, sel Selection) (c Cost, err error) {
	files, err := s.indexes(ctx)
	if err != nil {
		return c, err
	}
	base := uint64(0)
	for _, f := range files {
		c.AllBlocks += len(f.Index.Blocks)
		if sel.takes(f.node) {
			blocks := f.Index.Select(sel.of(base, f.Index.Packets()))
			c.Blocks += len(blocks)
			for _, i := range blocks {
				c.Packets += uint64(f.Index.Blocks[i].Packets)
				c.Raw += int64(f.Index.Blocks[i].Raw)
			}
			requests, bytes, cached := f.Cost(blocks)
			c.Requests, c.Bytes, c.Cached = c.Requests+requests, c.Bytes+bytes, c.Cached+cached
		}
		base += f.Index.Packets()
	}
	for i := range s.Manifest.Objects {
		if o := &s.Manifest.Objects[i]; o.Kind == KindSecrets && sel.Extras && sel.takes(o.Node) {
			c.Requests, c.Bytes = c.Requests+1, c.Bytes+o.Size
		}
	}
	return c, nil
}

// Latency measures how long the store takes to answer a request, by the better of two.
func (s *Snapshot) Latency(ctx context.Context) (best time.Duration, err error) {
	for range 2 {
		begin := time.Now()
		if _, err := s.files.Stat(ctx, manifestName); err != nil {
			return 0, err
		}
		if took := time.Since(begin); best == 0 || took < best {
			best = took
		}
	}
	return best, nil
}
