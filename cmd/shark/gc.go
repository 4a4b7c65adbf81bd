package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// How the garbage collector is set, unless the environment says otherwise. What a
// dissection keeps is bounded and small beside what it goes through: to collect at
// three times as much, and not at five, costs a twentieth of the CPU time, and at nine
// nothing is gained. Up to leastLimit memory is taken as it comes; who keeps more than
// three quarters of that has a third as much again.
const (
	gcPercent  = 400
	leastLimit = 208 << 20 // bytes
	// checkEvery is after how many bytes of packets the limit is looked at.
	checkEvery = 64 << 20
)

// collector moves the limit of the garbage collector with what is kept.
type collector struct {
	live  []metrics.Sample
	limit int64
	next  int64 // bytes of packets at which it is looked at again
}

// newCollector sets the garbage collector. It is nil where the environment does.
func newCollector() *collector {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	debug.SetMemoryLimit(leastLimit)
	return &collector{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, limit: leastLimit}
}

// read is told how many bytes of packets have been read.
func (c *collector) read(bytes int64) {
	if c == nil || bytes < c.next && bytes > c.next-checkEvery {
		return
	}
	c.next = bytes + checkEvery
	metrics.Read(c.live)
	want := max(leastLimit, int64(c.live[0].Value.Uint64())/3*4)
	if want > c.limit || want < c.limit-c.limit/8 {
		debug.SetMemoryLimit(want)
		c.limit = want
	}
}
