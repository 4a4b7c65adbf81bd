package ring

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shark/packet"
)

// What goes into a ring comes out of it, the newest of it, whatever was overwritten; at any
// moment the files are sound, within the budget, and tell what was dropped.
func TestKeepsTheNewest(t *testing.T) {
	dir := t.TempDir()
	o := small()
	w := open(t, dir, o)
	x := newTraffic(1)
	var written []packet.Record
	for round := range 60 {
		batch := x.next(1+x.rng.IntN(80), 900)
		written = append(written, batch...)
		w.Write(batch, x.interfaces)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := window(t, dir, always[0], always[1])
		checkRead(t, got, written)
		last := got.records[len(got.records)-1]
		if n := numberOf(&last); n != uint64(len(written)-1) || uint64(len(got.records)) != n-numberOf(&got.records[0])+1 {
			t.Fatalf("round %d: %d packets up to %d, want all of the newest up to %d", round, len(got.records), n, len(written)-1)
		}
		if n := bytesOf(t, dir); n > o.Bytes {
			t.Fatalf("round %d: %d bytes, more than %d", round, n, o.Bytes)
		}
	}
	if len(segmentFiles(t, dir)) < 5 {
		t.Errorf("segments %v, want the budget to be used", segmentFiles(t, dir))
	}
	s := w.Status()
	if s.Recorded != uint64(len(written)) || s.Dropped != 0 || s.Err != nil {
		t.Errorf("%+v, want %d recorded", s, len(written))
	}
	var packets int
	for _, path := range segmentFiles(t, dir) {
		records, _ := plain(t, path)
		packets += len(records)
	}
	if want := len(window(t, dir, always[0], always[1]).records); packets != want {
		t.Errorf("as capture files the segments have %d packets, want %d", packets, want)
	}
}

