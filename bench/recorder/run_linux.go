package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/packets/packetstest"
)

// program is one that captures: device and folder to arguments.
type program struct {
	name  string
	args  func(dir string) []string
	turns []turn
}

const device, file = "cap0", "packets"

// programs are those that are measured.
func programs() ([]*program, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []*program{
		{name: "shark", args: func(dir string) []string { return []string{self, "-capture", device, "-dir", dir} }},
		{name: "tcpdump", args: func(dir string) []string {
			return []string{"tcpdump", "-n", "-Z", "root", "-i", device, "-B", "65536", "-w", filepath.Join(dir, file)}
		}},
		{name: "dumpcap", args: func(dir string) []string {
			return []string{"dumpcap", "-q", "-i", device, "-B", "64", "-w", filepath.Join(dir, file)}
		}},
	}, nil
}

func run(ctx context.Context, w io.Writer, o options) (err error) {
	if o.capture != "" {
		return capture(ctx, o)
	}
	all, err := programs()
	if err != nil {
		return err
	}
	generator, err := packetstest.NewGenerator(14)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, generator.Close()) }()
	dir, err := os.MkdirTemp(o.dir, "bench-recorder-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var verdict error
	for _, size := range []int{64, 1514} {
		for _, p := range all {
			p.turns = nil
		}
		for round := range o.rounds {
			for _, p := range all {
				fmt.Fprintf(os.Stderr, "%d bytes, round %d: %s\n", size, round+1, p.name)
				t, err := p.turn(ctx, filepath.Join(dir, p.name), generator, size, o.frames)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				p.turns = append(p.turns, t)
			}
		}
		for _, p := range all {
			report(w, size, p.name, p.turns)
		}
		verdict = errors.Join(verdict, judge(size, all[0].turns, all[1].turns))
	}
	return verdict
}

// turn measures a program in one round.
func (p *program) turn(ctx context.Context, dir string, g *packetstest.Generator, size, frames int) (t turn, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return t, err
	}
	s, err := packetstest.NewSpace()
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.End()) }()
	if err := s.Pair(device, "peer"); err != nil {
		return t, err
	}
	index, err := s.Index(device)
	if err != nil {
		return t, err
	}
	// Each of these becomes the next: the process is the program in the end.
	args := append([]string{"--net=" + s.Path(), "nice", "-n", "-15", "taskset", "-c", lastProcessor()}, p.args(dir)...)
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return t, err
	}
	defer func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}()
	if err := poll(func() (bool, error) { return captures(s) }); err != nil {
		return t, fmt.Errorf("%w: %s", err, said.String())
	}
	before, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return t, err
	}
	begin := time.Now()
	if err := s.Do(func() error { return inject(g, index, frames, size) }); err != nil {
		return t, err
	}
	took := time.Since(begin)
	after, err := settled(cmd.Process.Pid)
	if err != nil {
		return t, err
	}
	if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
		return t, fmt.Errorf("%w: %s", err, said.String())
	}
	t = turn{injected: frames, rate: float64(frames) / took.Seconds()}
	if p.name == "shark" {
		if _, err := fmt.Sscanf(said.String(), "recorded %d dropped %d", &t.recorded, &t.dropped); err != nil {
			return t, fmt.Errorf("%w: %s", err, said.String())
		}
	} else if t.recorded, err = countIn(filepath.Join(dir, file), size); err != nil {
		return t, err
	}
	cpu := after - before
	t.perPacket = float64(cpu.Nanoseconds()) / float64(max(t.recorded, 1))
	t.perGbit = float64(cpu.Microseconds()) / 1e3 / (float64(max(t.recorded, 1)) * float64(size) * 8 / 1e9)
	if p.name != "shark" {
		err = os.Remove(filepath.Join(dir, file))
	}
	return t, err
}

// inject injects frames from the first processor, before other processes.
func inject(g *packetstest.Generator, index, frames, size int) error {
	var one unix.CPUSet
	one.Set(0)
	if err := errors.Join(unix.SchedSetaffinity(0, &one), unix.Setpriority(unix.PRIO_PROCESS, 0, -15)); err != nil {
		return err
	}
	return g.Run(index, frames, packetstest.Frame(size))
}

func lastProcessor() string {
	var have unix.CPUSet
	last := 0
	if unix.SchedGetaffinity(0, &have) == nil {
		for i := range 1024 {
			if have.IsSet(i) {
				last = i
			}
		}
	}
	return strconv.Itoa(last)
}

// poll waits for a condition.
func poll(holds func() (bool, error)) error {
	for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		if ok, err := holds(); ok || err != nil {
			return err
		}
	}
	return errors.New("it does not capture after 20 seconds")
}

// captures tells whether a packet socket of the namespace is bound to a device and gets packets.
func captures(s *packetstest.Space) (ok bool, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/packet", s.PID))
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(text)) { // sk RefCnt Type Proto Iface R ...
		if f := strings.Fields(line); len(f) > 5 && f[3] == "0003" && f[4] != "0" && f[5] == "1" {
			ok = true
		}
	}
	return ok, nil
}

// cpuOf is how long the threads of a process ran.
func cpuOf(pid int) (sum time.Duration, err error) {
	list, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(list) == 0 {
		return 0, errors.Join(err, errors.New("the process has ended"))
	}
	for _, path := range list {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		ran, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// settled waits until a process has next to nothing to do any more.
func settled(pid int) (time.Duration, error) {
	before, err := cpuOf(pid)
	for err == nil {
		time.Sleep(300 * time.Millisecond)
		var now time.Duration
		now, err = cpuOf(pid)
		if now-before < 3*time.Millisecond {
			return now, err
		}
		before = now
	}
	return 0, err
}

// countIn counts the frames in a file.
func countIn(path string, size int) (n uint64, err error) {
	r, err := pcapng.Open(path)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	var b packet.Batch
	for {
		err := r.ReadBatch(&b)
		for i := range b.Records {
			if len(b.Records[i].Data) == size {
				n++
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
