package workbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"shark/packet"
	"shark/snapshot"
)

// When is a moment: a time, or so long before the end of what was recorded, or a
// time of day in it. The zero When is no limit.
type When struct {
	At        time.Time
	BeforeEnd time.Duration
	Clock     *Clock
}

// Clock is a time of day: the first such in what was recorded.
type Clock struct {
	Since time.Duration // on the clock, since midnight
	Zone  *time.Location
}

// IsZero tells whether w is no limit.
func (w When) IsZero() bool { return w.At.IsZero() && w.BeforeEnd == 0 && w.Clock == nil }

// relative tells whether w depends on what was recorded.
func (w When) relative() bool { return w.BeforeEnd != 0 || w.Clock != nil }

// in is the first time in what was recorded when the clock shows c. A recording is
// taken to begin with the minute it begins in: nobody knows by heart where in it that
// was. Where there is no such time, it is that on a day: the first for where a window
// begins, the last for where it ends.
func (c *Clock) in(first, last, day time.Time) time.Time {
	on := func(day time.Time, days int) time.Time {
		day = day.In(c.Zone)
		return time.Date(day.Year(), day.Month(), day.Day()+days, 0, 0, int(c.Since/time.Second), int(c.Since%time.Second), c.Zone)
	}
	for days := range 2 {
		if at := on(first, days); at.Add(time.Minute).After(first) && !at.After(last) {
			return at
		}
	}
	return on(day, 0)
}

// window turns the limits of a question into times and checks them against what
// was recorded, from first to last. Zero times are no limits.
func (e *Evidence) window(from, to When, first, last time.Time) (a, b time.Time, err error) {
	a, b = from.in(first, last, first), to.in(first, last, last)
	if !a.IsZero() && !b.IsZero() && !a.Before(b) {
		return a, b, usage("the window ends at %s, not after it begins at %s", text(b.UTC()), text(a.UTC()))
	}
	if !first.IsZero() && (!a.IsZero() && a.After(last) || !b.IsZero() && !b.After(first)) {
		return a, b, fmt.Errorf("%w: %s has packets from %s to %s", ErrOutside, e.Name, text(first.UTC()), text(last.UTC()))
	}
	if !e.recordedIn(a, b) {
		return a, b, fmt.Errorf("%w: no node of %s has packets from %s to %s", ErrOutside, e.Name, text(a.UTC()), text(b.UTC()))
	}
	return a, b, nil
}

// recordedIn tells whether some node may have packets in [a, b), where zero is no limit: those
// of a snapshot may have been captured one after the other, with time between them.
func (e *Evidence) recordedIn(a, b time.Time) bool {
	if e.snapshot == nil || a.IsZero() || b.IsZero() {
		return true
	}
	some := false
	for _, n := range e.snapshot.Manifest.Nodes {
		if n.Got == nil {
			continue
		}
		if some = true; n.Got.From.Before(b) && !n.Got.To.Before(a) {
			return true
		}
	}
	return !some
}

// in is the time that w means in what was recorded from first to last; day is the
// one that a time of day is on if it is not in there.
func (w When) in(first, last, day time.Time) time.Time {
	switch {
	case w.BeforeEnd > 0:
		return last.Add(-w.BeforeEnd)
	case w.Clock == nil || first.IsZero():
		return w.At
	}
	return w.Clock.in(first, last, day)
}

func text(t time.Time) string { return t.Format(time.RFC3339Nano) }

// nanos returns t in ns since 1970, as near as they reach.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// recorded returns the times of the earliest and the latest packet: from the index
// if it is open, from the manifest of a snapshot, else by reading through the packets.
func (e *Evidence) recorded(ctx context.Context) (first, last time.Time, err error) {
	if x := e.ready(); x != nil {
		c := e.coverage(x)
		return c.From, c.To, nil
	}
	if first, last, ok := e.stated(); ok {
		return first, last, nil
	}
	src, err := e.packets(ctx, snapshot.Selection{})
	if err != nil {
		return first, last, err
	}
	defer src.Close()
	var b packet.Batch
	var low, high int64
	for some := false; ; {
		err := src.ReadBatch(&b)
		for i := range b.Records {
			t := b.Records[i].Time
			if !some || t < low {
				low = t
			}
			if !some || t > high {
				high = t
			}
			some = true
		}
		switch {
		case errors.Is(err, io.EOF) && !some:
			return first, last, nil
		case errors.Is(err, io.EOF):
			return time.Unix(0, low).UTC(), time.Unix(0, high).UTC(), nil
		case err != nil:
			return first, last, err
		case ctx.Err() != nil:
			return first, last, ctx.Err()
		}
	}
}
