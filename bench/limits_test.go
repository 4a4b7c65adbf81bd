package main

import (
	"math"
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	least := limit{"calls a second", 300e3, false}
	most := limit{"times", 1.2, true}
	for _, k := range []struct {
		limit  limit
		figure float64
		want   string
	}{
		{least, 300e3, "ok: it: 300000 calls a second; at least 300000\n"},
		{least, 412345.6, "ok: it: 412346 calls a second; at least 300000\n"},
		{least, 299999.9, "FAILED: it: 299999.9 calls a second; at least 300000\n"},
		{least, 0, "FAILED: it: 0 calls a second; at least 300000\n"},
		{least, math.NaN(), "FAILED: it: NaN calls a second; at least 300000\n"},
		{most, 1.2, "ok: it: 1.20 times; at most 1.2\n"},
		{most, 1.2004, "FAILED: it: 1.2004 times; at most 1.2\n"},
		{most, math.NaN(), "FAILED: it: NaN times; at most 1.2\n"},
		{mixIndex, 9.04, "ok: it: 9.0 percent of the capture's bytes in the index file; at most 12\n"},
		{mixPeak, 301, "FAILED: it: 301.0 MiB of memory at the peak; at most 300\n"},
	} {
		var out strings.Builder
		r := &report{w: &out}
		r.limit("it", k.limit, k.figure)
		if out.String() != k.want {
			t.Errorf("%v of %v:\n%swant\n%s", k.figure, k.limit, &out, k.want)
		}
		if failed := r.close() != nil; failed != strings.HasPrefix(k.want, "FAILED") {
			t.Errorf("%v of %v: failed is %v in the end", k.figure, k.limit, failed)
		}
	}
}

func TestReportSaysAgainWhatDoesNotHold(t *testing.T) {
	var out strings.Builder
	r := &report{w: &out}
	r.say(true, "one")
	r.say(false, "two")
	r.pass("three")
	out.Reset()
	if err := r.close(); err == nil {
		t.Error("no error")
	}
	if want := "not checked: three\nFAILED: two\n1 hold, 1 do not, 1 were not checked\n"; out.String() != want {
		t.Errorf("%s", &out)
	}
	// What was not checked is no failure.
	r = &report{w: &out}
	r.pass("three")
	if err := r.close(); err != nil {
		t.Error(err)
	}
}

func TestLimitsOfDissections(t *testing.T) {
	two := func(one, both float64) *dissections {
		d := &dissections{capture: &capture{name: "x", bytes: 1e9, calls: 1e6, connections: 1e5}, index: 1e8}
		for _, s := range []float64{one, both} {
			d.sharks = append(d.sharks, series{seconded(s, 100)})
		}
		return d
	}
	d := two(4, 5)
	d.sharks[1][0].peak = 200 << 20
	// The number of workers that takes more counts.
	for what, k := range map[string][2]float64{
		"megabytes": {d.megabytes(), 200}, "calls": {d.calls(), 2e5}, "connections": {d.connections(), 2e4},
		"peak": {d.peakMiB(), 200}, "percent": {d.percent(), 10},
		"ratio": {slowest(series{seconded(400, 0)}, d.sharks), 80},
	} {
		if k[0] != k[1] {
			t.Errorf("%s: %v, want %v", what, k[0], k[1])
		}
	}
}
