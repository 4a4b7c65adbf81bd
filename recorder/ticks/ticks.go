// Package ticks does something again and again.
//
// In: how often, and what. Out: nothing; it ends with its context, and no call is under way then.
package ticks

import (
	"context"
	"time"
)

// Do calls f every so often until ctx ends. Calls for which there was no time are left out.
func Do(ctx context.Context, every time.Duration, f func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}
