package pcapng

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"shark/packet"
)

// windowed writes packets of these times and sizes, each holding its place among
// them, and returns the order they have in the file and how many are late. Every
// hundredth is of an interface that was not met before.
func windowed(t *testing.T, o Options, times []int64, size func() int) (order []int, late int64) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	interfaces := make([]packet.Interface, len(times)/100+1)
	for i, at := range times {
		data := binary.BigEndian.AppendUint32(nil, uint32(i))
		data = append(data, bytes.Repeat([]byte{byte(i)}, size())...)
		r := packet.Record{Time: at, Data: data, OrigLen: uint32(len(data)), Interface: uint32(i / 100), Link: 1}
		if err := w.Write(&r, interfaces); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			if memory := held(w.hold); memory > 2*o.Window+8*chunkSize {
				t.Fatalf("%d bytes of memory for a window of %d", memory, o.Window)
			}
		}
	}
	if err := w.WriteStatistics(0, []packet.Interface{{Link: 1, Received: u64(1)}}, 0); err != nil && o.Format == Pcapng {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(out.Len()) || w.hold.bytes != 0 || w.hold.extra != 0 {
		t.Errorf("size %d of %d; %d and %d bytes are held still", w.Size(), out.Len(), w.hold.bytes, w.hold.extra)
	}
	got, r := read(t, out.Bytes())
	if len(got) != len(times) || len(r.Damage()) > 0 {
		t.Fatalf("%d of %d packets, damage %v", len(got), len(times), r.Damage())
	}
	for _, rec := range got {
		i := int(binary.BigEndian.Uint32(rec.Data))
		if rec.Time != times[i] || !bytes.Equal(rec.Data[4:], bytes.Repeat([]byte{byte(i)}, len(rec.Data)-4)) {
			t.Fatalf("packet %d has changed: %+v", i, rec)
		}
		order = append(order, i)
	}
	return order, w.Late()
}

// held is the memory of all chunks.
func held(h *hold) int {
	n, seen := 0, make(map[*byte]bool)
	for _, c := range h.chunks {
		if at := &c.mem[0]; !seen[at] {
			seen[at] = true
			n += len(c.mem)
		}
	}
	return n
}

func TestWindowPutsPacketsInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	const n = 20_000
	small := func() int { return rng.IntN(300) }
	far := func(reach int64) func(i int) int64 {
		return func(i int) int64 { return 1e6 + int64(i)*10 - rng.Int64N(reach) }
	}
	for _, c := range []struct {
		name   string
		window int
		time   func(i int) int64
		size   func() int
		late   bool
	}{
		{"in order", 8 << 20, func(i int) int64 { return int64(i) }, small, false},
		{"all at once", 8 << 20, func(int) int64 { return 5 }, small, false},
		{"a little late", 8 << 20, far(200), small, false},
		{"very late", 8 << 20, far(50_000), small, false},
		{"some very late", 8 << 20, func(i int) int64 { return 1e6 + int64(i) - 2000*int64(rng.IntN(200)/199) }, func() int { return rng.IntN(1400) }, false},
		{"backwards", 12 << 20, func(i int) int64 { return int64(n - i) }, small, false},
		{"backwards beyond the window", 1 << 20, func(i int) int64 { return int64(n - i) }, small, true},
		{"one file after another", 1 << 20, func(i int) int64 { return int64(i % (n / 2)) }, func() int { return rng.IntN(800) }, true},
		{"large ones", 4 << 20, far(100), func() int { return rng.IntN(200) * rng.IntN(200) }, false},
		{"no window", 0, far(200), small, false},
	} {
		for _, f := range []Format{Pcap, Pcapng} {
			times := make([]int64, n)
			for i := range times {
				times[i] = c.time(i)
			}
			order, late := windowed(t, Options{Format: f, Nanosecond: true, Window: c.window}, times, c.size)
			want := make([]int, n)
			for i := range want {
				want[i] = i
			}
			if c.window > 0 {
				slices.SortStableFunc(want, func(a, b int) int { return int(times[a] - times[b]) })
			}
			if c.late != (late > 0) || !c.late && !slices.Equal(order, want) {
				t.Errorf("%s, format %d: %d are late, in order: %v", c.name, f, late, slices.Equal(order, want))
			}
			after, newest := int64(0), int64(0)
			for _, i := range order {
				if newest = max(newest, times[i]); times[i] < newest {
					after++
				}
			}
			if c.window > 0 && after != late {
				t.Errorf("%s, format %d: %d packets are behind a later one, %d are told", c.name, f, after, late)
			}
		}
	}
}

// Writes that are not whole units of the file cost the system more.
func TestWritesAreAligned(t *testing.T) {
	for _, window := range []int{0, 2 << 20} {
		var out sizes
		w, err := NewWriter(&out, Options{Format: Pcap, Window: window})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10_000 {
			if err := w.Write(&packet.Record{Time: int64(i), Data: make([]byte, 777), Link: 1}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		total := 0
		for i, n := range out {
			if total += n; i < len(out)-1-window/chunkSize-1 && total%chunkAlign != 0 {
				t.Errorf("window %d: write %d of %d ends at %d", window, i, len(out), total)
			}
		}
		if len(out) > 14 || total != pcapHeader+10_000*(recordHeader+777) {
			t.Errorf("window %d: %d bytes in %d writes", window, total, len(out))
		}
	}
}

// sizes keeps how much was written at a time.
type sizes []int

func (s *sizes) Write(b []byte) (int, error) {
	*s = append(*s, len(b))
	return len(b), nil
}
