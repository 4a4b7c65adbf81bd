package packets

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/packet/filter"
	"shark/recorder/netns"
	"shark/recorder/packets/packetstest"
)

// spaces is a choice of namespaces that changes.
type spaces struct {
	mu   sync.Mutex
	list []*space
}

func (s *spaces) has(n Namespace) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return only(s.list...)(n)
}

func (s *spaces) add(n *space) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, n)
}

// captured lists the interfaces that are.
func (c *running) captured() string {
	var names []string
	for _, i := range c.Status().Interfaces {
		if i.Err == nil {
			names = append(names, NameOf(&i.Device))
		}
	}
	return strings.Join(names, " ")
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Namespaces and devices that come are captured, those that go are let go of, and nothing is left
// of them.
func TestFollow(t *testing.T) {
	var chosen spaces
	sink := &all{}
	c := start(t, Options{Namespaces: chosen.has, Rescan: 20 * time.Millisecond, RingBytes: 1 << 20}, sink)
	g := newGenerator(t, 14)
	descriptorsBefore, goroutinesBefore := 0, 0
	var held []*os.File // of namespaces that ended, whose numbers no other gets so
	for round := range 4 {
		s := newSpace(t)
		ns, err := os.Open(s.Path())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, ns)
		s.ip("link set dev lo up")
		chosen.add(s)
		bpftest.Until(t, "loopback captured", func() bool { return c.captured() == s.names("lo") })
		s.pair("x", "y")
		bpftest.Until(t, "the pair captured", func() bool {
			return c.captured() == strings.Join([]string{s.names("lo"), s.names("y"), s.names("x")}, " ")
		})
		if err := g.inject(s, "x", 1000, packetstest.Frame(100)); err != nil {
			t.Fatal(err)
		}
		s.ip("link del dev x") // what came before it went is not lost
		bpftest.Until(t, "the pair gone", func() bool { return c.captured() == s.names("lo") })
		bpftest.Until(t, "all read", func() bool { return c.Status().Received >= uint64(round+1)*1000 })
		s.end()
		bpftest.Until(t, "the namespace gone", func() bool { st := c.Status(); return len(st.Namespaces) == 0 && st.RingBytes == 0 })
		bpftest.Until(t, "the descriptors closed", func() bool { return round == 0 || descriptors(t)-len(held) <= descriptorsBefore })
		bpftest.Until(t, "the goroutines ended", func() bool { return round == 0 || runtime.NumGoroutine() <= goroutinesBefore })
		if round == 0 {
			descriptorsBefore, goroutinesBefore = descriptors(t)-len(held), runtime.NumGoroutine()
		}
	}
	c.stop()
	for _, ns := range held {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := len(sink.records); n != 4000 || sink.lost > 0 {
		t.Errorf("%d packets, %d lost, want 4000", n, sink.lost)
	}
	for i := range sink.records {
		if want := uint64(i + 1); numbered(sink.records[i].Data) != want {
			t.Fatalf("packet %d is the %d.", numbered(sink.records[i].Data), want)
		}
	}
	for _, i := range sink.interfaces {
		if inode := strings.Split(i.Name, "@"); len(inode) != 2 || i.Description != "netns "+inode[1] {
			t.Errorf("interface %q: %q", i.Name, i.Description)
		}
	}
}

// processes makes a folder like /proc of some namespaces, the first one the host's.
func processes(t *testing.T, list ...*space) string {
	t.Helper()
	dir := t.TempDir()
	for i, s := range list {
		if err := os.Symlink(fmt.Sprintf("/proc/%d", s.PID), filepath.Join(dir, fmt.Sprint(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The host's end of a pair is captured only while the other end is not.
func TestHostSides(t *testing.T) {
	host, pod := newSpace(t), newSpace(t)
	join(host, pod)
	host.ip("link add name own type veth peer name owner", "link set dev own up", "link set dev owner up")
	proc := processes(t, host, pod)
	var chosen spaces
	chosen.add(host)
	c := start(t, Options{Namespaces: chosen.has, NoLoopback: true, Rescan: 20 * time.Millisecond, RingBytes: 1 << 20, Proc: proc, Named: []string{}}, &all{})
	has := func(names ...string) func() bool {
		return func() bool {
			got := " " + c.captured() + " "
			for _, n := range names {
				if !strings.Contains(got, " "+n+" ") {
					return false
				}
			}
			return len(strings.Fields(got)) == len(names)
		}
	}
	bpftest.Until(t, "the host's captured", has("eth0", "own", "owner"))
	chosen.add(pod)
	bpftest.Until(t, "the pod's captured and not the host's end", has(pod.names("eth0"), "own", "owner"))
	both := start(t, Options{Namespaces: chosen.has, NoLoopback: true, HostSides: true, RingBytes: 1 << 20, Proc: proc, Named: []string{}}, &all{})
	if got := both.captured(); len(strings.Fields(got)) != 4 {
		t.Errorf("with both sides: %s", got)
	}
	if err := os.Remove(filepath.Join(proc, "2")); err != nil {
		t.Fatal(err)
	}
	bpftest.Until(t, "the host's captured again", has("eth0", "own", "owner"))
}

// Rings never have more memory than they may; who gets none is told.
func TestMemoryBound(t *testing.T) {
	s := newSpace(t)
	for i := range 6 {
		s.pair(fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i))
	}
	c := start(t, Options{Namespaces: only(s), NoLoopback: true, RingBytes: 4 << 20, MemoryBytes: 8 << 20}, &all{})
	var sum int64
	without := 0
	for _, i := range c.Status().Interfaces {
		sum += i.RingBytes
		if i.Err != nil {
			if without++; !strings.Contains(i.Err.Error(), "memory") && !strings.Contains(i.Err.Error(), "rings have all") {
				t.Error(i.Err)
			}
		}
	}
	if sum != c.Status().RingBytes || sum > 8<<20 || sum < 7<<20 || without != 12-8 {
		t.Errorf("rings have %d bytes, and %d devices none", sum, without)
	}
}

// Memory for one small ring is enough for a device; less is an error that says how much is needed.
func TestLittleMemory(t *testing.T) {
	for _, bytes := range []int64{LeastMemory, 4<<20 + 4096, 15 << 20} {
		s := newSpace(t)
		s.pair("a", "b")
		sink := &all{}
		c := start(t, Options{Namespaces: only(s), Devices: devices("a"), MemoryBytes: bytes}, sink)
		if st := c.Status(); len(st.Interfaces) != 1 || st.Interfaces[0].Err != nil || st.RingBytes == 0 || st.RingBytes > bytes {
			t.Fatalf("with %d bytes: %+v", bytes, st)
		}
		if err := newGenerator(t, 14).inject(s, "a", 100, packetstest.Frame(64)); err != nil {
			t.Fatal(err)
		}
		c.stop()
		if n := len(sink.of(s.names("a"))) + int(sink.lost); n != 100 {
			t.Errorf("with %d bytes %d packets of 100 are accounted for", bytes, n)
		}
	}
	if _, err := Open(Options{MemoryBytes: LeastMemory - 1}); err == nil || !strings.Contains(err.Error(), fmt.Sprint(int64(LeastMemory))) {
		t.Errorf("%v", err)
	}
}

// Options that cannot be met are errors.
func TestRefused(t *testing.T) {
	loop, err := filter.Compile("ip protochain 6")
	if err != nil {
		t.Fatal(err)
	}
	for what, o := range map[string]Options{
		"no memory": {RingBytes: 1 << 20, MemoryBytes: 1 << 19},
		"no ring":   {RingBytes: 4096},
		"loop":      {Rules: []filter.Rule{{Filter: loop, SnapLen: 1}}},
		"no /proc":  {Proc: filepath.Join(t.TempDir(), "none")},
	} {
		if c, err := Open(o); err == nil {
			t.Errorf("%s: no error", what)
			_ = c.Close()
		}
	}
}

// childVar names the namespace that a child without rights is to be refused.
const childVar = "SHARK_TEST_REFUSED"

// Who may not enter namespaces captures in his own, and says of the others why not.
func TestWithoutRights(t *testing.T) {
	if other := os.Getenv(childVar); other != "" {
		withoutRights(t, other)
		return
	}
	bpftest.Root(t, "setpriv")
	own, other := newSpace(t), newSpace(t)
	own.pair("a", "b")
	other.pair("a", "b")
	cmd := exec.Command("nsenter", "--net="+own.Path(), "setpriv", "--bounding-set=-sys_admin", os.Args[0], "-test.run=^TestWithoutRights$", "-test.v")
	cmd.Env = append(os.Environ(), childVar+"="+strconv.FormatUint(other.Inode, 10))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v: %s", err, out)
	}
}

func withoutRights(t *testing.T, other string) {
	c := start(t, Options{
		Namespaces: func(n Namespace) bool { return n.Own || strconv.FormatUint(n.Inode, 10) == other },
		RingBytes:  1 << 20,
	}, &all{})
	s := c.Status()
	if len(s.Namespaces) != 2 || len(s.Interfaces) != 2 {
		t.Fatalf("%+v", s)
	}
	for _, n := range s.Namespaces {
		if refused := errors.Is(n.Err, netns.ErrRefused); refused == n.Own || n.Own && n.Err != nil {
			t.Errorf("namespace %d: %v", n.Inode, n.Err)
		}
	}
	if _, err := Open(Options{Namespaces: func(n Namespace) bool { return strconv.FormatUint(n.Inode, 10) == other }}); !errors.Is(err, netns.ErrRefused) {
		t.Errorf("the other's alone: %v", err)
	}
}
