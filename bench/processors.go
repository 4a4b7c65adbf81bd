package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// processors returns how much more two processors of this machine do than one: two
// dissections at once, of one worker each, that have nothing to do with each other,
// beside one alone. Processors share caches, memory and, in a virtual machine, more.
// No number of workers can do better.
func (b *bench) processors(ctx context.Context, c *capture, rounds int) (float64, error) {
	var gains []float64
	for range rounds {
		alone, err := b.atOnce(ctx, c, 1)
		if err != nil {
			return 0, err
		}
		both, err := b.atOnce(ctx, c, 2)
		if err != nil {
			return 0, err
		}
		gains = append(gains, 2*alone.Seconds()/both.Seconds())
	}
	return median(gains, func(x float64) float64 { return x }), nil
}

// atOnce returns how long n dissections take that begin together.
func (b *bench) atOnce(ctx context.Context, c *capture, n int) (time.Duration, error) {
	begin := time.Now()
	errs := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { _, errs[i] = b.dissect(ctx, &dissections{capture: c}, 1, false) })
	}
	running.Wait()
	took := time.Since(begin)
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}

// sayProcessors prints what two processors give.
func (b *bench) sayProcessors(gain float64) {
	fmt.Fprintf(b.w, "two dissections at once, of one worker each, do %.2f times the work of one: what two processors of this machine give\n\n", gain)
}
