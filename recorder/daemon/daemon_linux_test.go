package daemon

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"shark/bpf/bpftest"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/parts"
)

// moments is at how many moments recorders are killed, lanes how many recorders there are of
// which each is killed at some of them, and least how many of these write a segment each.
const (
	moments = 100
	lanes   = 4
	least   = 3
)

// A recorder that is killed at any moment loses no packet that it had given to the disk, but
// those of its last second; each segment stays readable, and the next recorder goes on, and
// says what is true.
func TestKilled(t *testing.T) {
	bpftest.Root(t)
	t.Parallel()
	rounds := moments / lanes
	if testing.Short() || slow {
		rounds = least
	}
	x := startTraffic(t, 16_000, large)
	var all [lanes]contents
	t.Run("lanes", func(t *testing.T) {
		for lane := range lanes {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				all[lane] = killed(t, x.netns(), rounds)
			})
		}
	})
	sent := x.stop()
	for lane, c := range all {
		if len(c.damage) > 0 {
			t.Errorf("lane %d: damage: %v", lane, c.damage)
		}
		gaps := 0
		for i := 1; i < len(c.numbers); i++ {
			switch {
			case c.numbers[i] <= c.numbers[i-1]:
				t.Fatalf("lane %d: packet %d comes after %d", lane, c.numbers[i], c.numbers[i-1])
			case c.numbers[i] != c.numbers[i-1]+1:
				gaps++
			}
		}
		if gaps > rounds+int(c.dropped) || len(c.numbers) == 0 || c.numbers[len(c.numbers)-1] >= sent {
			t.Errorf("lane %d: %d gaps in %d packets of %d, of which %d were dropped", lane, gaps, len(c.numbers), sent, c.dropped)
		}
	}
}

// killed kills the recorders of a ring, one after the other, and returns what the ring has then.
func killed(t *testing.T, netns string, rounds int) contents {
	t.Helper()
	dir, addr := t.TempDir(), freePort(t)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 7))
	slowest := time.Duration(0)
	for round := range rounds {
		r := startRecorder(t, dir, netns, addr, 64<<20, parts.Off)
		s, took := r.recording()
		slowest = max(slowest, took)
		if !s.Parts[0].Running || s.Rings[0].Error != "" || s.Node != "node-a" {
			t.Fatalf("round %d: %+v", round, s)
		}
		if round < least { // so that there is something to be lost
			within(t, "a segment is begun", func() bool { return len(segments(t, dir)) > round }, r.log.String)
		}
		<-time.After(time.Duration(rng.IntN(80)) * time.Millisecond) // a random moment
		if round == rounds-1 {
			r.truth()
		}
		r.kill()
		sealed(t, dir)
	}
	t.Logf("the slowest of %d restarts took %s", rounds, slowest)
	r := startRecorder(t, dir, netns, addr, 64<<20, parts.Off)
	r.recording()
	r.end() // which seals
	if n := len(segments(t, dir)); n < least {
		t.Errorf("%d segments", n)
	}
	return contentsOf(t, dir)
}

// segments lists those of a ring.
func segments(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "packets-*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// truth compares what the recorder says of itself with what it has.
func (r *running) truth() {
	r.t.Helper()
	data, err := r.get("/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(data))
	if err != nil {
		r.t.Fatalf("%v in\n%s", err, data)
	}
	s, ok := r.status()
	if !ok {
		r.t.Fatal("no status")
	}
	for _, name := range []string{
		"shark_recorder_packets_total", "shark_recorder_bytes_total", "shark_recorder_dropped_packets_total", "shark_recorder_ring_oldest_time_seconds",
		"shark_recorder_part_up", "shark_recorder_received_packets_total", "shark_recorder_interfaces",
	} {
		if families[name] == nil {
			r.t.Errorf("%s is missing in\n%s", name, data)
		}
	}
	packets := families["shark_recorder_packets_total"].GetMetric()[0].GetCounter().GetValue()
	if packets == 0 || packets > float64(s.Rings[0].Recorded) {
		r.t.Errorf("the metrics have %v packets, the status later %d", packets, s.Rings[0].Recorded)
	}
	if up := families["shark_recorder_part_up"].GetMetric()[0].GetGauge().GetValue(); up != 1 {
		r.t.Errorf("the part is up: %v", up)
	}
	if oldest := s.Rings[0].Oldest; oldest.IsZero() || oldest.After(s.Now) || !oldest.Before(s.Started) {
		r.t.Errorf("the oldest packet is of %s, and the recorder began at %s", oldest, s.Started)
	}
}

// sealed reads each segment as any program does. Of the one that was being written the filler may
// have two lengths.
func sealed(t *testing.T, dir string) {
	t.Helper()
	list := segments(t, dir)
	for _, path := range list[max(0, len(list)-3):] { // the others were read before
		r, err := pcapng.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var b packet.Batch
		for err == nil {
			err = r.ReadBatch(&b)
		}
		if d := r.Damage(); len(d) > 1 || len(d) == 1 && d[0].Lost != 4 {
			t.Errorf("%s: %v", path, d)
		}
		r.Close()
	}
}
