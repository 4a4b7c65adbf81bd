// Package bpftest has what tests of kernel programs stand on: network namespaces and cgroups
// of a test's own, which are gone when it ends.
package bpftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Stage is a network namespace with nothing but loopback, and a cgroup of version 2.
type Stage struct {
	Inode  uint32 // of the namespace
	Cgroup string // folder

	tid   int // of the thread that is in the namespace
	calls chan func()
}

// New makes a stage for the time of a test.
func New(t testing.TB) *Stage {
	t.Helper()
	s := &Stage{calls: make(chan func())}
	ready := make(chan error, 1)
	done := make(chan struct{})
	go elsewhere(func() {
		defer close(done)
		err := s.enter()
		ready <- err
		for f := range s.calls {
			f()
		}
	})
	err := <-ready
	if err != nil {
		close(s.calls)
	}
	Need(t, "a network namespace", err)
	t.Cleanup(func() {
		close(s.calls)
		<-done
	})
	s.Cgroup, err = os.MkdirTemp(cgroupRoot(), "shark-test-")
	Need(t, "a cgroup", err)
	t.Cleanup(func() { remove(t, s.Cgroup) })
	return s
}

// elsewhere runs f on a thread that ends with it, which is not the process's first: that is
// what others see the process by, and it would be parked, not ended.
func elsewhere(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != os.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		elsewhere(f)
	}()
	<-done
	runtime.UnlockOSThread()
}

func (s *Stage) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return err
	}
	s.Inode, s.tid = uint32(st.Ino), unix.Gettid()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written to it
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

func cgroupRoot() string {
	mounts, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	return "/sys/fs/cgroup"
}

// remove removes a cgroup as soon as the kernel has buried its processes.
func remove(t testing.TB, dir string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := os.Remove(dir)
		if err == nil || os.IsNotExist(err) {
			return
		}
		if time.Now().After(end) {
			t.Errorf("cgroup %s: %v", dir, err)
			return
		}
	}
}

// Do calls f on the thread that is in the namespace, and waits for it.
func (s *Stage) Do(f func()) {
	done := make(chan struct{})
	s.calls <- func() {
		defer close(done)
		f()
	}
	<-done
}

// Start starts a program in the namespace, and in a cgroup within the stage's, whose id it
// returns. Who starts it ends it before the test does.
func (s *Stage) Start(t testing.TB, cmd *exec.Cmd, cgroup string) (id uint64) {
	t.Helper()
	dir := filepath.Join(s.Cgroup, cgroup)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for at := dir; at != s.Cgroup; at = filepath.Dir(at) {
			if at == dir || empty(at) {
				remove(t, at)
			}
		}
	})
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written to it
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, fd
	s.Do(func() { err = cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// empty tells whether a cgroup has no other within it.
func empty(dir string) bool {
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		if e.IsDir() {
			return false
		}
	}
	return true
}

// Run runs a program to its end, in the namespace and in a cgroup within the stage's.
func (s *Stage) Run(t testing.TB, cgroup string, args ...string) string {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	s.Start(t, cmd, cgroup)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// Join puts a cable between two stages, whose ends have these addresses with their prefixes.
func (s *Stage) Join(t testing.TB, other *Stage, here, there []string) {
	t.Helper()
	ip := Program(t, "ip")
	s.Run(t, "ip", ip, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", strconv.Itoa(other.tid))
	for side, addrs := range map[*Stage][]string{s: here, other: there} {
		for _, a := range addrs {
			args := []string{ip, "addr", "add", a, "dev", "veth0"}
			if strings.Contains(a, ":") {
				args = append(args, "nodad")
			}
			side.Run(t, "ip", args...)
		}
		side.Run(t, "ip", ip, "link", "set", "veth0", "up")
	}
}
