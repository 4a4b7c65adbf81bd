package recorder

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/packet"
	"shark/recorder/metrics"
	"shark/recorder/ring"
)

// generated is a part that makes packets, and ends with an error when it is told to.
type generated struct {
	sink  Sink
	fail  chan error
	n     uint64
	begun *int
	mu    *sync.Mutex
}

var generatedOn = []packet.Interface{{Link: 1, Name: "eth0"}}

func (g *generated) Run(ctx context.Context) error {
	g.mu.Lock()
	*g.begun++
	g.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-g.fail:
			return err
		default:
		}
		g.n++
		data := binary.BigEndian.AppendUint64(nil, g.n)
		g.sink.Write([]packet.Record{{Data: data, OrigLen: 8, Link: 1, Time: time.Now().UnixNano()}}, generatedOn)
		g.sink.Lost(0, 1, generatedOn)
	}
}

func (g *generated) Report() Report {
	return Report{Missing: []string{"colours"}, Metrics: []metrics.Family{metrics.One("shark_recorder_generated", metrics.Gauge, 1, "It is generated.")}}
}

func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); {
		<-time.After(time.Millisecond)
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// logged is a log that tests read.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A part that cannot work is reported and leaves the others alone; one that fails is begun
// again; what is given is in the ring when Run returns.
func TestParts(t *testing.T) {
	fail := make(chan error)
	var begun int
	var mu sync.Mutex
	log := new(logged)
	refused := errors.New("the kernel has none of that")
	tries := 0
	r, err := Open(t.Context(), Options{
		Dir: t.TempDir(), Ring: ring.Options{Node: "node-a", Bytes: 8 << 20}, Retry: time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil)),
		Parts: []Part{
			{"packets", func(_ context.Context, s Sinks) (Running, error) {
				return &generated{sink: s.Packets, fail: fail, begun: &begun, mu: &mu}, nil
			}},
			{"tls", func(context.Context, Sinks) (Running, error) { tries++; return nil, refused }},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	within(t, "it records", func() bool { return r.Status().Rings[0].Recorded > 100 })
	fail <- errors.New("a cable was pulled")
	within(t, "the part is begun again", func() bool { mu.Lock(); defer mu.Unlock(); return begun == 2 })
	s := r.Status()
	if p := s.Parts[0]; !p.Running || p.Restarts != 1 || len(p.Missing) != 1 {
		t.Errorf("%+v", p)
	}
	if p := s.Parts[1]; p.Running || p.Reason != refused.Error() {
		t.Errorf("%+v", p)
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
	var text bytes.Buffer
	if err := metrics.Write(&text, r.Metrics()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`shark_recorder_part_up{part="packets"} 1`, `shark_recorder_part_up{part="tls"} 0`, `shark_recorder_part_restarts_total{part="packets"} 1`,
		"shark_recorder_generated 1", `shark_recorder_dropped_packets_total{reason="before_the_ring",ring="packets"}`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the metrics have no %s:\n%s", want, text.Bytes())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), refused.Error()); n != 1 {
		t.Errorf("the log says %d times why a part does not work:\n%s", n, log)
	}
	if !strings.Contains(log.String(), "a cable was pulled") {
		t.Errorf("the log does not say why a part ended:\n%s", log)
	}
	recorded := r.Status().Rings[0].Recorded
	p, err := r.Recording().Pin(time.Unix(0, 0), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	src := p.Open()
	defer src.Close()
	var b packet.Batch
	n := uint64(0)
	for err = nil; err == nil; n += uint64(len(b.Records)) {
		err = src.ReadBatch(&b)
	}
	if n == 0 || n > recorded {
		t.Errorf("%d packets are there, %d were recorded", n, recorded)
	}
}

// A recorder of which nothing works ends, and says why.
func TestNothing(t *testing.T) {
	refused := errors.New("the kernel has none of that")
	dir := t.TempDir()
	for range 2 { // the ring is closed again
		_, err := Open(t.Context(), Options{Dir: dir, Ring: ring.Options{Bytes: 8 << 20}, Parts: []Part{
			{"packets", func(context.Context, Sinks) (Running, error) { return nil, refused }},
		}})
		if !errors.Is(err, ErrNothing) || !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
	}
}

// A clock that is set is noticed, by how much; one that drifts is not.
func TestClock(t *testing.T) {
	real, steady := int64(1e18), int64(0)
	c := newClock(slog.New(slog.DiscardHandler))
	c.real, c.steady = func() int64 { return real }, func() int64 { return steady }
	c.offset = real
	tick := func(by, set time.Duration) {
		steady += int64(by)
		real += int64(by + set)
		c.look()
	}
	for range 100 {
		tick(time.Second, time.Millisecond) // drift
	}
	if s := c.report(); s.Steps != 0 {
		t.Errorf("%+v", s)
	}
	tick(time.Second, time.Hour)
	tick(time.Second, -3*time.Second)
	if s := c.report(); s.Steps != 2 || s.LastBy != -3 || s.Total != 3597 || s.Last.UnixNano() != real {
		t.Errorf("%+v", s)
	}
}
