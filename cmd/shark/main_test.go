package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/packet/pcapng/every"
	"shark/recorder/freeze"
	"shark/recorder/ring"
)

// raceOptions keep the race detector, where it is built in, from waiting a second at
// the end of every program.
const raceOptions = "GORACE=atexit_sleep_ms=0"

var update = flag.Bool("update", false, "rewrite what the scripts expect")

func TestMain(m *testing.M) {
	testscript.Main(m, programs())
}

// TestScripts runs the scripts of testdata/script, one for each command and some
// for what all of them have in common. Each has a cache, a store and a folder for
// temporary files of its own, and in CAPTURES the small captures of the repository.
func TestScripts(t *testing.T) {
	captures, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		UpdateScripts:      *update,
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			for name, value := range map[string]string{
				"CAPTURES": captures, "TZ": "UTC", "HOME": e.WorkDir, "TMPDIR": filepath.Join(e.WorkDir, "tmp"),
				"SHARK_CACHE": filepath.Join(e.WorkDir, "cache"), "SHARK_STORE": filepath.Join(e.WorkDir, "store"),
			} {
				e.Setenv(name, value)
			}
			e.Vars = append(e.Vars, raceOptions)
			return os.MkdirAll(filepath.Join(e.WorkDir, "tmp"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "cut": cut, "patch": patch, "times": times, "empty": empty, "record": record, "serve": serve, "room": room,
		},
	})
}

// exits CODE PROGRAM... runs a program that must end with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// cut FILE N leaves the first N bytes of a file, or with -N all but the last N.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	info, err := os.Stat(path)
	ts.Check(err)
	if n < 0 {
		n += info.Size()
	}
	ts.Check(os.Truncate(path, n))
}

// room FILE MEGABYTES makes a capture without packets, with which a snapshot has several parts.
func room(ts *testscript.TestScript, _ bool, args []string) {
	megabytes, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(every.Room(ts.MkAbs(args[0]), megabytes))
}

// patch FILE OLD NEW puts other bytes of the same length, with Go's escapes, in the
// place of all that are like OLD.
func patch(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	old, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	replacement, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	b, err := os.ReadFile(path)
	ts.Check(err)
	if len(old) != len(replacement) || !bytes.Contains(b, []byte(old)) {
		ts.Fatalf("%s has no %q of the length of %q", path, old, replacement)
	}
	ts.Check(os.WriteFile(path, bytes.ReplaceAll(b, []byte(old), []byte(replacement)), 0o600))
}

// record NODE FILE DIR [LOST] records a capture in a ring, as if its time were now, with its
// secrets. What TLS libraries sent and received goes to a ring of its own in that, as a recorder
// does. So many packets are lost on their way, with the first.
func record(ts *testscript.TestScript, _ bool, args []string) {
	in, err := pcapng.Open(ts.MkAbs(args[1]))
	ts.Check(err)
	defer in.Close()
	var last int64
	create := func(dir string) *ring.Writer {
		w, err := ring.Create(dir, ring.Options{Node: args[0], Bytes: 16 << 20, Flush: time.Hour, Now: func() time.Time { return time.Unix(0, last) }})
		ts.Check(err)
		return w
	}
	dir := ts.MkAbs(args[2])
	wire, plain, secrets := create(dir), (*ring.Writer)(nil), 0
	var b packet.Batch
	for !errors.Is(err, io.EOF) {
		err = in.ReadBatch(&b)
		all := in.Interfaces()
		for i := range b.Records {
			r := &b.Records[i]
			last = max(last, r.Time)
			to := wire
			if all[r.Interface].Name == packet.PlaintextInterface {
				if plain == nil {
					plain = create(filepath.Join(dir, freeze.Plaintext))
				}
				to = plain
			}
			to.Write(b.Records[i:i+1], all)
			if len(args) > 3 && r.Number == 1 {
				n, err := strconv.ParseUint(args[3], 10, 64)
				ts.Check(err)
				to.Lost(r.Interface, n, all)
			}
		}
		for ; secrets < len(in.Secrets()); secrets++ {
			ts.Check(wire.Secrets(time.Unix(0, last), in.Secrets()[secrets].Data))
		}
	}
	ts.Check(wire.Close())
	if plain != nil {
		ts.Check(plain.Close())
	}
}

// times N PATTERN wants N lines with a text on standard output.
func times(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	out := ts.ReadFile("stdout")
	if got := bytes.Count([]byte(out), []byte(args[1])); got != want {
		ts.Fatalf("%q is there %d times, want %d", args[1], got, want)
	}
}

// empty DIR wants no file in or under a folder, which may not be there at all.
func empty(ts *testscript.TestScript, _ bool, args []string) {
	for _, dir := range args {
		if left := filesIn(ts.MkAbs(dir)); len(left) > 0 {
			ts.Fatalf("left behind: %q", left)
		}
	}
}

// filesIn lists what there is in a folder and below, but for folders with plain names.
func filesIn(dir string) (names []string) {
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && path != dir && (!d.IsDir() || d.Name()[0] == '.') {
			names = append(names, path)
		}
		return nil
	})
	slices.Sort(names)
	return names
}
