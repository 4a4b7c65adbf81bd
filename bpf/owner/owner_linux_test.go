package owner

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"shark/bpf/bpftest"
)

// The test binary is the other processes too: what one is to do stands in its environment.
func TestMain(m *testing.M) {
	if role := os.Getenv("OWNER_ROLE"); role != "" {
		if err := play(role, os.Getenv("OWNER_NETWORK"), os.Getenv("OWNER_ADDRESS")); err != nil {
			fmt.Fprintln(os.Stderr, role, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// play is a server that answers what it gets, or a client that says something whenever it is
// told to. Each says when it is ready, with its address.
func play(role, network, address string) error {
	in := bufio.NewReader(os.Stdin)
	switch {
	case role == "server" && network == "udp":
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		fmt.Println(c.LocalAddr())
		b := make([]byte, 100)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return err
			}
			if _, err := c.WriteTo(b[:n], from); err != nil {
				return err
			}
		}
	case role == "server":
		l, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		fmt.Println(l.Addr())
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go func() {
				_, _ = io.Copy(c, c)
				c.Close()
			}()
		}
	}
	for {
		c, err := net.Dial(network, address)
		if err != nil {
			return err
		}
		fmt.Println(c.LocalAddr())
		if _, err := in.ReadString('\n'); err != nil {
			return nil
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		if _, err := c.Read(make([]byte, 100)); err != nil {
			return err
		}
		c.Close()
	}
}

// actor is a process on the stage.
type actor struct {
	t      *testing.T
	s      *bpftest.Stage
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	cgroup uint64
	once   sync.Once
}

// start runs the test binary in a role, in a cgroup of its own.
func start(t *testing.T, s *bpftest.Stage, role, network, address string) *actor {
	t.Helper()
	a := &actor{t: t, s: s, cmd: exec.Command(os.Args[0], "-a-flag-of-"+role)}
	a.cmd.Env = append(os.Environ(), "OWNER_ROLE="+role, "OWNER_NETWORK="+network, "OWNER_ADDRESS="+address)
	a.cmd.Stderr = os.Stderr
	a.in, _ = a.cmd.StdinPipe()
	out, _ := a.cmd.StdoutPipe()
	a.out = bufio.NewReader(out)
	a.cgroup = s.Start(t, a.cmd, role)
	t.Cleanup(a.stop)
	return a
}

func (a *actor) stop() {
	a.once.Do(func() {
		a.in.Close()
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
	})
}

// line is what the process says next.
func (a *actor) line() string {
	a.t.Helper()
	text, err := a.out.ReadString('\n')
	if err != nil {
		a.t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

func (a *actor) say() {
	a.t.Helper()
	if _, err := io.WriteString(a.in, "\n"); err != nil {
		a.t.Fatal(err)
	}
}

// heard collects the events of a run.
type heard struct {
	mu     sync.Mutex
	events []Event
}

func (h *heard) add(e *Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := *e
	c.Line = bytes.Clone(e.Line)
	h.events = append(h.events, c)
}

// all returns what was heard so far.
func (h *heard) all() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// find waits for an event.
func (h *heard) find(t *testing.T, what string, is func(*Event) bool) Event {
	t.Helper()
	var got Event
	if bpftest.Wait(func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		i := slices.IndexFunc(h.events, func(e Event) bool { return is(&e) })
		if i >= 0 {
			got = h.events[i]
		}
		return i >= 0
	}) {
		return got
	}
	t.Fatalf("no event of %s among %+v", what, h.all())
	return Event{}
}

// listen attaches the programs and hears their events until the test ends.
func listen(t *testing.T, o Options) (*Programs, *heard) {
	t.Helper()
	p, err := Open(o)
	bpftest.Need(t, "the programs", err)
	h := new(heard)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx, h.add, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, p.Close()); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return p, h
}

// Both ends of each connection are told with their own processes and cgroups, the accepted
// one too, and so are their ends.
func TestOwners(t *testing.T) {
	for _, c := range []struct{ network, address string }{{"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"udp", "127.0.0.1:0"}, {"udp", "[::1]:0"}} {
		t.Run(c.network+" "+c.address, func(t *testing.T) {
			s := bpftest.New(t)
			p, h := listen(t, Options{Netns: s.Inode, Cgroup: s.Cgroup})
			if m := p.Missing(); len(m) > 0 {
				t.Fatalf("missing: %v", m)
			}
			server := start(t, s, "server", c.network, c.address)
			there := netip.MustParseAddrPort(server.line())
			client := start(t, s, "client", c.network, there.String())
			for range 3 {
				here := netip.MustParseAddrPort(client.line())
				client.say()
				from := h.find(t, "the client", func(e *Event) bool { return e.Kind == Socket && e.Local == here && e.Remote == there })
				client.check(&from)
				h.find(t, "the client's end", func(e *Event) bool { return e.Kind == End && e.Cookie == from.Cookie })
				if c.network == "tcp" {
					to := h.find(t, "the server", func(e *Event) bool { return e.Kind == Socket && e.Local == there && e.Remote == here })
					server.check(&to)
					h.find(t, "the server's end", func(e *Event) bool { return e.Kind == End && e.Cookie == to.Cookie })
				}
			}
			to := h.find(t, "what listens", func(e *Event) bool { return e.Kind == Socket && e.Local == there && e.Remote.Port() == 0 })
			server.check(&to)
			if to.Listen != (c.network == "tcp") {
				t.Errorf("listens: %t", to.Listen)
			}
			for _, a := range []*actor{client, server} {
				pid := uint32(a.cmd.Process.Pid)
				x := h.find(t, "the process", func(e *Event) bool { return e.Kind == Process && e.Who.PID == pid })
				if want := strings.Join(a.cmd.Args, "\x00") + "\x00"; string(x.Line) != want || int(x.Length) != len(want) {
					t.Errorf("command line %q, want %q", x.Line, want)
				}
				if x.Who.Parent != uint32(os.Getpid()) || x.Who.Start == 0 || x.Who.Start > x.Time {
					t.Errorf("process %+v at %d", x.Who, x.Time)
				}
				a.stop()
				h.find(t, "the process's end", func(e *Event) bool { return e.Kind == Exit && e.Who.PID == pid && e.Who.Start == x.Who.Start })
			}
			for _, e := range h.all() {
				if e.Kind == Socket && e.Netns != s.Inode {
					t.Errorf("an event of another namespace: %+v", e)
				}
			}
		})
	}
}

// check tells whether a socket is the process's.
func (a *actor) check(e *Event) {
	a.t.Helper()
	if e.Who.PID != uint32(a.cmd.Process.Pid) || e.Who.Cgroup != a.cgroup || e.Netns != a.s.Inode || e.Cookie == 0 || e.Inode == 0 && e.Listen {
		a.t.Errorf("%+v is not of process %d, cgroup %d", e, a.cmd.Process.Pid, a.cgroup)
	}
	var clock unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &clock); err != nil {
		a.t.Fatal(err)
	}
	if now := uint64(clock.Nano()); e.Time > now || e.Since > e.Time || e.Time < now-60e9 {
		a.t.Errorf("told at %d, since %d, now %d", e.Time, e.Since, now)
	}
}

// Sockets that were there before are found with their processes, and their ends are told.
func TestExisting(t *testing.T) {
	s := bpftest.New(t)
	server := start(t, s, "server", "tcp", "127.0.0.1:0")
	there := netip.MustParseAddrPort(server.line())
	client := start(t, s, "client", "tcp", there.String())
	here := netip.MustParseAddrPort(client.line())
	p, h := listen(t, Options{Netns: s.Inode})
	if err := p.Existing(h.add); err != nil {
		t.Fatal(err)
	}
	from := h.find(t, "the client", func(e *Event) bool { return e.Existing && e.Local == here && e.Remote == there })
	client.check(&from)
	to := h.find(t, "the listener", func(e *Event) bool { return e.Existing && e.Local == there && e.Listen })
	server.check(&to)
	accepted := h.find(t, "the server", func(e *Event) bool { return e.Existing && e.Local == there && e.Remote == here })
	server.check(&accepted)
	client.say()
	h.find(t, "the client's end", func(e *Event) bool { return e.Kind == End && e.Cookie == from.Cookie })
	h.find(t, "the server's end", func(e *Event) bool { return e.Kind == End && e.Cookie == accepted.Cookie })
	server.stop()
	h.find(t, "the process's end", func(e *Event) bool { return e.Kind == Exit && e.Who == accepted.Who })
}

// What finds no room is counted: no socket is neither told of nor counted.
func TestPressure(t *testing.T) {
	s := bpftest.New(t)
	p, err := Open(Options{Netns: s.Inode, Ring: os.Getpagesize()})
	bpftest.Need(t, "the programs", err)
	defer p.Close()
	server := start(t, s, "server", "tcp", "127.0.0.1:0")
	client := start(t, s, "client", "tcp", server.line())
	const calls = 60
	for range calls {
		client.line()
		client.say()
	}
	client.line()
	h := new(heard)
	ctx, cancel := context.WithCancel(t.Context())
	if err := p.Run(ctx, h.add, cancel); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	lost, err := p.Lost()
	if err != nil {
		t.Fatal(err)
	}
	sockets := uint64(0)
	for i := range h.events {
		if h.events[i].Kind == Socket {
			sockets++
		}
	}
	// The listener, and both ends of each call. What was lost is tried again at the next send.
	if lost.Sockets == 0 || sockets == 0 || sockets+lost.Sockets < 2*calls+1 {
		t.Errorf("%d sockets told of, lost %+v", sockets, lost)
	}
}

// What a kernel in lockdown answers to a program on a function is that it is not available,
// which the kinds of programs used here are.
func TestUnsupported(t *testing.T) {
	p, err := Open(Options{})
	bpftest.Need(t, "the programs", err)
	defer p.Close()
	if m := p.Missing(); len(m) != 1 || m[0].Program != ownerProgClosed || !errors.Is(m[0], errors.ErrUnsupported) {
		t.Errorf("missing without a cgroup: %v", m)
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: "bpf_fentry_test1", License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err == nil {
		l, e := link.AttachTracing(link.TracingOptions{Program: prog})
		if err = e; e == nil {
			l.Close()
		}
		prog.Close()
	}
	if err == nil {
		t.Log("this kernel has fentry")
	} else if !errors.Is(unsupported(err), errors.ErrUnsupported) {
		t.Errorf("fentry: %v", err)
	}
	var missing Options
	missing.Cgroup = "/proc/self" // no cgroup
	q, err := Open(missing)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if m := q.Missing(); len(m) != 1 || !errors.Is(m[0].Err, errors.ErrUnsupported) {
		t.Errorf("missing with a wrong cgroup: %v", m)
	}
}

// The objects are for both machines, and the other's can be read here.
func TestObjects(t *testing.T) {
	for _, name := range []string{"owner_x86_bpfel.o", "owner_arm64_bpfel.o"} {
		spec, err := ebpf.LoadCollectionSpec(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range purposes {
			if spec.Programs[x.program] == nil {
				t.Errorf("%s has no program %s", name, x.program)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(make([]byte, socketSize))
	f.Add(append([]byte{3, 0, 10, 0}, make([]byte, lineAt+10)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Event
		if e.decode(b) && len(e.Line) > len(b) {
			t.Fatal("a line from nowhere")
		}
	})
}
