package recorder

import (
	"runtime"
	"runtime/debug"
	"time"

	"shark/recorder/metrics"
	"shark/recorder/ring"
)

// Status is what a recorder does, and what it cannot and why.
type Status struct {
	Node    string       `json:"node"`
	Version string       `json:"version,omitempty"`
	Started time.Time    `json:"started"`
	Now     time.Time    `json:"now"`
	Parts   []PartStatus `json:"parts"`
	// Capabilities are those that the process has.
	Capabilities []string     `json:"capabilities,omitempty"`
	Rings        []RingStatus `json:"rings"`
	Clock        ClockStatus  `json:"clock"`
	Memory       MemoryStatus `json:"memory"`
}

// RingStatus is how a ring does. Packets = Recorded + Dropped, of which some were LostBefore they
// reached it.
type RingStatus struct {
	Name        string    `json:"name"`
	Oldest      time.Time `json:"oldest,omitzero"` // packet
	Bytes       int64     `json:"bytes"`           // on disk
	MostBytes   int64     `json:"most_bytes"`
	MostSeconds float64   `json:"most_seconds,omitempty"` // age of packets
	Segments    int       `json:"segments"`
	Recorded    uint64    `json:"recorded"`
	Captured    uint64    `json:"captured_bytes"` // of the packets recorded
	Dropped     Drops     `json:"dropped"`
	Secrets     uint64    `json:"secrets,omitempty"`
	SecretsFrom time.Time `json:"secrets_from,omitzero"` // older ones had to go before their packets
	// IdentityLost are records of who had which address that could not be kept.
	IdentityLost uint64    `json:"identity_lost,omitempty"`
	Error        string    `json:"error,omitempty"` // the disk's last
	Failed       time.Time `json:"failed,omitzero"` // when that was
}

// Drops are packets by what became of them.
type Drops struct {
	Before uint64 `json:"before_the_ring"` // in the kernel, mostly: nobody fetched them in time
	Memory uint64 `json:"no_memory"`       // the disk is slow
	Disk   uint64 `json:"not_written"`     // the disk is full, or fails
}

func (d Drops) sum() uint64 { return d.Before + d.Memory + d.Disk }

// MemoryStatus is the program's own memory, in bytes.
type MemoryStatus struct {
	Heap       uint64 `json:"heap"`
	Total      uint64 `json:"total"` // from the system
	Limit      int64  `json:"limit"` // that the program keeps to
	Goroutines int    `json:"goroutines"`
}

// Status returns how the recorder does.
func (r *Recorder) Status() Status {
	s := Status{
		Node: r.o.Ring.Node, Version: r.o.Version, Started: r.began.UTC(), Now: time.Now().UTC(),
		Capabilities: r.o.Capabilities,
		Clock:        r.clock.report(), Memory: memory(),
	}
	rings := r.rings()
	s.Rings = rings[:]
	s.Parts = r.parts.Status()
	return s
}

func (r *Recorder) rings() [2]RingStatus {
	return [2]RingStatus{r.ring("packets", r.packets), r.ring(plaintextFolder, r.plaintext)}
}

func (r *Recorder) ring(name string, w *ring.Writer) RingStatus {
	from, o := w.Status(), w.Options()
	s := RingStatus{
		Name: name, Oldest: from.Oldest, Bytes: from.Kept, MostBytes: o.Bytes, MostSeconds: o.Age.Seconds(), Segments: from.Segments,
		Recorded: from.Recorded, Captured: from.Bytes,
		Dropped: Drops{Before: from.Lost, Disk: from.Unwritten, Memory: from.Dropped - min(from.Dropped, from.Lost+from.Unwritten)},
		Secrets: from.Secrets, SecretsFrom: from.SecretsFrom, IdentityLost: from.IdentityLost,
	}
	if from.Err != nil {
		s.Error, s.Failed = from.Err.Error(), from.Failed
	}
	return s
}

func memory() MemoryStatus {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return MemoryStatus{Heap: m.HeapAlloc, Total: m.Sys - m.HeapReleased, Limit: debug.SetMemoryLimit(-1), Goroutines: runtime.NumGoroutine()}
}

