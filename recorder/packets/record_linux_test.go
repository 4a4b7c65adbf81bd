package packets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/packet"
	"shark/recorder/packets/packetstest"
	"shark/recorder/ring"
)

// newRing makes a ring that has room for all that a test injects.
func newRing(t testing.TB, o ring.Options) (*ring.Writer, string) {
	t.Helper()
	dir := t.TempDir()
	o.Node = "node"
	w, err := ring.Create(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w, dir
}

// pinAll freezes all that a ring has.
func pinAll(t testing.TB, dir string) *ring.Pinned {
	t.Helper()
	r, err := ring.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Pin(time.Unix(0, 0), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// window reads what a ring has, packet by packet, and returns what it says was dropped.
func window(t testing.TB, dir string, each func(*packet.Record)) (dropped uint64) {
	t.Helper()
	return readPinned(t, pinAll(t, dir), each)
}

func readPinned(t testing.TB, p *ring.Pinned, each func(*packet.Record)) (dropped uint64) {
	t.Helper()
	defer p.Release()
	src := p.Open()
	defer src.Close()
	var b packet.Batch
	for {
		err := src.ReadBatch(&b)
		for i := range b.Records {
			each(&b.Records[i])
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := src.Damage(); len(d) > 0 {
		t.Fatalf("damage: %v", d)
	}
	for _, i := range src.Interfaces() {
		dropped += *i.Dropped
	}
	return dropped
}

// injected checks that records are those that a generator injected, from a number on, each once.
func injected(t testing.TB, dir string, frame []byte, from, n uint64) (dropped uint64) {
	t.Helper()
	next, before := from, int64(0)
	dropped = window(t, dir, func(r *packet.Record) {
		if numbered(r.Data) != next || !bytes.Equal(r.Data[:14], frame[:14]) || !bytes.Equal(r.Data[22:], frame[22:]) || int(r.OrigLen) != len(frame) {
			t.Fatalf("packet %d of %d bytes, want %d of %d", numbered(r.Data), r.OrigLen, next, len(frame))
		}
		if r.Time < before {
			t.Fatalf("packet %d is %d ns before the one before", next, before-r.Time)
		}
		next, before = next+1, r.Time
	})
	if next != from+n {
		t.Fatalf("%d packets were recorded of %d", next-from, n)
	}
	return dropped
}

// What comes at full speed is recorded to the last byte, and nothing is dropped.
func TestFullSpeed(t *testing.T) {
	const n = 200_000
	for _, size := range []int{64, 1514} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := newSpace(t)
			s.pair("a", "b")
			w, dir := newRing(t, ring.Options{Bytes: 512 << 20, BufferBytes: recordBuffer})
			c := start(t, Options{Namespaces: only(s), Devices: devices("a"), RingBytes: captureRing, MemoryBytes: 8 * captureRing}, w)
			g, f := newGenerator(t, 14), packetstest.Frame(size)
			begin := time.Now()
			if err := g.inject(s, "a", n, f); err != nil {
				t.Fatal(err)
			}
			took := time.Since(begin)
			bpftest.Until(t, "all received", func() bool { return c.Status().Received == n })
			c.stop()
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c.Status().Dropped > 0 || w.Status().Dropped > 0 {
				t.Fatalf("%d packets were dropped, %d of them by the kernel", w.Status().Dropped, c.Status().Dropped)
			}
			if dropped := injected(t, dir, f, 1, n); dropped > 0 {
				t.Errorf("%d packets were dropped, by the files", dropped)
			}
			t.Logf("%.0f packets/s", n/took.Seconds())
		})
	}
}

// stalled is a sink that takes nothing until somebody lets it.
type stalled struct {
	*ring.Writer
	until <-chan struct{}
}

func (s stalled) Write(records []packet.Record, interfaces []packet.Interface) {
	<-s.until
	s.Writer.Write(records, interfaces)
}

// What a slow writer cannot take is dropped, by the kernel or by the ring: each packet is recorded
// or counted, in the files too.
func TestDropsAreCounted(t *testing.T) {
	const n = 100_000
	for _, where := range []string{"kernel", "ring"} {
		t.Run(where, func(t *testing.T) {
			s := newSpace(t)
			s.pair("a", "b")
			o := ring.Options{Bytes: 256 << 20}
			waits := make(chan struct{})
			goOn := sync.OnceFunc(func() { close(waits) })
			if where == "ring" {
				o.BufferBytes, o.SegmentBytes = 1<<20, 64<<10
				goOn()
			}
			w, dir := newRing(t, o)
			c := start(t, Options{Namespaces: only(s), Devices: devices("a"), RingBytes: 4 << 20}, stalled{w, waits})
			t.Cleanup(goOn)
			g, f := newGenerator(t, 14), packetstest.Frame(600)
			if err := g.inject(s, "a", n, f); err != nil {
				t.Fatal(err)
			}
			goOn()
			bpftest.Until(t, "all accounted for", func() bool { return c.Status().Received == n })
			c.stop()
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			recorded, before := uint64(0), uint64(0)
			dropped := window(t, dir, func(r *packet.Record) {
				if k := numbered(r.Data); k <= before {
					t.Fatalf("packet %d after %d", k, before)
				}
				before = numbered(r.Data)
				recorded++
			})
			if recorded+dropped != n || dropped != w.Status().Dropped || dropped == 0 {
				t.Errorf("%d recorded and %d dropped, of %d; the ring says %d, the kernel %d", recorded, dropped, n, w.Status().Dropped, c.Status().Dropped)
			}
			if where == "kernel" && c.Status().Dropped == 0 {
				t.Error("the kernel dropped nothing, though nobody took packets")
			}
			t.Logf("%d recorded, %d dropped, %d of them by the kernel", recorded, dropped, c.Status().Dropped)
		})
	}
}

// Windows that are frozen at full speed hold what was recorded by then, each packet once, and
// nothing is lost by it.
func TestFreezeAtFullSpeed(t *testing.T) {
	s := newSpace(t)
	s.pair("a", "b")
	w, dir := newRing(t, ring.Options{Bytes: 512 << 20, BufferBytes: recordBuffer, Flush: 10 * time.Millisecond})
	c := start(t, Options{Namespaces: only(s), Devices: devices("a"), RingBytes: captureRing, MemoryBytes: 8 * captureRing}, w)
	g, f := newGenerator(t, 14), packetstest.Frame(300)
	enough := make(chan struct{})
	injected := make(chan uint64, 1)
	go func() {
		const some = 20_000
		for n := uint64(0); ; n += some {
			select {
			case <-enough:
				injected <- n
				return
			default:
				if err := g.inject(s, "a", some, f); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	var pins []*ring.Pinned
	for range 5 {
		before := w.Status().Recorded
		bpftest.Until(t, "more recorded", func() bool { return w.Status().Recorded > before && w.Status().Segments > 0 })
		pins = append(pins, pinAll(t, dir))
	}
	close(enough)
	n := <-injected
	bpftest.Until(t, "all received", func() bool { return c.Status().Received == n })
	c.stop()
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	pins = append(pins, pinAll(t, dir))
	if w.Status().Dropped > 0 {
		t.Fatalf("%d packets were dropped, %d of them by the kernel, while %d windows were frozen", w.Status().Dropped, c.Status().Dropped, len(pins))
	}
	held := uint64(0)
	for i, p := range pins {
		next := uint64(1)
		readPinned(t, p, func(r *packet.Record) {
			if numbered(r.Data) != next || !bytes.Equal(r.Data[22:], f[22:]) {
				t.Fatalf("window %d: packet %d, want %d", i, numbered(r.Data), next)
			}
			next++
		})
		if next-1 < held {
			t.Errorf("window %d has %d packets, and one before it had %d", i, next-1, held)
		}
		held = next - 1
	}
	if held != n {
		t.Errorf("the last window has %d packets of %d", held, n)
	}
	t.Logf("%d windows", len(pins))
}
