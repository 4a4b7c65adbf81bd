package recorder

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"shark/recorder/ticks"
)

// What tells a step of the clock from its drift.
const (
	clockTick = time.Second
	leastStep = 100 * time.Millisecond
)

// ClockStatus says how real time was set while the recorder ran. Packets before and behind a
// step have times of different clocks.
type ClockStatus struct {
	Steps  int       `json:"steps"`
	Last   time.Time `json:"last,omitzero"`    // when it was set last, by the new clock
	LastBy float64   `json:"last_by_seconds"`  // by how much, forwards
	Total  float64   `json:"total_by_seconds"` // by how much in all
}

// clock watches real time against the time that nobody sets. A machine that slept looks as if
// its clock had been set.
type clock struct {
	log *slog.Logger
	// real and steady return nanoseconds of either clock.
	real, steady func() int64

	mu     sync.Mutex
	offset int64 // of real to steady, when it was looked at last
	status ClockStatus
}

func newClock(log *slog.Logger) *clock {
	start := time.Now()
	c := &clock{log: log, real: func() int64 { return time.Now().UnixNano() }, steady: func() int64 { return int64(time.Since(start)) }}
	c.offset = c.real() - c.steady()
	return c
}

// look compares the clocks. What lies between asking one and the other is not taken for a step:
// of a few tries the closest counts.
func (c *clock) look() {
	offset, spread := int64(0), int64(-1)
	for range 3 {
		before := c.steady()
		now := c.real()
		after := c.steady()
		if d := after - before; spread < 0 || d < spread {
			offset, spread = now-before-d/2, d
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	by := time.Duration(offset - c.offset)
	c.offset = offset
	if by.Abs() < leastStep+time.Duration(spread) {
		return
	}
	c.status.Steps++
	c.status.Last = time.Unix(0, c.real()).UTC()
	c.status.LastBy = by.Seconds()
	c.status.Total += by.Seconds()
	c.log.Warn("the clock was set: packets before and after have times of different clocks", "by", by)
}

func (c *clock) run(ctx context.Context) { ticks.Do(ctx, clockTick, c.look) }

func (c *clock) report() ClockStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}