// Metrics returns what Prometheus is told.
func (r *Recorder) Metrics() []metrics.Family {
	s := r.Status()
	all := []metrics.Family{
		{Name: "shark_recorder_info", Kind: metrics.Gauge, Help: "Whose recorder it is, and its version.", Samples: []metrics.Sample{
			{Labels: labels("node", s.Node, "version", s.Version), Value: 1},
		}},
		metrics.One("shark_recorder_start_time_seconds", metrics.Gauge, seconds(s.Started), "When the recorder started, since 1970."),
		metrics.One("shark_recorder_clock_steps_total", metrics.Counter, float64(s.Clock.Steps), "How often the node's clock was set."),
		metrics.One("shark_recorder_memory_bytes", metrics.Gauge, float64(s.Memory.Total), "Memory that the recorder has from the system."),
		metrics.One("shark_recorder_memory_limit_bytes", metrics.Gauge, float64(s.Memory.Limit), "Memory that the recorder keeps to."),
		metrics.One("shark_recorder_goroutines", metrics.Gauge, float64(s.Memory.Goroutines), "Goroutines of the recorder."),
	}
	all = append(all, ringMetrics(s.Rings)...)
	all = append(all, metrics.One("shark_recorder_identity_lost_total", metrics.Counter, float64(s.Rings[0].IdentityLost), "Records of who owns what that could not be kept."))
	up := metrics.Family{Name: "shark_recorder_part_up", Kind: metrics.Gauge, Help: "Whether a part of the recorder works: 1 or 0."}
	restarts := metrics.Family{Name: "shark_recorder_part_restarts_total", Kind: metrics.Counter, Help: "How often a part ended and was begun again."}
	missing := metrics.Family{Name: "shark_recorder_part_missing", Kind: metrics.Gauge, Help: "How many things a part that works cannot do here; the status says which and why."}
	for _, p := range r.parts.parts {
		status, own := p.report()
		all = append(all, own...)
		value := 0.0
		if status.Running {
			value = 1
		}
		l := labels("part", status.Name)
		up.Samples = append(up.Samples, metrics.Sample{Labels: l, Value: value})
		restarts.Samples = append(restarts.Samples, metrics.Sample{Labels: l, Value: float64(status.Restarts)})
		missing.Samples = append(missing.Samples, metrics.Sample{Labels: l, Value: float64(len(status.Missing))})
	}
	return append(all, up, restarts, missing)
}

func ringMetrics(rings []RingStatus) []metrics.Family {
	f := func(name string, kind metrics.Kind, help string) *metrics.Family {
		return &metrics.Family{Name: "shark_recorder_" + name, Kind: kind, Help: help}
	}
	recorded := f("packets_total", metrics.Counter, "Packets recorded.")
	captured := f("bytes_total", metrics.Counter, "Bytes of the packets recorded, as captured.")
	dropped := f("dropped_packets_total", metrics.Counter, "Packets that were not recorded, by reason.")
	secrets := f("tls_secrets_total", metrics.Counter, "TLS session secrets recorded.")
	oldest := f("ring_oldest_time_seconds", metrics.Gauge, "Time of the oldest packet that is kept, since 1970; 0: none is.")
	size := f("ring_bytes", metrics.Gauge, "Bytes of the ring on disk.")
	most := f("ring_most_bytes", metrics.Gauge, "Bytes that the ring may have.")
	failing := f("ring_failing", metrics.Gauge, "Whether the disk refused something within the last minute: 1 or 0.")
	for i := range rings {
		s := &rings[i]
		add := func(f *metrics.Family, v float64, more ...string) {
			f.Samples = append(f.Samples, metrics.Sample{Labels: labels(append([]string{"ring", s.Name}, more...)...), Value: v})
		}
		add(recorded, float64(s.Recorded))
		add(captured, float64(s.Captured))
		add(dropped, float64(s.Dropped.Before), "reason", "before_the_ring")
		add(dropped, float64(s.Dropped.Memory), "reason", "no_memory")
		add(dropped, float64(s.Dropped.Disk), "reason", "not_written")
		add(secrets, float64(s.Secrets))
		add(oldest, seconds(s.Oldest))
		add(size, float64(s.Bytes))
		add(most, float64(s.MostBytes))
		bad := 0.0
		if s.Error != "" && time.Since(s.Failed) < time.Minute {
			bad = 1
		}
		add(failing, bad)
	}
	return []metrics.Family{*recorded, *captured, *dropped, *secrets, *oldest, *size, *most, *failing}
}

func labels(pairs ...string) (all []metrics.Label) {
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, metrics.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	return all
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}
