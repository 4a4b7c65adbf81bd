// Package traffic makes captures of cluster traffic and tells the truth about
// them: for demonstrations, tests and measurements.
//
// A script says what the two ends of a conversation tell each other; a
// conversation makes packets of it, with handshakes, acknowledgements, checksums
// and, if wanted, the flaws of real networks and captures; a world interleaves
// many conversations by time. The same options and seed always give the same
// bytes, in memory that does not grow with the size of the capture.
package traffic

import (
	"fmt"
	"io"
	"slices"
	"time"

	"shark/packet/pcapng"
)

// Mix says how the calls are shared among protocols: any weights, 0 for none.
type Mix struct {
	HTTP, HTTP2, GRPC, DNS, Redis, Kafka, TLS float64
}

// Flaws are the probabilities, from 0 to 1, of what goes wrong.
type Flaws struct {
	Loss      float64 // a segment is lost and sent again
	Reorder   float64 // two segments arrive in the wrong order
	Duplicate float64 // a packet is captured twice
	Drop      float64 // a packet is not captured
	Midstream float64 // a connection began before the capture did
}

// Options say what to make. A number that is 0 stands for its default.
type Options struct {
	Seed   uint64
	Format pcapng.Format
	// The capture ends, with all connections closed, soon after it has reached
	// Size bytes or Calls calls. The default is 10 MB.
	Size  int64
	Calls int64
	Start time.Time // of the first packet; 2026-03-14 15:00 UTC

	Pods        int // 40
	Nodes       int // an interface each; 1
	Concurrency int // conversations at once; 64
	Ports       int // client ports of a pod, used in turn; 28232, as Linux has. More than Concurrency.
	PerConn     int // calls on a connection, on average; 12. With 1, every connection has one call.

	Mix   Mix // without any weight: HTTP 5, HTTP2 2, GRPC 3, DNS 3, Redis 4, Kafka 2, TLS 1
	Flaws Flaws

	IPv6      float64 // share of conversations over IPv6
	Gzip      float64 // share of HTTP responses that are packed
	Chunked   float64 // share of HTTP messages sent in chunks
	Pipelined float64 // share of HTTP requests sent before the last answer came
	Continue  float64 // share of HTTP uploads that wait for 100 Continue
	Huffman   bool    // HPACK strings are Huffman coded
	Body      int     // bytes of an HTTP body, instead of sizes up to a few kilobytes

	// OnCall is given every call, in the order in which they were made up; the
	// Call is its to keep. An error ends the run.
	OnCall func(*Call) error
}

// Limits of Options.
const (
	maxPods        = 60000
	maxNodes       = 4096
	maxConcurrency = allPorts - 1
	maxBody        = 1 << 30
	maxDrop        = 0.9
)

func (o *Options) complete() error {
	for _, d := range []struct {
		n           *int
		preset, max int
		name        string
	}{
		{&o.Pods, 40, maxPods, "pods"},
		{&o.Nodes, 1, maxNodes, "nodes"},
		{&o.Concurrency, 64, maxConcurrency, "concurrency"},
		{&o.Ports, allPorts, allPorts, "ports"},
		{&o.PerConn, 12, 1 << 30, "calls per connection"},
		{&o.Body, 0, maxBody, "body"},
	} {
		if *d.n == 0 {
			*d.n = d.preset
		}
		if *d.n < 0 || *d.n > d.max {
			return fmt.Errorf("traffic: %s: %d is not in the range 1 to %d", d.name, *d.n, d.max)
		}
	}
	if o.Ports <= o.Concurrency {
		return fmt.Errorf("traffic: %d ports are too few for %d conversations at once", o.Ports, o.Concurrency)
	}
	if o.Pods < 2 {
		return fmt.Errorf("traffic: one pod has nobody to talk to")
	}
	for _, p := range []float64{
		o.Flaws.Loss, o.Flaws.Reorder, o.Flaws.Duplicate, o.Flaws.Drop, o.Flaws.Midstream,
		o.IPv6, o.Gzip, o.Chunked, o.Pipelined, o.Continue,
	} {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("traffic: a share of %v is not in the range 0 to 1", p)
		}
	}
	if o.Flaws.Drop > maxDrop {
		return fmt.Errorf("traffic: a capture that loses %v of its packets would take for ever", o.Flaws.Drop)
	}
	if o.Size < 0 || o.Calls < 0 {
		return fmt.Errorf("traffic: size %d, calls %d", o.Size, o.Calls)
	}
	if o.Size == 0 && o.Calls == 0 {
		o.Size = 10e6
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC)
	}
	if y := o.Start.Year(); y < 1970 || y > 2200 {
		return fmt.Errorf("traffic: no capture begins in the year %d", y)
	}
	if o.Mix == (Mix{}) {
		o.Mix = Mix{HTTP: 5, HTTP2: 2, GRPC: 3, DNS: 3, Redis: 4, Kafka: 2, TLS: 1}
	}
	m := o.Mix
	if slices.Min([]float64{m.HTTP, m.HTTP2, m.GRPC, m.DNS, m.Redis, m.Kafka, m.TLS}) < 0 {
		return fmt.Errorf("traffic: a protocol has a weight below 0")
	}
	return nil
}

// Generate writes a capture to out and returns what is in it.
func Generate(out io.Writer, o Options) (*Truth, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	file, err := pcapng.NewWriter(out, pcapng.Options{
		Format: o.Format, Link: ethernet, Nanosecond: true, Application: "trafficgen",
	})
	if err != nil {
		return nil, fmt.Errorf("traffic: %w", err)
	}
	m := newMixer(&o, file)
	if err := m.run(); err != nil {
		return nil, fmt.Errorf("traffic: %w", err)
	}
	if err := m.world.close(o.Format); err != nil {
		return nil, fmt.Errorf("traffic: %w", err)
	}
	return &m.world.truth, nil
}
