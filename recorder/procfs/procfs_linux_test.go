package procfs

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shark/bpf/bpftest"
)

func TestStat(t *testing.T) {
	line := func(comm, state, parent, start string) string {
		return "77 (" + comm + ") " + state + " " + parent + " 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 " + start + " 1 2"
	}
	for _, c := range []struct {
		name, line string
		want       Stat
		ok         bool
	}{
		{"plain", line("cat", "S", "5", "123"), Stat{"cat", 5, 1230 * time.Millisecond}, true},
		{"a name that looks like the rest", line("a) R 1 (b", "S", "5", "123"), Stat{"a) R 1 (b", 5, 1230 * time.Millisecond}, true},
		{"zombie", line("cat", "Z", "5", "123"), Stat{}, false},
		{"dead", line("cat", "X", "5", "123"), Stat{}, false},
		{"nothing", "", Stat{}, false},
		{"no end of the name", "77 (cat", Stat{}, false},
		{"cut", "77 (cat) S 5 1 1", Stat{}, false},
		{"no number", line("cat", "S", "5", "x"), Stat{}, false},
		{"no time", line("cat", "S", "5", "18446744073709551615"), Stat{}, false},
		{"no parent", line("cat", "S", "-5", "1"), Stat{}, false},
	} {
		if got, ok := parseStat([]byte(c.line)); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v, %v; want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("77 (cat) S 5 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123 1 2"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parseStat(b); ok && (s.Started < 0 || s.Started%Tick != 0) {
			t.Errorf("started %d", s.Started)
		}
	})
}

// A process of the test's own is what it was started as.
func TestProcess(t *testing.T) {
	before := SinceBoot()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	pid := uint32(cmd.Process.Pid)
	bpftest.Until(t, "it has become sleep", func() bool { return strings.HasPrefix(string(Read(pid, "cmdline")), "sleep\x00") })
	s, ok := StatOf(pid)
	if !ok || s.Comm != "sleep" || s.Parent != uint32(os.Getpid()) || s.Started < before.Truncate(Tick)-Tick || s.Started > SinceBoot() {
		t.Errorf("%+v, %v; it was started after %v", s, ok, before)
	}
	if n := NetNS(pid); n == 0 || n != NetNS(uint32(os.Getpid())) {
		t.Errorf("it is in the network namespace %d, not in the test's own %d", n, NetNS(uint32(os.Getpid())))
	}
	pids, err := PIDs(Root)
	if err != nil || !slices.Contains(pids, pid) || !slices.IsSorted(pids) {
		t.Errorf("it is not in the list of processes: %v", err)
	}
}

func TestNoProcess(t *testing.T) {
	const nobody = 1<<32 - 1 // no kernel has so many
	if _, ok := StatOf(nobody); ok || NetNS(nobody) != 0 || Read(nobody, "stat") != nil {
		t.Error("there is a process where none can be")
	}
	if _, err := PIDs(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("there are processes in no folder")
	}
}

func TestSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	self := uint32(os.Getpid())
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	found := 0
	looked := Sockets(self, 1<<16, func(inode uint64) {
		if inode == st.Ino {
			found++
		}
	})
	if found != 2 || looked < 2 { // the listener and its duplicate
		t.Errorf("socket %d was found %d times, want 2", st.Ino, found)
	}
	some := 0
	if looked := Sockets(self, 1, func(uint64) { some++ }); some > 1 || looked != 1 {
		t.Errorf("%d sockets of one descriptor of %d", some, looked)
	}
	lines := 0
	if all, err := Lines(self, "status", 3, func(string) { lines++ }); all || err != nil || lines != 3 {
		t.Errorf("%d lines, want 3; %v, %v", lines, all, err)
	}
	if all, err := Lines(self, "comm", 1, func(line string) {
		if !strings.HasPrefix(os.Args[0][strings.LastIndexByte(os.Args[0], '/')+1:], line) {
			t.Errorf("its name is %q", line)
		}
	}); !all || err != nil {
		t.Errorf("%v, %v", all, err)
	}
}

// The clocks are as far apart as they say.
func TestRealtime(t *testing.T) {
	before := time.Now()
	now := time.Unix(0, int64(SinceBoot()+Realtime()))
	after := time.Now()
	const spread = time.Minute // far more than the readings of the clocks take
	if now.Before(before.Add(-spread)) || now.After(after.Add(spread)) {
		t.Errorf("it is %v, between %v and %v", now, before, after)
	}
}
