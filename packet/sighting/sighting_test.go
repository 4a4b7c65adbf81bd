package sighting_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"shark/packet/sighting"
	"shark/packet/sighting/sightingtest"
)

// verdict is what a Tracker made of a world.
type verdict struct {
	further int // sightings that are not the first of their packet
	found   int // of these, as such
	wrong   int // sightings taken for another packet's
	offsets []sighting.Offset
	stats   sighting.Stats
}

// judge lets a Tracker see a world, or what some of its interfaces captured.
func judge(t testing.TB, w *sightingtest.World, o sighting.Options, ifaces ...uint32) verdict {
	t.Helper()
	tracker := sighting.NewTracker(o)
	var v verdict
	first := make(map[int]uint64) // by packet
	packets := make(map[uint64]int)
	for i := range w.Sightings {
		s := &w.Sightings[i]
		if len(ifaces) > 0 && !contains(ifaces, s.Interface) {
			continue
		}
		packets[s.Number] = s.Packet
		got := tracker.First(&s.Record, sightingtest.Clock(s.Interface))
		if packets[got] != s.Packet {
			v.wrong++
			if v.wrong < 5 && testing.Verbose() {
				t.Logf("packet %d on %d: taken for %d", s.Packet, s.Interface, packets[got])
			}
		}
		if want, ok := first[s.Packet]; !ok {
			first[s.Packet] = s.Number
		} else {
			v.further++
			if got == want {
				v.found++
			}
		}
	}
	v.offsets, v.stats = tracker.Offsets(), tracker.Stats()
	return v
}

func contains(list []uint32, n uint32) bool {
	for _, x := range list {
		if x == n {
			return true
		}
	}
	return false
}

// Of two nodes with clocks up to half a second apart, each of which misses one packet in a
// hundred, 99.9 % of the further sightings are known as such, no packet is taken for another,
// and the offset is right to a millisecond.
func TestTwoNodes(t *testing.T) {
	further, found := 0, 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		o := sightingtest.Options{
			Seed: seed, Talks: 400, Loss: 0.01, NAT: seed%4 != 3, Overlay: sightingtest.Overlay(seed % 3), Resend: 0.03,
			Offset: time.Duration(rng.Int64N(int64(time.Second))) - 500*time.Millisecond,
		}
		if seed%5 == 4 {
			o.Drift = rng.Float64()*100 - 50
		}
		w := sightingtest.Make(o)
		v := judge(t, w, sighting.Options{})
		further, found = further+v.further, found+v.found
		if v.wrong > 0 {
			t.Errorf("seed %d: %d sightings taken for another packet's", seed, v.wrong)
		}
		if share := float64(v.found) / float64(v.further); share < 0.999 {
			t.Errorf("seed %d: %d of %d further sightings found, %.3f %%", seed, v.found, v.further, 100*share)
		}
		checkOffset(t, fmt.Sprintf("seed %d", seed), o, v.offsets)
	}
	t.Logf("%d of %d further sightings found", found, further)
}

// checkOffset compares the estimated offset with the true one.
func checkOffset(t *testing.T, what string, o sightingtest.Options, got []sighting.Offset) {
	t.Helper()
	if len(got) != 1 || got[0].A != 0 || got[0].B != 1 || !got[0].TwoWay {
		t.Errorf("%s: offsets %+v", what, got)
		return
	}
	err := (got[0].Offset - o.Offset).Abs()
	if err > time.Millisecond {
		t.Errorf("%s: offset %v is %v off, stated ±%v", what, got[0].Offset, err, got[0].Uncertainty)
	}
	if o.Drift == 0 && (err > got[0].Uncertainty || got[0].Uncertainty > time.Millisecond) {
		t.Errorf("%s: offset is %v off, stated ±%v", what, err, got[0].Uncertainty)
	}
}
