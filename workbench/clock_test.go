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
	at := func(h, m, s int) time.Duration {
		return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	}
	for name, c := range map[string]struct {
		first, last string
		clock       Clock
		from, to    string // what it means as one and as the other end; empty: outside
	}{
		"inside":             {"14 14:00:00", "14 15:00:00", Clock{at(14, 3, 0), time.UTC}, "14 14:03:00", "14 14:03:00"},
		"midnight":           {"14 23:00:00", "15 01:00:00", Clock{at(0, 10, 0), time.UTC}, "15 00:10:00", "15 00:10:00"},
		"before midnight":    {"14 23:00:00", "15 01:00:00", Clock{at(23, 30, 0), time.UTC}, "14 23:30:00", "14 23:30:00"},
		"several days":       {"14 14:00:00", "17 14:00:00", Clock{at(13, 0, 0), time.UTC}, "15 13:00:00", "15 13:00:00"},
		"other zone":         {"14 14:00:00", "14 16:00:00", Clock{at(0, 30, 0), tokyo}, "14 15:30:00", "14 15:30:00"},
		"its first minute":   {"14 14:03:07.5", "17 15:00:00", Clock{at(14, 3, 0), time.UTC}, "14 14:03:00", ""},
		"long before":        {"14 14:03:07.5", "14 15:00:00", Clock{at(9, 0, 0), time.UTC}, "14 09:00:00", ""},
		"after":              {"14 14:00:00", "14 15:00:00", Clock{at(15, 0, 1), time.UTC}, "", "14 15:00:01"},
		"after the last day": {"14 22:00:00", "15 15:00:00", Clock{at(16, 0, 0), time.UTC}, "14 16:00:00", "15 16:00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			e, when := &Evidence{Name: "x.pcap"}, When{Clock: &c.clock}
			check := func(from, to When, want string, got func(from, to time.Time) time.Time) {
				a, b, err := e.window(from, to, day(c.first), day(c.last))
				switch {
				case want == "":
					ends := "x.pcap has packets from " + day(c.first).Format(time.RFC3339Nano) + " to "
					if !errors.Is(err, ErrOutside) || !strings.Contains(err.Error(), ends) {
						t.Errorf("%v to %v, %v, want an error that names the window", a, b, err)
					}
				case err != nil || !got(a, b).Equal(day(want)):
					t.Errorf("%v to %v, %v, want %s", a, b, err, want)
				}
			}
			check(when, When{}, c.from, func(from, _ time.Time) time.Time { return from })
			check(When{}, when, c.to, func(_, to time.Time) time.Time { return to })
		})
	}
	noon := When{Clock: &Clock{Since: 12 * time.Hour, Zone: time.UTC}}
	one := When{Clock: &Clock{Since: 13 * time.Hour, Zone: time.UTC}}
	if _, _, err := new(Evidence).window(one, noon, day("14 11:00:00"), day("14 14:00:00")); !errors.Is(err, ErrUsage) {
		t.Errorf("the wrong way round: %v", err)
	}
	if from, to, err := new(Evidence).window(noon, one, time.Time{}, time.Time{}); err != nil || !from.IsZero() || !to.IsZero() {
		t.Errorf("without packets: %v to %v, %v", from, to, err)
	}
}
