package index

import (
	"context"
	"sync/atomic"
)

// aheadRows is how many merged rows are handed over at once; aheadBatches of such
// batches are on their way.
const (
	aheadRows    = 512
	aheadBatches = 4
)

// aheadBatch is what a merge hands over: rows, and the blocks of runs that nothing
// after them stands in.
type aheadBatch struct {
	rows [][]byte
	done [][]byte
}

// blocks are memory for what is read of runs, to be used again once nothing refers to it.
type blocks struct {
	free [][]byte
	done [][]byte // since the last batch
}

// swap returns an empty block in the place of one that is used up.
func (p *blocks) swap(old []byte) []byte {
	if cap(old) <= 2*runBuffer {
		p.done = append(p.done, old)
	}
	if last := len(p.free) - 1; last >= 0 {
		b := p.free[last]
		p.free = p.free[:last]
		return b[:0]
	}
	return make([]byte, 0, runBuffer)
}

// mergeAhead is merge by a goroutine of its own, which is some rows ahead: to merge
// takes about half as long as to put rows where they belong.
func mergeAhead(ctx context.Context, sources []source, yield func(row []byte) error) error {
	pool := &blocks{}
	for _, s := range sources {
		if r, ok := s.(*runFile); ok {
			r.pool = pool
		}
	}
	full, empty := make(chan *aheadBatch, aheadBatches), make(chan *aheadBatch, aheadBatches)
	for range aheadBatches {
		empty <- &aheadBatch{rows: make([][]byte, 0, aheadRows)}
	}
	var stop atomic.Bool
	var merged error // to be read when full is closed
	go func() {
		defer close(full)
		b := <-empty
		merged = merge(ctx, sources, func(row []byte) error {
			if b.rows = append(b.rows, row); len(b.rows) < aheadRows {
				return nil
			}
			b.done, pool.done = pool.done, b.done[:0]
			full <- b
			b = <-empty
			pool.free = append(pool.free, b.done...)
			b.rows, b.done = b.rows[:0], b.done[:0]
			if stop.Load() {
				return context.Canceled // nobody asks why
			}
			return nil
		})
		full <- b
	}()
	var err error
	for b := range full {
		for i := 0; i < len(b.rows) && err == nil; i++ {
			err = yield(b.rows[i])
		}
		stop.Store(err != nil)
		empty <- b
	}
	if err != nil {
		return err
	}
	return merged
}
