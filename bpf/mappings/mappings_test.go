//go:build linux

package mappings

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"shark/bpf/bpftest"

	"github.com/cilium/ebpf"
)

func TestObjectsParse(t *testing.T) {
	for name, object := range map[string]string{"amd64": "mappings_x86_bpfel.o", "arm64": "mappings_arm64_bpfel.o"} {
		spec, err := ebpf.LoadCollectionSpec(object)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, p := range []string{"scan", "on_exec", "on_fork", "on_exit", "on_map"} {
			if spec.Programs[p] == nil {
				t.Errorf("%s: no program %s", name, p)
			}
		}
	}
}

// The kernel tells of a process that it begins, maps and ends, and which file it executes.
func TestProcess(t *testing.T) {
	bpftest.Root(t)
	s, err := Open()
	if errors.Is(err, errors.ErrUnsupported) {
		bpftest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tgid := uint32(cmd.Process.Pid)
	hear := func(want ...uint32) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		missing := make(map[uint32]bool)
		for _, w := range want {
			missing[w] = true
		}
		for len(missing) > 0 {
			n, err := s.Read(deadline)
			if err != nil {
				t.Fatalf("not heard: %v: %v", missing, err)
			}
			if n.TGID == tgid {
				delete(missing, n.What)
			}
		}
	}
	hear(Fork, Exec, Map)
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", tgid))
	if err != nil {
		t.Fatal(err)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	found := 0
	err = s.Scan(tgid, func(m Mapping) {
		if m.TGID != tgid || m.Comm != "cat" || m.Started <= 0 || m.NetNS == 0 || m.End <= m.Start {
			t.Errorf("a mapping of %+v", m)
		}
		if m.Inode == st.Ino && m.Device == st.Dev && m.Size == st.Size {
			found++
		}
	})
	if err != nil || found != 1 {
		t.Errorf("%s is mapped executable %d times, want once: %v", path, found, err)
	}
	in.Close()
	cmd.Wait()
	hear(Exit)
	if err := s.Scan(tgid, func(m Mapping) { t.Errorf("a mapping of a process that ended: %+v", m) }); err != nil {
		t.Error(err)
	}
	if _, err := s.Lost(); err != nil {
		t.Error(err)
	}
	if err := s.Interrupt(); err != nil {
		t.Error(err)
	}
	if _, err := s.Read(time.Time{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Interrupt: %v", err)
	}
}
