package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
	"shark/recorder"
	"shark/snapshot/identity"
)

// script is a part that gives what a test says and then waits for the end.
type script func(s recorder.Sinks)

func part(name string, f script) recorder.Part {
	return recorder.Part{Name: name, Open: func(_ context.Context, s recorder.Sinks) (recorder.Running, error) { return &scripted{f, s}, nil }}
}

type scripted struct {
	f script
	s recorder.Sinks
}

func (x *scripted) Run(ctx context.Context) error {
	x.f(x.s)
	<-ctx.Done()
	return nil
}

func (*scripted) Report() recorder.Report { return recorder.Report{} }

func at(t time.Time, link packet.LinkType, i uint32, n uint64) packet.Record {
	data := binary.BigEndian.AppendUint64(nil, n)
	return packet.Record{Data: data, OrigLen: 8, Link: link, Interface: i, Time: t.UnixNano()}
}

// What several parts give, late and in any order, stands in one file in the order of time; the
// secrets before the packets, and what was dropped at the end.
func TestFile(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	eth := []packet.Interface{{Link: 1, Name: "eth0"}, {Link: 1, Name: "eth1"}}
	clear := []packet.Interface{{Link: 101, Name: "shark-plaintext"}}
	secret := keylog.Secret{Label: keylog.ClientRandom, Secret: make([]byte, 48)}
	ctx, cancel := context.WithCancel(t.Context())
	var given atomic.Int32
	done := func() {
		if given.Add(1) == 3 {
			cancel()
		}
	}
	sum, err := Run(ctx, Options{
		Node: "laptop", Out: &out,
		Parts: []recorder.Part{
			part("packets", func(s recorder.Sinks) {
				s.Packets.Write([]packet.Record{at(now.Add(4), 1, 1, 4), at(now.Add(2), 1, 0, 2)}, eth)
				s.Packets.Write([]packet.Record{at(now.Add(1), 1, 1, 1)}, eth)
				s.Packets.Lost(0, 7, eth)
				done()
			}),
			part("tls", func(s recorder.Sinks) {
				s.Plaintext.Write([]packet.Record{at(now.Add(3), 101, 0, 3)}, clear)
				for range 2 {
					if err := s.Secrets(now, secret.Append(nil)); err != nil {
						t.Error(err)
					}
				}
				done()
			}),
			part("identity", func(s recorder.Sinks) {
				if err := s.Holds(identity.Record{Time: now, Op: identity.Upsert, Kind: identity.Pod, Namespace: "shop", Name: "cart"}); err != nil {
					t.Error(err)
				}
				done()
			}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Packets != 3 || sum.Plaintext != 1 || sum.Dropped != 7 || sum.Sessions != 1 || sum.Bytes != 32 || len(sum.Parts) != 3 {
		t.Errorf("%+v", sum)
	}
	r, err := pcapng.NewReader(bytes.NewReader(out.Bytes()), "file")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	var b packet.Batch
	for {
		err := r.ReadBatch(&b)
		for i := range b.Records {
			got = append(got, r.Interfaces()[b.Records[i].Interface].Name)
			if n := binary.BigEndian.Uint64(b.Records[i].Data); n != uint64(len(got)) {
				t.Errorf("packet %d is the %dth", n, len(got))
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, []string{"eth1", "eth0", "shark-plaintext", "eth1"}) || len(r.Damage()) > 0 {
		t.Errorf("%q, damage %v", got, r.Damage())
	}
	if len(r.Secrets()) != 2 || len(r.Identity()) == 0 {
		t.Errorf("%d secrets, %d identity blocks", len(r.Secrets()), len(r.Identity()))
	}
	for _, f := range r.Interfaces() {
		if f.Name == "eth0" && (*f.Received != 8 || *f.Dropped != 7) {
			t.Errorf("eth0 received %d, dropped %d", *f.Received, *f.Dropped)
		}
	}
	if bytes.Index(out.Bytes(), secret.Append(nil)) > bytes.Index(out.Bytes(), binary.BigEndian.AppendUint64(nil, 1)) {
		t.Error("a packet stands before the secrets")
	}
}

// A part that is begun again, and meets its interfaces in another order, has its packets on the
// interfaces that they were captured on.
func TestBegunAgain(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	orders := [][]string{{"eth0", "eth1"}, {"eth1", "eth2"}}
	_, err := Run(ctx, Options{Node: "laptop", Out: &out, Parts: []recorder.Part{
		{Name: "packets", Open: func(_ context.Context, s recorder.Sinks) (recorder.Running, error) {
			order := orders[0]
			orders = orders[1:]
			return &failing{order, s.Packets, cancel, len(orders) == 0}, nil
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := pcapng.NewReader(bytes.NewReader(out.Bytes()), "file")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b packet.Batch
	n := 0
	for r.ReadBatch(&b) == nil {
		for i := range b.Records {
			n++
			if name := r.Interfaces()[b.Records[i].Interface].Name; string(b.Records[i].Data) != name {
				t.Errorf("a packet of %s is on %s", b.Records[i].Data, name)
			}
		}
	}
	if n != 4 || len(r.Interfaces()) != 3 {
		t.Errorf("%d packets on %d interfaces, want 4 on 3", n, len(r.Interfaces()))
	}
}

// failing is a part that gives a packet on each interface and ends with an error; the last one
// has the recording end.
type failing struct {
	order []string
	sink  recorder.Sink
	end   func()
	last  bool
}

func (f *failing) Run(ctx context.Context) error {
	var met []packet.Interface
	for i, name := range f.order {
		met = append(met, packet.Interface{Link: 1, Name: name})
		f.sink.Write([]packet.Record{{Data: []byte(name), OrigLen: uint32(len(name)), Link: 1, Interface: uint32(i), Time: time.Now().UnixNano()}}, met)
	}
	if f.last {
		f.end()
		<-ctx.Done()
		return nil
	}
	return errors.New("a cable was pulled")
}

func (*failing) Report() recorder.Report { return recorder.Report{} }

// full is a file of a disk that is full.
type full struct{}

var errFull = errors.New("the disk is full")

func (full) Write([]byte) (int, error) { return 0, errFull }

// A file that takes no more ends the recording, with an error that says why.
func TestFull(t *testing.T) {
	_, err := Run(t.Context(), Options{Node: "laptop", Out: full{}, Parts: []recorder.Part{part("packets", func(recorder.Sinks) {})}})
	if !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
}

// A command is recorded from its beginning to its end, and what becomes of it is told.
func TestCommand(t *testing.T) {
	idle := []recorder.Part{part("packets", func(recorder.Sinks) {})}
	command := func(args ...string) Command {
		c, err := NewCommand(args...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var said bytes.Buffer
	c := command("sh", "-c", "read x; echo got $x; exit 3")
	c.In, c.Out = strings.NewReader("this\n"), &said
	sum, err := Run(t.Context(), Options{Node: "laptop", Out: io.Discard, Parts: idle, Command: c})
	if err != nil || said.String() != "got this\n" {
		t.Errorf("%v, %q", err, said.String())
	}
	ended(t, sum.Command, 3, "exit status 3")
	sum, err = Run(t.Context(), Options{Node: "laptop", Out: io.Discard, Parts: idle, Command: command("sh", "-c", "kill -9 $$")})
	if err != nil {
		t.Error(err)
	}
	ended(t, sum.Command, 137, "signal: killed")
	if _, err := NewCommand("there is no such program"); err == nil {
		t.Error("a command that is not there is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	sum, err = Run(ctx, Options{Node: "laptop", Out: io.Discard, Parts: idle, Command: command("sleep", "1000"), Progress: func(Summary) { cancel() }})
	if err != nil || sum.Command != nil {
		t.Errorf("a recording that is to end: %v, %v", err, sum.Command)
	}
}

// ended wants a command that ended with a code.
func ended(t *testing.T, err error, code int, says string) {
	t.Helper()
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Code != code || !strings.Contains(err.Error(), says) {
		t.Errorf("%v: %+v, want code %d, %q", err, failed, code, says)
	}
}

// Without the part that is needed nothing is recorded, and the others end; where it has nothing to
// record from and nothing came, that is an error, too.
func TestNeeds(t *testing.T) {
	refused := errors.New("the kernel has none of that")
	var ended atomic.Bool
	other := recorder.Part{Name: "identity", Open: func(context.Context, recorder.Sinks) (recorder.Running, error) { return &ending{&ended}, nil }}
	none := recorder.Part{Name: "packets", Open: func(context.Context, recorder.Sinks) (recorder.Running, error) { return nil, refused }}
	c, err := NewCommand("false")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := Run(t.Context(), Options{Node: "laptop", Out: io.Discard, Parts: []recorder.Part{other, none}, Needs: "packets", Command: c})
	if !errors.Is(err, recorder.ErrNothing) || !strings.Contains(err.Error(), refused.Error()) || strings.Contains(err.Error(), "exit status") || sum.Parts != nil || !ended.Load() {
		t.Errorf("%v, %+v, the other part ended: %t", err, sum, ended.Load())
	}
	for _, idle := range []string{"", "there is no device"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Run(ctx, Options{Node: "laptop", Out: io.Discard, Needs: "packets", Progress: func(Summary) { cancel() }, Parts: []recorder.Part{
			{Name: "packets", Open: func(context.Context, recorder.Sinks) (recorder.Running, error) { return idling(idle), nil }},
		}})
		if (err == nil) != (idle == "") || err != nil && !strings.Contains(err.Error(), idle) {
			t.Errorf("%q: %v", idle, err)
		}
	}
}

// ending is a part that says when it has ended.
type ending struct{ ended *atomic.Bool }

func (x *ending) Run(ctx context.Context) error {
	<-ctx.Done()
	x.ended.Store(true)
	return nil
}

func (*ending) Report() recorder.Report { return recorder.Report{} }

// idling is a part that has nothing to record from.
type idling string

func (idling) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (x idling) Report() recorder.Report { return recorder.Report{Idle: string(x)} }
