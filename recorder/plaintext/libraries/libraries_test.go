//go:build linux

package libraries

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/object"
)

// watch runs a watcher, and ends the test with it.
func watch(t *testing.T) (*Watcher, <-chan struct{}) {
	t.Helper()
	w := start(t)
	changed := w.Changed()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, changed
}

func start(t *testing.T) *Watcher {
	t.Helper()
	bpftest.Root(t)
	w, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	if s := w.Status(); s.Source != "kernel" {
		bpftest.Missing(t, s.Reason)
	}
	return w
}

// until waits for a state of the watched files.
func until(t *testing.T, w *Watcher, changed <-chan struct{}, what string, ok func([]File) bool) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for !ok(w.Files()) {
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("never seen: %s", what)
		}
	}
}

// libssl copies the machine's libssl, so that nobody else maps it.
func libssl(t *testing.T, to string) string {
	t.Helper()
	all, err := filepath.Glob("/usr/lib/*/libssl.so.3")
	if err != nil || len(all) == 0 {
		bpftest.Missing(t, "libssl.so.3 is not installed")
	}
	b, err := os.ReadFile(all[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

// program starts a program that ends with its input, and says something when it runs.
func program(t *testing.T, name string, args ...string) (tgid uint32, in io.WriteCloser, out *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(bpftest.Program(t, name), args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	out = bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); err != nil {
		t.Fatalf("%s says %q: %v", name, line, err)
	}
	return uint32(cmd.Process.Pid), in, out
}

// named returns the files with a name in a folder.
func named(files []File, dir string) (all []File) {
	for _, f := range files {
		if strings.HasPrefix(f.Path, dir) {
			all = append(all, f)
		}
	}
	return all
}

// A library is seen when it is opened late, once for all processes, and gone when the last of
// them is.
func TestLibraryOpenedLateAndClosed(t *testing.T) {
	dir := t.TempDir()
	lib := libssl(t, filepath.Join(dir, "no-name-of-a-library"))
	w, changed := watch(t)
	const late = `import ctypes, sys
print("ready", flush=True)
sys.stdin.readline()
ctypes.CDLL(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()`
	one, in, _ := program(t, "python3", "-c", late, lib)
	two, in2, _ := program(t, "python3", "-c", late, lib)
	if all := named(w.Files(), dir); len(all) != 0 {
		t.Fatalf("before it is opened: %v", all)
	}
	fmt.Fprintln(in)
	fmt.Fprintln(in2)
	until(t, w, changed, "the library in two processes", func(files []File) bool {
		all := named(files, dir)
		return len(all) == 1 && len(all[0].Processes) == 2
	})
	f := named(w.Files(), dir)[0]
	want := []uint32{one, two}
	slices.Sort(want)
	if got := []uint32{f.Processes[0].TGID, f.Processes[1].TGID}; !slices.Equal(got, want) {
		t.Errorf("processes %v, want %v", got, want)
	}
	if f.Object.Library != object.OpenSSL || f.Object.Point == 0 {
		t.Errorf("it is %+v, want OpenSSL with a point", f.Object)
	}
	self, err := os.Readlink("/proc/self/ns/net")
	if err != nil || self != fmt.Sprintf("net:[%d]", f.Processes[0].NetNS) || !strings.HasPrefix(f.Processes[0].Comm, "python") || f.Processes[0].Started <= 0 {
		t.Errorf("the process is %+v, in %s, %v", f.Processes[0], self, err)
	}
	file, err := f.OpenFile()
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	in.Close()
	until(t, w, changed, "one process left", func(files []File) bool {
		all := named(files, dir)
		return len(all) == 1 && len(all[0].Processes) == 1
	})
	in2.Close()
	until(t, w, changed, "the library gone", func(files []File) bool { return len(named(files, dir)) == 0 })
	if _, err := f.OpenFile(); err == nil {
		t.Error("a file that nobody maps is opened")
	}
}

// Two overlay mounts show one file below: it is one file.
func TestOverlaysShowOneFile(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"lower", "a", "b", "ua", "ub", "wa", "wb"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	libssl(t, filepath.Join(dir, "lower", "lib"))
	w, changed := watch(t)
	// One process in each mount, and one beside them.
	script := `set -e; cd "$1"; mount -t tmpfs none ua; mount -t tmpfs none ub
for m in a b; do mkdir u$m/up u$m/work; mount -t overlay -o lowerdir=lower,upperdir=u$m/up,workdir=u$m/work none $m; done
exec 3<&0; LD_PRELOAD=$1/a/lib cat <&3 & LD_PRELOAD=$1/b/lib cat <&3 & LD_PRELOAD=$1/lower/lib cat <&3 & echo ready; wait`
	program(t, "unshare", "-m", "sh", "-c", script, "sh", dir)
	check := func(files []File) bool {
		n := 0
		for _, f := range named(files, dir) {
			n += len(f.Processes)
		}
		return n == 3
	}
	until(t, w, changed, "three processes", check)
	if all := named(w.Files(), dir); len(all) != 1 {
		t.Errorf("the kernel shows %d files, want 1: %+v", len(all), all)
	}
	// /proc alone cannot know the file below, but that both mounts show the same one.
	p := &Watcher{procs: make(map[uint32]*process), known: make(map[ID]*known), others: make(map[ID]struct{})}
	if err := p.all(fromProc); err != nil {
		t.Fatal(err)
	}
	if all := named(p.Files(), dir); !check(all) || len(all) != 2 {
		t.Errorf("/proc shows %d files, want 2: %+v", len(all), all)
	}
}

// What /proc tells is what the kernel tells.
func TestProcAgrees(t *testing.T) {
	w := start(t)
	defer w.Close()
	lib := libssl(t, filepath.Join(t.TempDir(), "lib"))
	tgid, _, _ := program(t, "sh", "-c", `exec env LD_PRELOAD="$1" sh -c 'echo ready; read x'`, "sh", lib)
	type seen struct {
		Process
		inode uint64
	}
	collect := func(scan func(func(Process, ID, place)) error) (all []seen) {
		t.Helper()
		err := scan(func(p Process, id ID, at place) {
			if p.TGID == tgid {
				p.Started = p.Started.Truncate(10 * time.Millisecond)
				p.Cgroup = 0 // only the kernel has it as a number
				all = append(all, seen{p, id.Inode})
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	one := collect(func(f func(Process, ID, place)) error { return w.kernel(tgid, f) })
	all := collect(func(f func(Process, ID, place)) error { return w.kernel(0, f) })
	proc := collect(fromProc)
	if len(one) < 3 || !slices.Equal(one, all) || !slices.Equal(one, proc) {
		t.Errorf("of one process\n%v\nof all\n%v\n/proc\n%v", one, all, proc)
	}
}

func TestParseMap(t *testing.T) {
	for text, want := range map[string]line{
		"7f1-7f2 r-xp 00001000 fe:00 123                        /usr/lib/a b.so": {0x7f1, 0x7f2, true, 0xfe00, 123, "/usr/lib/a b.so"},
		"7f1-7f2 r--p 00001000 00:2b 5   /x (deleted)":                           {0x7f1, 0x7f2, false, 0x2b, 5, "/x (deleted)"},
		"7f1-7f2 rw-p 00000000 00:00 0 ":                                         {},
		"7f1-7f2 r-xp 00000000 00:00 0                          [vdso]":          {},
		"no line": {},
		"":        {},
	} {
		if got, _ := parseMap([]byte(text)); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	w, err := Open()
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	for name, scan := range map[string]func(func(Process, ID, place)) error{
		"all":  func(f func(Process, ID, place)) error { return w.kernel(0, f) },
		"one":  func(f func(Process, ID, place)) error { return w.kernel(uint32(os.Getpid()), f) },
		"proc": fromProc,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := scan(func(Process, ID, place) {}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
