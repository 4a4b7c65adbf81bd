package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"shark/workbench"
)

// byteSize is a flag such as 512M or 2GiB.
type byteSize int64

func (b *byteSize) String() string { return strconv.FormatInt(int64(*b), 10) }
func (b *byteSize) Type() string   { return "size" }

// Set reads a number with an optional unit: K, M, G in powers of 1000, with an i
// (KiB, Mi) in powers of 1024.
func (b *byteSize) Set(s string) error {
	digits := strings.TrimRight(s, "BbiKkMmGgTt")
	unit := strings.ToUpper(strings.TrimSuffix(strings.ToUpper(s[len(digits):]), "B"))
	factor, ok := map[string]float64{"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30, "TI": 1 << 40}[unit]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !ok || !(n > 0) || n*factor > math.MaxInt64/2 { // not a number compares with nothing
		return fmt.Errorf("%q is not a size such as 512M or 2GiB", s)
	}
	*b = byteSize(n * factor)
	return nil
}

// timeFlag is a flag that names a moment.
type timeFlag struct {
	text string
	workbench.When
}

func (t *timeFlag) String() string { return t.text }
func (t *timeFlag) Type() string   { return "time" }

// localForms are the forms of a local time, from the most to the least exact.
var localForms = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// clockForms are the forms of a local time of day.
var clockForms = []string{"15:04", "15:04:05"}

// Set reads RFC 3339, a local time, a local time of day, or -15m for that long
// before the end.
func (t *timeFlag) Set(s string) error {
	*t = timeFlag{text: s}
	if ago, ok := strings.CutPrefix(s, "-"); ok {
		d, err := time.ParseDuration(ago)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not a time such as -15m", s)
		}
		t.BeforeEnd = d
		return nil
	}
	var err error
	if t.At, err = time.Parse(time.RFC3339Nano, s); err == nil {
		return nil
	}
	for _, form := range localForms {
		if t.At, err = time.ParseInLocation(form, s, time.Local); err == nil {
			return nil
		}
	}
	t.At = time.Time{}
	if t.Clock = clockOf(s); t.Clock != nil {
		return nil
	}
	return fmt.Errorf("%q is not a time: RFC 3339 (2026-03-14T22:00:00Z), local (2026-03-14 22:00, 22:00) or -15m", s)
}

// clockOf reads a time of day, nil when s is none.
func clockOf(s string) *workbench.Clock {
	for _, form := range clockForms {
		if at, err := time.Parse(form, s); err == nil {
			return &workbench.Clock{Since: at.Sub(at.Truncate(24 * time.Hour)), Zone: time.Local}
		}
	}
	return nil
}

// timeForm is RFC 3339 with all nine digits, so that texts sort as times do.
const timeForm = "2006-01-02T15:04:05.000000000Z"

// byteText is a number of bytes for people.
func byteText(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 999_950:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 999_950_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}

// microText is a time in µs for people.
func microText(us int64) string {
	switch {
	case us < 1000:
		return fmt.Sprintf("%d µs", us)
	case us < 100_000:
		return fmt.Sprintf("%.1f ms", float64(us)/1e3)
	case us < 1_000_000:
		return fmt.Sprintf("%d ms", us/1000)
	}
	return fmt.Sprintf("%.2f s", float64(us)/1e6)
}

// mapText writes a map in the order of its keys.
func mapText(m map[string]string) string {
	parts := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, " ")
}
