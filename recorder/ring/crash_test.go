package ring

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"shark/packet/pcapng"
)

// record writes packets into a ring until it is killed, or as many as it is told. What it
// prints is how many were in segments or on their way there.
func record(t *testing.T, dir string) {
	start, err := strconv.ParseUint(os.Getenv("RING_TEST_START"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Create(dir, small())
	if err != nil {
		t.Fatal(err)
	}
	x := newTraffic(21)
	for x.n < start {
		x.next(1, 300)
	}
	for i := range 1_000_000 {
		w.Write(x.next(1+i%9, 300), x.interfaces)
		if i%7 == 0 {
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			fmt.Printf("flushed %d\n", x.n)
		}
	}
	t.Fatal("nobody killed it")
}

// A recorder that is killed at any moment leaves a ring in which all that it had flushed is
// whole, and the next goes on with it.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("RING_TEST_RECORD"); dir != "" {
		record(t, dir)
	}
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 3))
	dir := t.TempDir()
	next := uint64(0)
	for round := range rounds {
		flushed := killed(t, dir, next, rng.IntN(200), time.Duration(rng.IntN(3000))*time.Microsecond)
		for _, path := range segmentFiles(t, dir) {
			sound(t, path)
		}
		got := window(t, dir, always[0], always[1])
		if len(got.damage) > 0 || len(got.records) == 0 {
			t.Fatalf("round %d: %d packets, damage %v", round, len(got.records), got.damage)
		}
		x := newTraffic(21)
		last := numberOf(&got.records[len(got.records)-1])
		if last+1 < flushed {
			t.Fatalf("round %d: packets up to %d, flushed were %d", round, last, flushed)
		}
		all := x.next(1, 300)
		for x.n <= last {
			all = append(all, x.next(1, 300)...)
		}
		for i := range got.records {
			r := &got.records[i]
			if i > 0 && numberOf(r) != numberOf(&got.records[i-1])+1 {
				t.Fatalf("round %d: packet %d comes after %d", round, numberOf(r), numberOf(&got.records[i-1]))
			}
			if err := same(r, &all[numberOf(r)]); err != nil {
				t.Fatalf("round %d: packet %d: %v", round, numberOf(r), err)
			}
		}
		next = last + 1
	}
	w := open(t, dir, small())
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range segmentFiles(t, dir) {
		n, ok := parseName(filepath.Base(path))
		s, err := look(path, n)
		if !ok || err != nil || s.live {
			t.Errorf("%s is not sealed: %v", path, err)
		}
		records, interfaces := plain(t, path)
		sum := uint64(0)
		for _, f := range interfaces {
			sum += *f.Received - *f.Dropped
		}
		if sum != uint64(len(records)) {
			t.Errorf("%s: %d packets, by its statistics %d", path, len(records), sum)
		}
	}
}

// sound reads a segment as any program does. Between the two writes that make a filler shorter
// its two lengths differ, behind all packets.
func sound(t *testing.T, path string) {
	t.Helper()
	r, err := pcapng.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	readAll(t, r)
	for _, d := range r.Damage() {
		if d.Lost != 4 || !strings.Contains(d.Reason, "two lengths") || len(r.Damage()) > 1 {
			t.Fatalf("%s: %v", path, r.Damage())
		}
	}
}

// killed starts a recorder, which goes on with a packet, and kills it some time after so many
// flushes. It returns what was flushed.
func killed(t *testing.T, dir string, next uint64, flushes int, after time.Duration) (flushed uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
	cmd.Env = append(os.Environ(), "RING_TEST_RECORD="+dir, "RING_TEST_START="+strconv.FormatUint(next, 10))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		if _, err := fmt.Sscanf(lines.Text(), "flushed %d", &flushed); err != nil {
			t.Fatalf("the recorder says %q", lines.Text())
		}
		if i == flushes {
			for end := time.Now().Add(after); time.Now().Before(end); { // it must not sleep: the moment is random
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // was killed
	return flushed
}

// What a power cut leaves is found, reported, and cut off by the next writer.
func TestTorn(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(f *os.File, size int64) error
	}{
		{"cut", func(f *os.File, size int64) error { return f.Truncate(size / 2 / 4 * 4) }},
		{"cut in a header", func(f *os.File, size int64) error { return f.Truncate(size/2/4*4 + 2) }},
		{"zeros", func(f *os.File, size int64) error {
			_, err := f.WriteAt(make([]byte, 4096), size/2)
			return err
		}},
		{"cut to nothing", func(f *os.File, _ int64) error { return f.Truncate(20) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			w := open(t, dir, small())
			x := newTraffic(22)
			written := fill(t, w, x, 6)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			whole := len(window(t, dir, always[0], always[1]).records)
			list := segmentFiles(t, dir)
			f, err := os.OpenFile(list[len(list)-1], os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.harm(f, info.Size()); err != nil {
				t.Fatal(err)
			}
			got := window(t, dir, always[0], always[1])
			if len(got.damage) == 0 {
				t.Error("no damage is reported")
			}
			if len(got.records) >= whole || len(got.records) == 0 {
				t.Errorf("%d packets of %d", len(got.records), whole)
			}
			got.damage = nil
			checkRead(t, got, written)
			w = open(t, dir, small())
			written = append(written, fill(t, w, x, 2)...)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			again := window(t, dir, always[0], always[1])
			if again.damage = nil; numberOf(&again.records[len(again.records)-1]) != uint64(len(written)-1) {
				t.Error("the next writer does not go on")
			}
			checkRead(t, again, written)
		})
	}
}

// FuzzWalk feeds a segment that anybody may have changed.
func FuzzWalk(f *testing.F) {
	dir := f.TempDir()
	w := open(f, dir, small())
	x := newTraffic(23)
	w.Write(x.next(20, 60), x.interfaces)
	w.Lost(1, 3, x.interfaces)
	if err := w.Flush(f.Context()); err != nil {
		f.Fatal(err)
	}
	for _, path := range segmentFiles(f, dir) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:8<<10])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), name{1, 0, "x"}.String())
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		c, err := walk(file, int64(len(data)))
		if err != nil || c.end > int64(len(data)) {
			t.Fatalf("%+v of %d bytes, %v", c, len(data), err)
		}
		if _, err := inspect(file, int64(len(data)), name{1, 0, "x"}); err != nil {
			t.Fatal(err)
		}
		if _, err := mend(osFile{file}, int64(len(data)), name{1, 0, "x"}); err != nil {
			return // there is nothing in it
		}
		if c.packets > 0 { // what was mended has what was found
			info, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := walk(file, info.Size()); err != nil || again.packets != c.packets || again.damaged() {
				t.Fatalf("mended: %+v, %v; before %+v", again, err, c)
			}
		}
	})
}
