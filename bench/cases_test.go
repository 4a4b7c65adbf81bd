package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// seconded is a round of so many seconds and MiB.
func seconded(s float64, mib int64) usage {
	d := time.Duration(s * float64(time.Second))
	return usage{cpu: d, wall: d, peak: mib << 20}
}

func namesOf(list []benchCase) string {
	var names []string
	for _, c := range list {
		names = append(names, c.name)
	}
	return strings.Join(names, " ")
}

func TestChoiceOfCases(t *testing.T) {
	for _, k := range []struct {
		names string
		full  bool
		want  string
	}{
		{"", false, "mix exports snapshots far stages protocols"},
		{"", true, "mix exports snapshots sizes far first stages protocols load memory small large flows variants"},
		{"flows", false, "flows"},
		{"small,mix", true, "small mix"},
	} {
		list, err := chosen(k.names, k.full)
		if err != nil || namesOf(list) != k.want {
			t.Errorf("%q, %v: %s, %v", k.names, k.full, namesOf(list), err)
		}
	}
	if _, err := chosen("mix,guess", true); err == nil || !strings.Contains(err.Error(), `"guess"; there are mix, exports`) {
		t.Error(err)
	}
}

// The sizes that the limits speak of.
func TestCasesAreOfTheirSizes(t *testing.T) {
	got := make(map[string]string)
	for _, c := range cases {
		for _, r := range c.recipes {
			got[r.name] = formatSize(r.bytes(1e9))
			if r.callsPerGB > 0 {
				got[r.name] = formatSize(r.calls(1e9))
			}
		}
		if c.run == nil || c.what == "" {
			t.Errorf("%s: %+v", c.name, c)
		}
	}
	got["mix"] = "1G" // one of the cases has less of it
	want := map[string]string{
		"mix": "1G", "a tenth of the mix": "100M", "four times as long": "4G", "500 pods": "4G", "small calls": "200M", "large bodies": "1G", "short connections": "1M",
		"plain": "200M", "lossy": "200M", "reordered": "200M", "IPv6": "200M",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

// Every case's capture of the repository's generator can be made, and what is asked of
// it is in it.
func TestOwnCaptures(t *testing.T) {
	b := &bench{options: options{dir: t.TempDir(), seed: 3}, bytes: 1e6}
	for _, c := range cases {
		for _, r := range c.recipes {
			if r.once {
				continue // the same at greater length
			}
			made, err := b.obtain(t.Context(), &r)
			if err != nil || made.calls == 0 || made.packets == 0 {
				t.Fatalf("%s: %+v, %v", r.name, made, err)
			}
			if n := r.calls(b.bytes); n > 0 && (made.connections < n || made.connections > n+n/10 || made.calls != made.connections) {
				t.Errorf("%s: %d calls on %d connections, want %d", r.name, made.calls, made.connections, n)
			}
		}
	}
}

func TestOwnCaptureIsKept(t *testing.T) {
	b := &bench{options: options{dir: t.TempDir(), seed: 3}, bytes: 1e5}
	r := mixed("mix", 100)
	obtain := func() (*capture, time.Time) {
		t.Helper()
		c, err := b.obtain(t.Context(), &r)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(c.path)
		if err != nil {
			t.Fatal(err)
		}
		return c, info.ModTime()
	}
	first, _ := obtain()
	before := time.Unix(1, 0)
	age := func() {
		t.Helper()
		if err := os.Chtimes(first.path, before, before); err != nil {
			t.Fatal(err)
		}
	}
	age()
	if second, at := obtain(); !at.Equal(before) || !reflect.DeepEqual(first, second) {
		t.Errorf("it was made again, or is another: %+v\n%+v", first, second)
	}
	// Not where it was made otherwise, or is not whole.
	r.own.Gzip = 0.5
	if _, at := obtain(); at.Equal(before) {
		t.Error("a capture of other options was taken")
	}
	age()
	if err := os.Truncate(first.path, first.bytes-1); err != nil {
		t.Fatal(err)
	}
	if _, at := obtain(); at.Equal(before) {
		t.Error("a capture that is cut short was taken")
	}
	last, _ := obtain()
	if err := last.remove(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(b.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestNoRoomIsSaid(t *testing.T) {
	if _, known := freeDisk(t.TempDir()); !known {
		t.Skip("the system does not tell how much room there is")
	}
	for _, generator := range []string{"", "nowhere"} {
		b := &bench{options: options{generator: generator, dir: t.TempDir()}, bytes: 1e15}
		r := once(mixed("mix", 100))
		if _, err := b.obtain(t.Context(), &r); !errors.Is(err, errNoRoom) || !strings.Contains(err.Error(), "MB are needed") {
			t.Errorf("%q: %v", generator, err)
		}
		if made, err := filepath.Glob(filepath.Join(b.dir, "*")); err != nil || len(made) > 0 {
			t.Errorf("%v, %v", made, err)
		}
	}
}

func TestMemoryThatIsThere(t *testing.T) {
	const text = "MemTotal:       24682512 kB\nMemFree:          512000 kB\nMemAvailable:   1024 kB\n"
	if n, known := available(text); n != 1<<20 || !known {
		t.Errorf("%d, %v", n, known)
	}
	for _, wrong := range []string{"", "MemFree: 1 kB\n", "MemAvailable: much\n"} {
		if n, known := available(wrong); known {
			t.Errorf("%q: %d", wrong, n)
		}
	}
	if _, known := freeMemory(); !known {
		t.Skip("the system does not tell")
	}
	if note := tightMemory([]*capture{{bytes: 1 << 60}}); !strings.Contains(note, "the disk is measured") {
		t.Errorf("%q", note)
	}
}

// The given generator counts connections of which nothing was captured.
func TestSilentConnectionsAreNotExpected(t *testing.T) {
	c := made(t, "", 3e5)
	there := c.connections
	for _, k := range []struct{ more, silent, want int64 }{{0, 5, 0}, {1, 1, 0}, {2, 5, 0}, {2, 1, 2}, {1, 0, 1}} {
		c.expectConnections(there + k.more)
		c.silent = k.silent
		if err := c.survey(); err != nil || c.connections != there+k.want {
			t.Errorf("%d too many, %d of them silent: %d connections of %d, %v", k.more, k.silent, c.connections, there, err)
		}
		for _, x := range c.checks {
			if x.name == connectionsCheck && x.want["tcp"] != c.connections {
				t.Errorf("%v are looked for, of %d", x.want, c.connections)
			}
		}
	}
}