// Segments are files for everybody, sealed or being written.
func TestOtherProgramsReadSegments(t *testing.T) {
	for _, program := range []string{"tshark", "tcpdump", "capinfos"} {
		t.Run(program, func(t *testing.T) {
			if _, err := exec.LookPath(program); err != nil {
				t.Skip(err)
			}
			dir := t.TempDir()
			o := small()
			o.SegmentBytes, o.Bytes = 12<<20, 40<<20
			w := open(t, dir, o)
			x := newTraffic(2)
			x.interfaces = x.interfaces[:1]
			total := 0
			for range 20 { // over the whole ring, then into a file with old packets behind
				for range 4 {
					w.Write(x.next(500, 1400), x.interfaces)
				}
				if err := w.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			w.Write(x.next(500, 1400), x.interfaces)
			w.Lost(0, 5, x.interfaces)
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, path := range segmentFiles(t, dir) {
				records, _ := plain(t, path)
				total += len(records)
				if got := counted(t, program, path); got != len(records) {
					t.Errorf("%s: %s finds %d packets, want %d", filepath.Base(path), program, got, len(records))
				}
			}
			if want := len(window(t, dir, always[0], always[1]).records); total != want {
				t.Errorf("%d packets, want %d", total, want)
			}
		})
	}
}

// counted has a program count the packets of a file, which it must not complain about.
func counted(t *testing.T, program, path string) int {
	t.Helper()
	args := map[string][]string{
		"tshark":   {"-n", "-r", path, "-T", "fields", "-e", "frame.number"},
		"tcpdump":  {"-n", "-t", "-q", "-r", path},
		"capinfos": {"-M", "-c", "-r", "-T", path},
	}[program]
	cmd := exec.Command(program, args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	text := complaint.String()
	if i := strings.Index(text, "reading from file"); i >= 0 { // tcpdump says so
		text = ""
	}
	if err != nil || strings.Contains(text, "rror") || strings.Contains(text, "appears") {
		t.Errorf("%s %s: %v %s", program, path, err, text)
	}
	if program == "capinfos" {
		fields := strings.Fields(string(out))
		n, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			t.Fatalf("%s: %q", path, out)
		}
		return n
	}
	if program == "tcpdump" { // hexadecimal lines are of the packet before
		n := 0
		for line := range strings.Lines(string(out)) {
			if line[0] != '\t' {
				n++
			}
		}
		return n
	}
	return strings.Count(string(out), "\n")
}

// What finds no room is dropped, and each segment says so: packets + dropped = received.
func TestDropsAreWrittenDown(t *testing.T) {
	dir := t.TempDir()
	o := small()
	o.BufferBytes = 2 * leastSegment / 4
	w := open(t, dir, o)
	x := newTraffic(3)
	var written []packet.Record
	offered := uint64(0)
	for range 30 {
		batch := x.next(100, 900) // more than the buffers hold, at a time
		written = append(written, batch...)
		w.Write(batch, x.interfaces)
		offered += uint64(len(batch))
		w.Lost(1, 3, x.interfaces)
		offered += 3
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	large := x.next(1, 1)
	large[0].Data = make([]byte, leastSegment)
	copy(large[0].Data, "\xff\xff\xff\xff")
	w.Write(large, x.interfaces)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := w.Status()
	if s.Recorded+s.Dropped != offered+1 || s.Dropped < 91 {
		t.Errorf("%d recorded + %d dropped, offered were %d", s.Recorded, s.Dropped, offered+1)
	}
	got := window(t, dir, always[0], always[1])
	checkRead(t, got, written)
	for _, path := range segmentFiles(t, dir) {
		records, interfaces := plain(t, path)
		per := make([]uint64, len(interfaces))
		for i := range records {
			per[records[i].Interface]++
		}
		for i, f := range interfaces {
			if f.Received == nil || f.Dropped == nil || per[i]+*f.Dropped != *f.Received {
				t.Errorf("%s, %s: %d packets, %d dropped, %d received", filepath.Base(path), f.Name, per[i], *f.Dropped, *f.Received)
			}
		}
	}
}

// All drops stand in the segments when nothing was overwritten.
func TestRecordedAndDroppedAreOffered(t *testing.T) {
	dir := t.TempDir()
	o := small()
	o.Bytes, o.BufferBytes = 64*leastSegment, leastSegment/2
	w := open(t, dir, o)
	x := newTraffic(4)
	offered := uint64(0)
	for range 12 {
		batch := x.next(200, 700)
		w.Write(batch, x.interfaces)
		w.Lost(2, 2, x.interfaces)
		offered += uint64(len(batch)) + 2
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := window(t, dir, always[0], always[1])
	if n := uint64(len(got.records)) + got.dropped(); n != offered || got.dropped() == 0 {
		t.Errorf("%d packets + %d dropped = %d, offered were %d", len(got.records), got.dropped(), n, offered)
	}
	if len(got.interfaces) != 3 {
		t.Errorf("interfaces %v, want the three that there are", got.interfaces)
	}
}

// A window has its packets, to the nanosecond, and says what is not there.
func TestWindow(t *testing.T) {
	dir := t.TempDir()
	o := small()
	o.Bytes = 64 * leastSegment
	w := open(t, dir, o)
	x := newTraffic(5)
	written := x.next(2000, 500)
	for part := range slices.Chunk(written, 50) {
		w.Write(part, x.interfaces)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	at := func(i int) time.Time { return time.Unix(0, written[i].Time) }
	for _, c := range []struct {
		name     string
		from, to time.Time
		first, n int
		notes    []string
	}{
		{"both ends", at(700), at(1300), 700, 601, nil},
		{"one packet", at(900), at(900), 900, 1, nil},
		{"between two", at(900).Add(1), at(901).Add(-1), 0, 0, nil},
		{"from before", began.Add(-time.Minute), at(10), 0, 11, []string{"recorded from 2026-03-01T12:00:00.000000007Z on only"}},
		{"to after", at(1990), began.Add(2 * time.Hour), 1990, 10, []string{"recorded up to 2026-03-01T13:00:00Z only"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := window(t, dir, c.from, c.to)
			if len(got.records) != c.n || c.n > 0 && numberOf(&got.records[0]) != uint64(c.first) {
				t.Errorf("%d packets, want %d from %d on", len(got.records), c.n, c.first)
			}
			checkRead(t, got, written)
			if !slices.Equal(got.notes, c.notes) {
				t.Errorf("notes %q, want %q", got.notes, c.notes)
			}
		})
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	from, to, err := r.Span()
	if err != nil || !from.Equal(at(0)) || !to.Equal(began.Add(time.Hour)) || r.Node() != "node-a" {
		t.Errorf("span %v to %v of %s, %v", from, to, r.Node(), err)
	}
}

// Nothing older than the age budget is kept, and an idle ring lets go of it too.
func TestAge(t *testing.T) {
	dir := t.TempDir()
	o := small()
	c := &clock{began}
	o.Age, o.Now = 10*time.Second, c.now
	w := open(t, dir, o)
	x := newTraffic(6)
	var written []packet.Record
	for range 100 { // 300 ms a time
		batch := x.next(300, 20)
		written = append(written, batch...)
		c.at = time.Unix(0, batch[len(batch)-1].Time)
		w.Write(batch, x.interfaces)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := window(t, dir, always[0], always[1])
		checkRead(t, got, written)
		// A segment goes as a whole, and spans a sixteenth.
		if age := c.at.Sub(time.Unix(0, got.records[0].Time)); age > o.Age+o.Age/16+600*time.Millisecond {
			t.Fatalf("a packet is %v old, more than %v", age, o.Age)
		}
	}
	if n := len(window(t, dir, always[0], always[1]).records); n < 5000 {
		t.Errorf("%d packets are kept, want those of ten seconds", n)
	}
	c.at = c.at.Add(11 * time.Second)
	for range 2 { // seals, then lets go
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(11 * time.Second)
	}
	if list := segmentFiles(t, dir); len(list) > 0 {
		t.Errorf("%v are there", list)
	}
	if n := bytesOf(t, dir); n > leastSegment {
		t.Errorf("%d bytes are kept for nothing", n)
	}
}

func TestWritesAllocateNothing(t *testing.T) {
	o := small()
	o.Bytes, o.SegmentBytes, o.BufferBytes = 64<<20, 16<<20, 32<<20
	w := open(t, t.TempDir(), o)
	x := newTraffic(7)
	batch := x.next(100, 400)
	for range 200 {
		w.Write(batch, x.interfaces)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { w.Write(batch, x.interfaces) }); n > 1 { // a buffer's first use
		t.Errorf("%v allocations for 100 packets", n)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, small())
	if _, err := Create(dir, small()); err == nil || !strings.Contains(err.Error(), ErrLocked.Error()) {
		t.Errorf("a second writer: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	o := small()
	o.Bytes = leastSegment
	if _, err := Create(dir, o); err == nil {
		t.Error("a budget of one segment is taken")
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), ErrNoRing.Error()) {
		t.Errorf("a folder that is no ring: %v", err)
	}
}
