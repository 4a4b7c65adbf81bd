package ring

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/packet"
)

// fill writes n rounds of packets, each given to the disk.
func fill(t testing.TB, w *Writer, x *traffic, n int) (written []packet.Record) {
	t.Helper()
	for range n {
		batch := x.next(50, 900)
		written = append(written, batch...)
		w.Write(batch, x.interfaces)
		if err := w.Flush(t.Context()); err != nil && !errors.Is(err, errNoRoom) {
			t.Fatal(err)
		}
	}
	return written
}

func pin(t testing.TB, dir string, from, to time.Time) *Pinned {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Pin(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A pinned window stays as it was while the ring goes over it several times, for each of
// several who pinned it, and then its files go.
func TestPinSurvivesRotation(t *testing.T) {
	dir := t.TempDir()
	o := small()
	w := open(t, dir, o)
	x := newTraffic(11)
	written := fill(t, w, x, 10)
	to := time.Unix(0, written[len(written)-1].Time)
	var pins []*Pinned
	for range 3 {
		pins = append(pins, pin(t, dir, always[0], to))
	}
	want := readPinned(t, pins[0])
	checkRead(t, want, written)
	written = append(written, fill(t, w, x, 60)...)
	for i, p := range pins {
		got := readPinned(t, p)
		checkRead(t, got, written)
		if len(got.records) != len(want.records) || numberOf(&got.records[0]) != numberOf(&want.records[0]) {
			t.Errorf("pin %d: %d packets, want %d", i, len(got.records), len(want.records))
		}
		if err := p.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if s := w.Status(); s.Dropped > 0 {
		t.Errorf("%d packets were dropped for the pins", s.Dropped)
	}
	checkRead(t, window(t, dir, always[0], always[1]), written)
	if left, err := os.ReadDir(filepath.Join(dir, pinsFolder)); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	if n := bytesOf(t, dir); n > o.Bytes {
		t.Errorf("%d bytes, more than %d", n, o.Bytes)
	}
}

// Pins have a budget too. Beyond it new packets go over what is not pinned, and are dropped
// where there is nothing.
func TestPinBudget(t *testing.T) {
	dir := t.TempDir()
	o := small()
	o.PinBytes = leastSegment
	w := open(t, dir, o)
	x := newTraffic(12)
	written := fill(t, w, x, 30)
	var pins []*Pinned
	for range 12 {
		pins = append(pins, pin(t, dir, always[0], always[1]))
		written = append(written, fill(t, w, x, 2)...)
		kept := bytesOf(t, dir)
		seen := map[string]bool{}
		links, _ := filepath.Glob(filepath.Join(dir, pinsFolder, "*", "packets-*"))
		for _, l := range links {
			if base := filepath.Base(l); !seen[base] {
				seen[base] = true
				if _, err := os.Stat(filepath.Join(dir, base)); err != nil {
					info, err := os.Stat(l)
					if err != nil {
						t.Fatal(err)
					}
					kept += info.Size()
				}
			}
		}
		if kept > o.Bytes+o.PinBytes+leastSegment { // the last that was pinned went over it
			t.Fatalf("%d bytes are kept, more than %d and %d", kept, o.Bytes, o.PinBytes)
		}
	}
	for _, p := range pins {
		if err := p.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if s := w.Status(); s.Recorded+s.Dropped != uint64(len(written)) {
		t.Errorf("%+v, want %d in all", s, len(written))
	}
	before := w.Status().Dropped
	if before == 0 {
		t.Error("nothing was dropped, though all was pinned")
	}
	written = append(written, fill(t, w, x, 20)...)
	if n := w.Status().Dropped; n != before {
		t.Errorf("%d packets are dropped when nothing is pinned any more", n-before)
	}
	checkRead(t, window(t, dir, always[0], always[1]), written)
}

// Windows are frozen while packets come at full speed: each is whole, and nothing is lost by it.
func TestFreezeWhileRecording(t *testing.T) {
	dir := t.TempDir()
	o := small()
	o.BufferBytes = 1 << 20
	w := open(t, dir, o)
	x := newTraffic(13)
	batch := fill(t, w, x, 5)
	var mu sync.Mutex
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		defer close(done)
		for range 300 {
			more := x.next(50, 600)
			mu.Lock()
			batch = append(batch, more...)
			mu.Unlock()
			w.Write(more, x.interfaces)
			if err := w.Flush(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	freezes := 0
	for stop := false; !stop; freezes++ {
		select {
		case <-done:
			stop = true
		default:
		}
		got := window(t, dir, always[0], always[1])
		mu.Lock()
		known := batch
		mu.Unlock()
		checkRead(t, got, known)
		for i := 1; i < len(got.records); i++ {
			if numberOf(&got.records[i]) != numberOf(&got.records[i-1])+1 {
				t.Fatalf("freeze %d: between packets %d and %d some are missing", freezes, numberOf(&got.records[i-1]), numberOf(&got.records[i]))
			}
		}
	}
	writer.Wait()
	if s := w.Status(); s.Dropped > 0 || freezes < 2 {
		t.Errorf("%d packets were dropped by %d freezes", s.Dropped, freezes)
	}
}

// A process that ends unpins what it pinned.
func TestPinsOfTheDeadGo(t *testing.T) {
	if dir := os.Getenv("RING_TEST_PIN"); dir != "" {
		pin(t, dir, always[0], always[1])
		os.Exit(0) // without a word
	}
	dir := t.TempDir()
	w := open(t, dir, small())
	x := newTraffic(14)
	fill(t, w, x, 10)
	alive := pin(t, dir, always[0], always[1])
	cmd := exec.Command(os.Args[0], "-test.run", "^TestPinsOfTheDeadGo$")
	cmd.Env = append(os.Environ(), "RING_TEST_PIN="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pins := func() int {
		list, err := os.ReadDir(filepath.Join(dir, pinsFolder))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range list {
			if !strings.HasSuffix(e.Name(), lockSuffix) {
				n++
			}
		}
		return n
	}
	if n := pins(); n != 2 {
		t.Fatalf("%d pins, want that of the dead and that of the living", n)
	}
	fill(t, w, x, 40)
	if n := pins(); n != 1 {
		t.Errorf("%d pins are left, want that of the living", n)
	}
	if len(readPinned(t, alive).records) == 0 {
		t.Error("the pin of the living is empty")
	}
	if err := alive.Release(); err != nil {
		t.Fatal(err)
	}
}
