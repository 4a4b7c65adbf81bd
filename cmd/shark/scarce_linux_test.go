package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// result is how a program ended.
type result struct {
	code        int
	signal      syscall.Signal // that ended it, else 0
	out, errors string
	took        time.Duration
}

// place is a folder with what a program may write to.
type place struct{ root, cache, store, tmp string }

func newPlace(t *testing.T) place {
	t.Helper()
	root := t.TempDir()
	p := place{root, filepath.Join(root, "cache"), filepath.Join(root, "store"), filepath.Join(root, "tmp")}
	for _, dir := range []string{p.cache, p.store, p.tmp} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// command makes one of the programs.
func (p place) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "SHARK_CACHE="+p.cache, "SHARK_STORE="+p.store, "TMPDIR="+p.tmp, "TZ=UTC", raceOptions)
	return cmd
}

// finish runs a program; interrupt, unless negative, is when Ctrl-C is pressed.
func finish(t *testing.T, cmd *exec.Cmd, interrupt time.Duration) result {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &errs
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if interrupt >= 0 {
		timer := time.AfterFunc(interrupt, func() { _ = cmd.Process.Signal(os.Interrupt) }) // it may have ended
		defer timer.Stop()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := result{code: cmd.ProcessState.ExitCode(), out: out.String(), errors: errs.String(), took: time.Since(began)}
	if testing.CoverMode() != "" {
		r.errors = noCoverage.ReplaceAllString(r.errors, "")
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.signal = status.Signal()
	}
	return r
}

// noCoverage is what Go says where a program can write nothing, not even what of it
// has run.
var noCoverage = regexp.MustCompile(`(?m)^(error: coverage .*)?\n`)

// memo is a digest that the cache remembers of a file: it is no answer.
var memo = regexp.MustCompile(`/digest/[0-9]+-[0-9a-f]+\.json$`)

// cached is an index in the cache.
var cached = regexp.MustCompile(`/cache/index/[0-9a-f]+\.db$`)

// remains lists what is in folders, but for such digests.
func remains(dirs ...string) (names []string) {
	for _, dir := range dirs {
		for _, name := range filesIn(dir) {
			if !memo.MatchString(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// work is what may be interrupted, or run out of something.
type work struct {
	name  string
	args  func(p place, capture string) []string
	stdin bool
	made  func(p place) string // a file that is there only after success; empty: not known before
}

var works = []work{
	{
		name: "query",
		args: func(_ place, c string) []string { return []string{"query", c, "-n", "1", "-q"} },
	},
	{
		name:  "standard input",
		args:  func(place, string) []string { return []string{"query", "-", "-n", "1", "-q"} },
		stdin: true,
	},
	{
		name: "dissect",
		args: func(p place, c string) []string {
			return []string{"dissect", c, "-q", "-o", filepath.Join(p.store, "out.db")}
		},
		made: func(p place) string { return filepath.Join(p.store, "out.db") },
	},
	{
		name: "export",
		args: func(p place, c string) []string {
			return []string{"export", c, "-q", "--bpf", "tcp", "-w", filepath.Join(p.store, "out.pcapng")}
		},
		made: func(p place) string { return filepath.Join(p.store, "out.pcapng") },
	},
	{
		name: "import",
		args: func(_ place, c string) []string { return []string{"snapshot", "import", c, "-q"} },
	},
}

// feed gives a program its standard input, if it wants one.
func (w work) feed(t *testing.T, cmd *exec.Cmd, capture string) {
	t.Helper()
	if !w.stdin {
		return
	}
	f, err := os.Open(capture)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	cmd.Stdin = f
}

// Ctrl-C at any moment ends the program at once with its own exit code, and leaves
// nothing that is not whole.
func TestInterrupt(t *testing.T) {
	const moments = 6
	capture := largeCapture(t, t.TempDir())
	interrupted := 0
	for _, w := range works {
		t.Run(w.name, func(t *testing.T) {
			p := newPlace(t)
			cmd := p.command("shark", w.args(p, capture)...)
			w.feed(t, cmd, capture)
			whole := finish(t, cmd, -1)
			if whole.code != 0 {
				t.Fatalf("uninterrupted: exit code %d: %s", whole.code, whole.errors)
			}
			for i := range moments {
				p := newPlace(t)
				cmd := p.command("shark", w.args(p, capture)...)
				w.feed(t, cmd, capture)
				at := whole.took * time.Duration(i*1000+rand.IntN(1000)) / (moments * 1000)
				r := finish(t, cmd, at)
				switch {
				case r.code == 0:
					continue // too late
				case r.signal == syscall.SIGINT && r.errors == "": // before anything had begun
				case r.code != 130 || r.errors != "shark: interrupted\n" || r.out != "":
					t.Errorf("interrupted after %v of %v: exit code %d, signal %v, %q and %q", at, whole.took, r.code, r.signal, r.out, r.errors)
				}
				interrupted++
				left := remains(p.root)
				for _, name := range left {
					// An index that was whole before the end came may stay.
					if !cached.MatchString(name) && (w.made == nil || name != w.made(p)) {
						t.Errorf("interrupted after %v of %v: left behind: %q", at, whole.took, name)
					}
				}
				if i%3 == 2 || len(left) > 0 {
					w.works(t, p, capture)
				}
			}
		})
	}
	t.Logf("%d of %d were interrupted before their end", interrupted, len(works)*moments)
	if interrupted == 0 {
		t.Error("nothing was interrupted before its end")
	}
}

// works checks that the same in the same place now gives the right answer.
func (w work) works(t *testing.T, p place, capture string) {
	t.Helper()
	cmd := p.command("shark", w.args(p, capture)...)
	w.feed(t, cmd, capture)
	if r := finish(t, cmd, -1); r.code != 0 {
		t.Errorf("again: exit code %d: %s", r.code, r.errors)
	}
	if w.made != nil {
		capture = w.made(p)
	}
	r := finish(t, p.command("shark", "stats", capture, "http", "--by", "protocol", "-o", "csv", "-q"), -1)
	if want := "HTTP," + strconv.Itoa(repeats*perRepeat) + ","; !strings.Contains(r.out, want) {
		t.Errorf("again: exit code %d, %q and %q, want %q", r.code, r.out, r.errors, want)
	}
}

// diskFull is how the system and SQLite say it.
var diskFull = regexp.MustCompile(`^shark: .*(no space left on device|disk is full)$`)

// Ctrl-C ends the reading of a standard input that does not end.
func TestInterruptWaiting(t *testing.T) {
	capture, err := largeBytes()
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t)
	cmd := p.command("shark", "query", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: when it is written, shark reads.
	if _, err := in.Write(capture[:1<<20]); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says it
	if code := cmd.ProcessState.ExitCode(); code != 130 || errs.String() != "shark: interrupted\n" {
		t.Errorf("exit code %d and %q", code, errs.String())
	}
	if left := remains(p.root); len(left) > 0 {
		t.Errorf("left behind %q", left)
	}
}

// A full disk is an error of one line, and what was begun on it is removed.
func TestFullDisk(t *testing.T) {
	capture := largeCapture(t, t.TempDir())
	for _, w := range works {
		t.Run(w.name, func(t *testing.T) {
			full := 0
			for _, size := range []int{8 << 10, 64 << 10, 200 << 10, 1 << 20, 4 << 20} {
				p := newPlace(t)
				cmd := p.command("smalldisk", append([]string{strconv.Itoa(size), p.root}, w.args(p, capture)...)...)
				// The folders of the place are made anew on the small disk.
				cmd.Env = append(cmd.Env, "TMPDIR="+p.root)
				if w.made != nil {
					cmd.Args[len(cmd.Args)-1] = filepath.Join(p.root, filepath.Base(w.made(p)))
				}
				inNamespace(cmd)
				w.feed(t, cmd, capture)
				r := finish(t, cmd, -1)
				if r.code == unable {
					t.Skipf("no disk can be mounted here: %s", r.errors)
				}
				if r.code == 0 {
					continue // it was large enough
				}
				full++
				said, left := r.lines()
				if r.code != 1 || len(said) != 1 || !diskFull.MatchString(said[0]) {
					t.Errorf("%d bytes: exit code %d and %q, want one line on the full disk", size, r.code, said)
				}
				if len(left) > 0 || r.out != "" {
					t.Errorf("%d bytes: left behind %q, and wrote %q", size, left, r.out)
				}
			}
			if full == 0 {
				t.Error("the disk was never full")
			}
		})
	}
}

// lines parts standard error into what shark said and what was left on the disk.
func (r result) lines() (said, left []string) {
	for line := range strings.Lines(r.errors) {
		line = strings.TrimSuffix(line, "\n")
		name, ok := strings.CutPrefix(line, leftBehind)
		switch {
		case !ok:
			said = append(said, line)
		case !memo.MatchString(name):
			left = append(left, name)
		}
	}
	return said, left
}

// A limit on the size of files is met like a full disk, and the next run without it
// trusts nothing of what was there.
func TestSmallFiles(t *testing.T) {
	capture := largeCapture(t, t.TempDir())
	for _, w := range works {
		t.Run(w.name, func(t *testing.T) {
			full := 0
			for _, size := range []int{4 << 10, 100 << 10, 1 << 20} {
				p := newPlace(t)
				cmd := p.command("smallfiles", append([]string{strconv.Itoa(size)}, w.args(p, capture)...)...)
				w.feed(t, cmd, capture)
				r := finish(t, cmd, -1)
				if r.code == 0 {
					continue
				}
				full++
				if said, _ := r.lines(); r.code != 1 || len(said) != 1 || !strings.HasPrefix(said[0], "shark: ") || r.out != "" {
					t.Errorf("%d bytes: exit code %d, %q and %q, want one line", size, r.code, r.out, r.errors)
				}
				if left := remains(p.root); len(left) > 0 {
					t.Errorf("%d bytes: left behind %q", size, left)
				}
				w.works(t, p, capture)
			}
			if full == 0 {
				t.Error("no file was too large")
			}
		})
	}
}

// What may not be read or written is an error of one line.
func TestForbidden(t *testing.T) {
	p := newPlace(t)
	capture, err := filepath.Abs("../../testdata/http/server.pcap")
	if err != nil {
		t.Fatal(err)
	}
	if r := finish(t, p.command("shark", "snapshot", "import", capture, "--name", "outage"), -1); r.code != 0 {
		t.Fatalf("import: %s", r.errors)
	}
	if err := os.Chmod(p.store, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(p.store, 0o700) }) // for the folder to be removed
	for _, args := range [][]string{
		{"snapshot", "list"},
		{"snapshot", "show", "outage"},
		{"snapshot", "verify", "outage"},
		{"snapshot", "delete", "outage"},
		{"snapshot", "import", capture},
		{"query", "outage"},
		{"query", filepath.Join(p.store, "x.pcap")},
		{"export", capture, "-w", filepath.Join(p.store, "x.pcap")},
	} {
		r := finish(t, p.command("nobody", args...), -1)
		if r.code == unable {
			t.Fatalf("rights cannot be given up: %s", r.errors)
		}
		if said, _ := r.lines(); r.code != 1 || len(said) != 1 || !strings.Contains(said[0], "permission denied") {
			t.Errorf("%s: exit code %d and %q, want one line on the permission", strings.Join(args, " "), r.code, said)
		}
	}
}

// Whoever reads the answer may stop: that is no error, and nothing is left behind.
func TestReaderStops(t *testing.T) {
	capture := largeCapture(t, t.TempDir())
	for _, args := range [][]string{
		{"query", "-", "-o", "jsonl"},
		{"query", "-"},
		{"query", "-", "-o", "csv"},
		{"export", "-", "-w", "-"},
	} {
		p := newPlace(t)
		cmd := p.command("shark", append(args, "-q")...)
		work{stdin: true}.feed(t, cmd, capture)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = w
		seen := make(chan error, 1)
		go func() {
			_, err := r.Read(make([]byte, 100))
			seen <- errors.Join(err, r.Close())
		}()
		got := finish(t, cmd, -1)
		w.Close()
		if err := <-seen; err != nil {
			t.Fatal(err)
		}
		if got.code != 0 || got.errors != "" {
			t.Errorf("%v: exit code %d, signal %v, %q", args, got.code, got.signal, got.errors)
		}
		if left := filesIn(p.tmp); len(left) > 0 {
			t.Errorf("%v: left behind %q", args, left)
		}
	}
}

// An answer that cannot be written is a failure, whatever the command.
func TestFullOutput(t *testing.T) {
	capture, err := filepath.Abs("../../testdata/http/server.pcap")
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t)
	for _, args := range [][]string{
		{"query", capture},
		{"query", capture, "-o", "json"},
		{"query", capture, "-o", "csv"},
		{"show", capture, "3"},
		{"show", capture, "3", "-o", "json"},
		{"show", capture, "3", "--raw"},
		{"follow", capture, "3"},
		{"stats", capture},
		{"export", capture, "-w", "-"},
		{"export", capture, "-w", "/dev/full"},
		{"dissect", capture},
		{"fields"},
		{"snapshot", "list"},
		{"completion", "bash"},
		{"version"},
		{"help"},
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := p.command("shark", args...)
		cmd.Stdout = full
		r := finish(t, cmd, -1)
		full.Close()
		said := strings.Split(strings.TrimSuffix(r.errors, "\n"), "\n")
		if last := said[len(said)-1]; r.code != 1 || !strings.HasPrefix(last, "shark: ") || !strings.HasSuffix(last, "no space left on device") {
			t.Errorf("%s: exit code %d and %q, want a line on the full disk", strings.Join(args, " "), r.code, r.errors)
		}
	}
}
