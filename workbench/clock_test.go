package workbench

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestClock: a time of day is the first one in what was recorded.
func TestClock(t *testing.T) {
	tokyo := time.FixedZone("", 9*3600)
	day := func(text string) time.Time {
		t.Helper()
		return must(time.Parse("2006-01-02 15:04:05.999", "2026-03-"+text))(t)
	}
	for name, c := range map[string]struct {
		first, last string
		clock       Clock
		want        string // empty: outside
	}{
		"inside":             {"14 14:00:00", "14 15:00:00", Clock{14*time.Hour + 3*time.Minute, time.Minute, time.UTC}, "14 14:03:00"},
		"midnight":           {"14 23:00:00", "15 01:00:00", Clock{10 * time.Minute, time.Minute, time.UTC}, "15 00:10:00"},
		"before midnight":    {"14 23:00:00", "15 01:00:00", Clock{23 * time.Hour, time.Minute, time.UTC}, "14 23:00:00"},
		"several days":       {"14 14:00:00", "17 14:00:00", Clock{13 * time.Hour, time.Minute, time.UTC}, "15 13:00:00"},
		"other zone":         {"14 14:00:00", "14 16:00:00", Clock{30 * time.Minute, time.Minute, tokyo}, "14 15:30:00"},
		"its first minute":   {"14 14:03:07.5", "14 15:00:00", Clock{14*time.Hour + 3*time.Minute, time.Minute, time.UTC}, "14 14:03:00"},
		"its first second":   {"14 14:03:07.5", "14 15:00:00", Clock{14*time.Hour + 3*time.Minute + 7*time.Second, time.Second, time.UTC}, "14 14:03:07"},
		"before":             {"14 14:03:07.5", "14 15:00:00", Clock{14*time.Hour + 2*time.Minute, time.Minute, time.UTC}, ""},
		"the second before":  {"14 14:03:07.5", "14 15:00:00", Clock{14*time.Hour + 3*time.Minute + 6*time.Second, time.Second, time.UTC}, ""},
		"the instant before": {"14 14:03:07.5", "14 15:00:00", Clock{14*time.Hour + 3*time.Minute + 7400*time.Millisecond, time.Nanosecond, time.UTC}, ""},
		"the instant":        {"14 14:03:07.5", "14 15:00:00", Clock{14*time.Hour + 3*time.Minute + 7500*time.Millisecond, time.Nanosecond, time.UTC}, "14 14:03:07.5"},
		"after":              {"14 14:00:00", "14 15:00:00", Clock{15*time.Hour + time.Second, time.Second, time.UTC}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Evidence{Name: "x.pcap"}
			from, to, err := e.window(When{Clock: &c.clock}, When{}, day(c.first), day(c.last))
			if c.want != "" {
				if err != nil || !from.Equal(day(c.want)) || !to.IsZero() {
					t.Errorf("%v to %v, %v, want %s", from, to, err, c.want)
				}
				return
			}
			ends := "x.pcap has packets from " + day(c.first).Format(time.RFC3339Nano) + " to "
			if !errors.Is(err, ErrOutside) || !strings.Contains(err.Error(), "there is no "+c.clock.String()+" in it: "+ends) {
				t.Errorf("%v, %v, want one that names the window", from, err)
			}
		})
	}
	noon := When{Clock: &Clock{Since: 12 * time.Hour, Unit: time.Minute, Zone: time.UTC}}
	one := When{Clock: &Clock{Since: 13 * time.Hour, Unit: time.Minute, Zone: time.UTC}}
	if _, _, err := new(Evidence).window(one, noon, day("14 11:00:00"), day("14 14:00:00")); !errors.Is(err, ErrUsage) {
		t.Errorf("the wrong way round: %v", err)
	}
	if from, to, err := new(Evidence).window(noon, one, time.Time{}, time.Time{}); err != nil || !from.IsZero() || !to.IsZero() {
		t.Errorf("without packets: %v to %v, %v", from, to, err)
	}
}
