package ring

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"

	"shark/packet"
)

// badDisk is a folder whose operations fail now and then, writes also halfway, and which is
// full beyond some bytes.
type badDisk struct {
	folder
	mu    sync.Mutex
	rng   *rand.Rand
	one   int           // in so many fails; 0: none
	files int           // that it has room for; 0: any number
	block chan struct{} // while it is open, writes wait for it; nil: none do
}

var errBad = errors.New("bad disk")

func (d *badDisk) fails() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.one > 0 && d.rng.IntN(d.one) == 0 {
		return errBad
	}
	return nil
}

func (d *badDisk) create(name string, size int64) (file, error) {
	if err := d.fails(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	full := d.files == 1
	if d.files > 1 {
		d.files--
	}
	d.mu.Unlock()
	if full {
		return nil, &os.PathError{Op: "fallocate", Path: name, Err: syscall.ENOSPC}
	}
	f, err := d.folder.create(name, size)
	return badFile{f, d}, err
}

func (d *badDisk) open(name string, size int64) (file, error) {
	if err := d.fails(); err != nil {
		return nil, err
	}
	f, err := d.folder.open(name, size)
	return badFile{f, d}, err
}

func (d *badDisk) rename(from, to string) error {
	if err := d.fails(); err != nil {
		return err
	}
	return d.folder.rename(from, to)
}

type badFile struct {
	file
	d *badDisk
}

func (f badFile) WriteAt(p []byte, off int64) (int, error) {
	if f.d.block != nil {
		<-f.d.block
	}
	if err := f.d.fails(); err != nil {
		n := 0
		if len(p) > 8 { // eight bytes in one page are there or not
			n, _ = f.file.WriteAt(p[:f.d.rng.IntN(len(p))], off)
		}
		return n, err
	}
	return f.file.WriteAt(p, off)
}

func (f badFile) Truncate(size int64) error {
	if err := f.d.fails(); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

// However the disk fails, what is in the ring is whole, nobody waits, and what is not there
// was counted.
func TestDiskFails(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			o := small()
			o.Bytes = 1024 * leastSegment
			d := &badDisk{folder: folder(dir), rng: rand.New(rand.NewPCG(seed, 2)), one: 4 + 4*int(seed)}
			w, err := create(dir, o, d)
			if err != nil {
				t.Fatal(err)
			}
			x := newTraffic(seed)
			var written []packet.Record
			for range 60 {
				batch := x.next(1+x.rng.IntN(80), 500)
				written = append(written, batch...)
				w.Write(batch, x.interfaces)
				if err := w.Flush(t.Context()); err != nil && !errors.Is(err, errBad) {
					t.Fatal(err)
				}
			}
			d.mu.Lock()
			d.one = 0
			d.mu.Unlock()
			last := x.next(1, 10)
			written = append(written, last...)
			w.Write(last, x.interfaces)
			_ = w.Close() // says what failed
			s := w.Status()
			if s.Dropped == 0 && seed < 4 || s.Recorded+s.Dropped != uint64(len(written)) {
				t.Errorf("%+v, want %d in all", s, len(written))
			}
			got := window(t, dir, always[0], always[1])
			checkRead(t, got, written)
			// What a failed write had to leave out of the ring may be segments, oldest first.
			if n := uint64(len(got.records)); n > s.Recorded {
				t.Errorf("%d packets are there, recorded were %d", n, s.Recorded)
			}
			if n := numberOf(&got.records[len(got.records)-1]); n != uint64(len(written)-1) {
				t.Errorf("the last packet is %d, want %d", n, len(written)-1)
			}
		})
	}
}

// A disk that is full makes the ring smaller: the oldest goes, nothing is dropped.
func TestDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	o := small()
	o.Bytes = 100 * leastSegment
	w, err := create(dir, o, &badDisk{folder: folder(dir), files: 4})
	if err != nil {
		t.Fatal(err)
	}
	x := newTraffic(9)
	var written []packet.Record
	for range 60 {
		batch := x.next(50, 900)
		written = append(written, batch...)
		w.Write(batch, x.interfaces)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if s := w.Status(); s.Dropped > 0 || s.Segments != 3 {
		t.Errorf("%+v, want three segments and nothing dropped", s)
	}
	got := window(t, dir, always[0], always[1])
	checkRead(t, got, written)
	if n := numberOf(&got.records[len(got.records)-1]); n != uint64(len(written)-1) || len(got.records) < 200 {
		t.Errorf("%d packets up to %d, want the newest up to %d", len(got.records), n, len(written)-1)
	}
}

// A disk that takes nothing for a while stops nobody who writes.
func TestDiskIsSlow(t *testing.T) {
	dir := t.TempDir()
	o := small()
	o.Bytes = 100 * leastSegment
	d := &badDisk{folder: folder(dir), block: make(chan struct{})}
	w, err := create(dir, o, d)
	if err != nil {
		t.Fatal(err)
	}
	x := newTraffic(10)
	var written []packet.Record
	for range 40 { // ten times what the buffers hold; would hang if it waited
		batch := x.next(100, 900)
		written = append(written, batch...)
		w.Write(batch, x.interfaces)
	}
	if s := w.Status(); s.Dropped == 0 || s.Recorded+s.Dropped != uint64(len(written)) || s.Recorded < 100 {
		t.Errorf("%+v, want what the buffers hold of %d", s, len(written))
	}
	close(d.block)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := window(t, dir, always[0], always[1])
	checkRead(t, got, written)
	if n := uint64(len(got.records)); n != w.Status().Recorded || n+got.dropped() != uint64(len(written)) {
		t.Errorf("%d packets and %d dropped, offered were %d", n, got.dropped(), len(written))
	}
}
