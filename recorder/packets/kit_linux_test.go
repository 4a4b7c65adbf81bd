package packets

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"sync"
	"testing"

	"shark/bpf/bpftest"
	"shark/packet"
	"shark/recorder/packets/packetstest"
)

// space is a network namespace of a test.
type space struct {
	*packetstest.Space
	t testing.TB
}

// newSpace makes a namespace in which nobody sends by himself.
func newSpace(t testing.TB) *space {
	t.Helper()
	bpftest.Root(t, "ip", "nsenter", "sleep")
	s, err := packetstest.NewSpace()
	if err != nil {
		t.Fatal(err)
	}
	n := &space{s, t}
	t.Cleanup(n.end)
	return n
}

func (n *space) end() {
	if err := n.End(); err != nil {
		n.t.Error(err)
	}
}

// in runs a function on a thread in the namespace.
func (n *space) in(run func() error) {
	n.t.Helper()
	if err := n.Do(run); err != nil {
		n.t.Fatal(err)
	}
}

// ip runs ip in the namespace, once a line.
func (n *space) ip(lines ...string) {
	n.t.Helper()
	if err := n.IP(lines...); err != nil {
		n.t.Fatal(err)
	}
}

// pair makes a pair of devices in the namespace.
func (n *space) pair(a, b string) {
	n.t.Helper()
	if err := n.Pair(a, b); err != nil {
		n.t.Fatal(err)
	}
}

// generator injects frames.
type generator struct{ *packetstest.Generator }

func newGenerator(t testing.TB, headers int) *generator {
	t.Helper()
	g, err := packetstest.NewGenerator(headers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return &generator{g}
}

// inject injects n frames into a device of a namespace, at full speed.
func (g *generator) inject(s *space, device string, n int, frame []byte) error {
	index, err := s.Index(device)
	if err != nil {
		return err
	}
	return s.Do(func() error { return g.Run(index, n, frame) })
}

// only chooses namespaces of the test.
func only(list ...*space) func(Namespace) bool {
	return func(n Namespace) bool {
		for _, s := range list {
			if s.Inode == n.Inode {
				return true
			}
		}
		return false
	}
}

// devices chooses devices by name.
func devices(names string) func(Device) bool {
	return func(d Device) bool { return strings.Contains(" "+names+" ", " "+d.Name+" ") }
}

// numbered returns the number of a frame of a generator.
func numbered(data []byte) uint64 { return binary.LittleEndian.Uint64(data[14:]) }

// running is a capture that runs.
type running struct {
	*Capture
	t    testing.TB
	stop func() // and wait for the end
}

// start opens a capture and runs it into a sink.
func start(t testing.TB, o Options, sink Sink) *running {
	t.Helper()
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, sink) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &running{c, t, stop}
}

// all keeps all that it gets.
type all struct {
	mu         sync.Mutex
	records    []packet.Record
	lost       uint64
	interfaces []packet.Interface
}

func (a *all) Write(records []packet.Record, interfaces []packet.Interface) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range records {
		r.Data = append([]byte(nil), r.Data...)
		a.records = append(a.records, r)
	}
	a.interfaces = interfaces
}

func (a *all) Lost(_ uint32, n uint64, interfaces []packet.Interface) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lost += n
	a.interfaces = interfaces
}

// of returns the packets of an interface.
func (a *all) of(name string) (list []packet.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.records {
		if a.interfaces[r.Interface].Name == name {
			list = append(list, r)
		}
	}
	return list
}

// names is the name of a device of a test's namespace.
func (n *space) names(device string) string { return device + "@" + strconv.FormatUint(n.Inode, 10) }
