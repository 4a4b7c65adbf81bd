package recorder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/recorder/ring"
	"shark/snapshot"
)

// turns is a part that gives, each time it is begun, a packet on each of other interfaces in
// another order, which says where it was captured, and then fails.
type turns struct {
	sink Sink
	now  int
	done chan struct{}
}

// turn are the interfaces that a part meets, one after the other.
var turn = [][]string{{"eth0", "eth1"}, {"eth2", "eth1", "eth0"}, {"eth1", "eth3"}}

func (p *turns) Run(ctx context.Context) error {
	if p.now >= len(turn) {
		p.done <- struct{}{}
		<-ctx.Done()
		return nil
	}
	var met []packet.Interface
	for i, name := range turn[p.now] {
		met = append(met, packet.Interface{Link: 1, Name: name})
		for at := range met { // one that is met later comes between
			data := []byte("captured on " + met[at].Name)
			p.sink.Write([]packet.Record{{Data: data, OrigLen: uint32(len(data)), Link: 1, Interface: uint32(at), Time: time.Now().UnixNano()}}, met)
		}
		p.sink.Lost(uint32(i), 1, met)
	}
	return errors.New("a cable was pulled")
}

func (*turns) Report() Report { return Report{} }

// A part that is begun again with other interfaces in another order has each packet recorded on
// its own interface.
func TestInterfacesOfRestarts(t *testing.T) {
	dir := t.TempDir()
	done := make(chan struct{})
	began := -1
	part := Part{"packets", func(_ context.Context, s Sinks) (Running, error) {
		began++
		return &turns{s.Packets, began, done}, nil
	}}
	r, err := Open(t.Context(), Options{Dir: dir, Ring: ring.Options{Node: "node-a", Bytes: 8 << 20}, Retry: time.Millisecond, Parts: []Part{part}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	<-done
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	pinned, err := r.Recording().Pin(time.Unix(0, 0), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	got, lost := onInterfaces(t, pinned)
	if err := pinned.Release(); err != nil {
		t.Error(err)
	}
	want := map[string]int{"eth0": 3, "eth1": 5, "eth2": 3, "eth3": 1}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%d packets on %s, want %d", got[name], name, n)
		}
	}
	if lost != 7 {
		t.Errorf("%d packets were lost, want 7", lost)
	}
}

// onInterfaces counts the packets of each interface, which have to say its name, and those dropped.
func onInterfaces(t *testing.T, pinned snapshot.Pinned) (count map[string]int, lost uint64) {
	t.Helper()
	count = make(map[string]int)
	src := pinned.Open()
	defer src.Close()
	var b packet.Batch
	for src.ReadBatch(&b) == nil {
		for _, r := range b.Records {
			name := src.Interfaces()[r.Interface].Name
			if count[name]++; string(r.Data) != "captured on "+name {
				t.Errorf("a packet that was %s is recorded on %s", r.Data, name)
			}
		}
	}
	for _, f := range src.Interfaces() {
		if f.Dropped != nil {
			lost += *f.Dropped
		}
	}
	return count, lost
}

// heard is a sink that writes down what it is given.
type heard []string

func (h *heard) Write(records []packet.Record, interfaces []packet.Interface) {
	for _, r := range records {
		*h = append(*h, fmt.Sprintf("%s on %s", r.Data, interfaces[r.Interface].Name))
	}
}

func (h *heard) Lost(i uint32, n uint64, interfaces []packet.Interface) {
	*h = append(*h, fmt.Sprintf("lost %d on %s%s", n, interfaces[i].Name, interfaces[i].Description))
}

// Of more interfaces than are told apart the packets are lost, and that is said.
func TestTooManyInterfaces(t *testing.T) {
	var h heard
	n := newNumbered(&h, 2)
	for begun := range 3 {
		s := n.begin()
		met := []packet.Interface{{Link: 1, Name: "lo"}, {Link: 1, Name: fmt.Sprint("eth", begun)}}
		s.Write([]packet.Record{{Data: []byte("a"), Interface: 1}, {Data: []byte("b"), Interface: 0}}, met)
		s.Lost(1, 5, met)
	}
	want := []string{
		"a on eth0", "b on lo", "lost 5 on eth0",
		"lost 1 on " + tooMany, "b on lo", "lost 5 on " + tooMany,
		"lost 1 on " + tooMany, "b on lo", "lost 5 on " + tooMany,
	}
	if !slices.Equal(h, want) || len(n.all) != 3 || len(n.numbers) != 3 {
		t.Errorf("%s\nwant\n%s\n%d interfaces", strings.Join(h, "\n"), strings.Join(want, "\n"), len(n.all))
	}
}
