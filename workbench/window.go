package workbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"shark/packet"
)

// When is a moment: a time, or so long before the end of what was recorded. The
// zero When is no limit.
type When struct {
	At        time.Time
	BeforeEnd time.Duration
}

// IsZero tells whether w is no limit.
func (w When) IsZero() bool { return w.At.IsZero() && w.BeforeEnd == 0 }

func (w When) time(end time.Time) time.Time {
	if w.BeforeEnd > 0 {
		return end.Add(-w.BeforeEnd)
	}
	return w.At
}

// window turns the limits of a question into times and checks them against what
// was recorded, from first to last. Zero times are no limits.
func (e *Evidence) window(from, to When, first, last time.Time) (a, b time.Time, err error) {
	a, b = from.time(last), to.time(last)
	if !a.IsZero() && !b.IsZero() && !a.Before(b) {
		return a, b, usage("the window ends at %s, not after it begins at %s", text(b), text(a))
	}
	if !first.IsZero() && (!a.IsZero() && a.After(last) || !b.IsZero() && !b.After(first)) {
		return a, b, fmt.Errorf("%w: %s has packets from %s to %s", ErrOutside, e.Name, text(first), text(last))
	}
	return a, b, nil
}

func text(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

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
	src, err := e.packets()
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
