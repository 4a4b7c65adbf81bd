package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/recorder/freeze"
	"shark/recorder/parts"
	"shark/snapshot"
)

// Freezes in the midst of recording lose no packet that came to the ring. What the kernel dropped
// because a busy machine let nobody fetch it is counted, and nothing else is missing.
func TestFreezeWhileRecording(t *testing.T) {
	bpftest.Root(t)
	t.Parallel()
	x := startTraffic(t, fullRate, small)
	dir := t.TempDir()
	r := startRecorder(t, dir, x.netns(), freePort(t), 1<<30, parts.Off)
	r.recording()
	for i := range 5 {
		rings, err := freeze.Rings(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := snapshot.OpenStore(t.Context(), filepath.Join(t.TempDir(), "store"))
		if err != nil {
			t.Fatal(err)
		}
		to := time.Now()
		from := to.Add(-300 * time.Millisecond)
		m, err := s.Create(t.Context(), snapshot.CreateOptions{Recordings: rings, From: from, To: to}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range m.Coverage {
			if n.Kind == snapshot.NoteDamage {
				t.Errorf("freeze %d: %v", i, n)
			}
		}
	}
	sent := x.stop()
	if s, ok := r.status(); !ok || s.Rings[0].Dropped.Memory+s.Rings[0].Dropped.Disk > 0 {
		t.Errorf("%+v", s.Rings)
	}
	r.end()
	c := contentsOf(t, dir)
	whole(t, &c, sent)
}

// whole wants all datagrams that were sent since the first that was recorded, but for exactly as
// many as are counted as dropped.
func whole(t *testing.T, c *contents, sent uint64) {
	t.Helper()
	if len(c.damage) > 0 {
		t.Errorf("damage %v", c.damage)
	}
	if len(c.numbers) == 0 {
		t.Fatal("nothing was recorded")
	}
	for i := 1; i < len(c.numbers); i++ {
		if c.numbers[i] <= c.numbers[i-1] {
			t.Fatalf("packet %d comes after %d", c.numbers[i], c.numbers[i-1])
		}
	}
	missing := sent - c.numbers[0] - uint64(len(c.numbers))
	if missing != c.dropped {
		t.Errorf("%d of %d packets are missing, and %d were dropped", missing, sent, c.dropped)
	}
	t.Logf("%d packets, %d of them dropped", sent, c.dropped)
}

// A recorder of namespaces and processes that come and go stays as it is: memory, goroutines,
// descriptors, and the bytes of its ring. SHARK_SOAK says for how long; by default it is short.
func TestSoak(t *testing.T) {
	bpftest.Root(t)
	length := 12 * time.Second
	if text := os.Getenv("SHARK_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	const ringBytes = 64 << 20
	const settled = 10 // rounds until all tables are there
	x := startTraffic(t, fullRate, small)
	dir := t.TempDir()
	r := startRecorder(t, dir, x.netns(), freePort(t), ringBytes, parts.Auto)
	r.recording()
	var first use
	began, from := time.Now(), r.use()
	end := began.Add(length)
	for round := 0; round < 2*settled || time.Now().Before(end); round++ {
		pods := []*traffic{startTraffic(t, 1000, large), startTraffic(t, 1000, large)}
		for _, p := range pods {
			p.stop()
			_ = p.cmd.Wait()
		}
		now := r.use()
		if now.bytes > ringBytes+ringBytes/4 {
			t.Fatalf("round %d: the rings have %d bytes", round, now.bytes)
		}
		if round == settled {
			first = now
		}
		if first.goroutines > 0 && (now.goroutines > first.goroutines+8 || now.descriptors > first.descriptors+16 || now.memory > 2*first.memory+64<<20) {
			t.Fatalf("round %d: %+v, at first %+v", round, now, first)
		}
	}
	last := r.use()
	took := time.Since(began).Seconds()
	t.Logf("at first %+v, at the end %+v; %.0f packets/s of %d/s that were wanted, and the recorder took %.0f %% of a processor",
		first, last, float64(last.recorded-from.recorded)/took, fullRate, (last.cpu-from.cpu).Seconds()/took*100)
	s, ok := r.status()
	if !ok || s.Rings[0].Dropped.Disk > 0 || s.Rings[0].Error != "" {
		t.Errorf("%+v", s.Rings)
	}
	t.Logf("of %d packets the kernel dropped %d and the ring %d", s.Rings[0].Recorded, s.Rings[0].Dropped.Before, s.Rings[0].Dropped.Memory)
	for _, p := range s.Parts {
		if !p.Running || p.Restarts > 0 {
			t.Errorf("%+v\n%s", p, r.log)
		}
	}
	r.end()
}

// use is what a recorder takes.
type use struct {
	goroutines, descriptors int
	memory                  uint64
	bytes                   int64
	recorded                uint64
	cpu                     time.Duration
}

func (r *running) use() (u use) {
	r.t.Helper()
	s, ok := r.status()
	if !ok {
		r.t.Fatalf("no status\n%s", r.log)
	}
	list, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(r.cmd.Process.Pid), "fd"))
	if err != nil {
		r.t.Fatal(err)
	}
	return use{s.Memory.Goroutines, len(list), s.Memory.Total, s.Rings[0].Bytes + s.Rings[1].Bytes, s.Rings[0].Recorded, r.cpu()}
}

// cpu returns how much time of processors the recorder took.
func (r *running) cpu() time.Duration {
	r.t.Helper()
	var all time.Duration
	tasks, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(r.cmd.Process.Pid), "task/*/schedstat"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, path := range tasks {
		var ran int64
		if data, err := os.ReadFile(path); err == nil { // else the thread ended
			_, _ = fmt.Sscan(string(data), &ran)
		}
		all += time.Duration(ran)
	}
	return all
}

// What the recorder keeps of its rights is what it says, in every thread, and no more can be
// gained.
func TestRights(t *testing.T) {
	bpftest.Root(t)
	t.Parallel()
	x := startTraffic(t, 1000, large)
	r := startRecorder(t, t.TempDir(), x.netns(), freePort(t), 64<<20, parts.Both)
	s, _ := r.recording()
	for _, p := range s.Parts {
		if !p.Running {
			t.Errorf("%s does not run: %s", p.Name, p.Reason)
		}
	}
	if cgo { // in which rights cannot be given up in all threads, and that is said
		if !slices.Contains(s.Capabilities, "CAP_SYS_ADMIN") || !slices.Contains(s.Capabilities, "capability 0") {
			t.Errorf("it has all rights and says it has %q", s.Capabilities)
		}
		return
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", r.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	for _, path := range tasks {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		got := make(map[string]string)
		for line := range lines(data) {
			name, value, _ := cut(line)
			got[name] = value
		}
		want := fmt.Sprintf("%016x", keptMask())
		if got["CapPrm"] != want || got["CapEff"] != want || got["NoNewPrivs"] != "1" || got["CapAmb"] != "0000000000000000" || got["CapBnd"] != want {
			t.Errorf("%s: permitted %s, effective %s, bound %s, want %s; no new privileges %s", path, got["CapPrm"], got["CapEff"], got["CapBnd"], want, got["NoNewPrivs"])
		}
	}
	r.end()
}
