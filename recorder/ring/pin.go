package ring

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	pinsFolder = "pins"
	lockSuffix = ".lock"
)

// Ring is a ring to be read, whoever writes it meanwhile. It may be used by several
// goroutines.
type Ring struct {
	dir  string
	node string
}

// Open opens the ring in a folder.
func Open(dir string) (*Ring, error) {
	m, err := readMeta(dir)
	if err != nil {
		return nil, fmt.Errorf("ring %s: %w", dir, err)
	}
	return &Ring{dir, m.Node}, nil
}

// Node returns whose ring it is.
func (r *Ring) Node() string { return r.node }

// Dir returns where it is.
func (r *Ring) Dir() string { return r.dir }

// Live tells whether somebody writes it.
func (r *Ring) Live() bool { return held(filepath.Join(r.dir, lockName)) }

// Span returns from when to when it recorded: up to now while somebody writes it. Both are
// zero when it is empty.
func (r *Ring) Span() (from, to time.Time, err error) {
	segments, err := r.segments()
	if err != nil || len(segments) == 0 {
		return from, to, err
	}
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for _, s := range segments {
		first, last = min(first, s.first), max(last, s.until)
	}
	if r.Live() {
		last = max(last, time.Now().UnixNano())
	}
	return time.Unix(0, first).UTC(), time.Unix(0, last).UTC(), nil
}

// segments lists what the ring has. One that is not sealed is read through, if nobody writes
// it any more.
func (r *Ring) segments() ([]segment, error) {
	names, _, err := listed(r.dir)
	if err != nil {
		return nil, fmt.Errorf("ring %s: %w", r.dir, err)
	}
	live := r.Live()
	var all []segment
	for _, n := range names {
		s, err := look(filepath.Join(r.dir, n.String()), n)
		if errors.Is(err, fs.ErrNotExist) {
			continue // overwritten meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("ring %s: %w", r.dir, err)
		}
		if s.last = max(s.last, s.first); s.live && !live {
			last, err := lastOf(filepath.Join(r.dir, n.String()))
			if err != nil {
				return nil, fmt.Errorf("ring %s: %w", r.dir, err)
			}
			s.last = max(s.first, last)
		}
		all = append(all, s)
	}
	ends(all, readRuns(r.dir), live)
	return all, nil
}

// look inspects the segment at path.
func look(path string, n name) (segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return segment{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return segment{}, err
	}
	return inspect(f, info.Size(), n)
}

// lastOf reads a segment for the time of its last block.
func lastOf(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	c, err := walk(f, info.Size())
	return c.until, err
}

// Pinned is a window of a ring that stays, whatever is recorded, until it is released.
type Pinned struct {
	ring     *Ring
	dir      string // of the links
	lock     *lock
	from, to int64
	segments []segment
	logs     []string // paths, like the next
	secrets  []string

	mu    sync.Mutex
	ends  map[int]contents // of segments that were being written, as they were read first
	notes []string
}

// Pin keeps what was recorded from one time to another, both included, from being
// overwritten. It takes some milliseconds and reads no packets. The caller releases it; a
// process that ends does so, too.
func (r *Ring) Pin(from, to time.Time) (*Pinned, error) {
	p, err := r.pin(from, to)
	if err != nil {
		return nil, fmt.Errorf("pin the ring %s: %w", r.dir, err)
	}
	return p, nil
}

func (r *Ring) pin(from, to time.Time) (_ *Pinned, err error) {
	sweep(r.dir)
	if list, err := os.ReadDir(filepath.Join(r.dir, pinsFolder)); err == nil && len(list) >= 2*maxPins {
		return nil, fmt.Errorf("there are %d pins, no more may be", maxPins)
	}
	var dir string
	var l *lock
	for tries := 0; l == nil; tries++ { // a sweep may have the lock of a new pin for a moment
		if tries == maxSweeps {
			return nil, errors.New("others keep locking its pins")
		}
		dir = filepath.Join(r.dir, pinsFolder, strings.ToLower(rand.Text()))
		if l, err = acquire(dir + lockSuffix); err != nil {
			return nil, err
		}
	}
	p := &Pinned{ring: r, dir: dir, lock: l, from: from.UnixNano(), to: to.UnixNano()}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, errors.Join(err, p.Release())
	}
	if err := p.link(); err != nil {
		return nil, errors.Join(err, p.Release())
	}
	return p, nil
}

// link makes links to all that the window needs. What goes meanwhile is gone, from the oldest
// on.
func (p *Pinned) link() error {
	live := p.ring.Live()
	segments, err := p.ring.segments()
	if err != nil {
		return err
	}
	gone := 0
	for _, s := range segments {
		if !s.overlaps(p.from, p.to) {
			continue
		}
		switch err := p.take(s.String()); {
		case errors.Is(err, fs.ErrNotExist):
			gone++
		case err != nil:
			return err
		default:
			p.segments = append(p.segments, s)
		}
	}
	list, err := logs(p.ring.dir, identityKind)
	if err != nil {
		return err
	}
	if p.logs, err = p.takeLogs(covering(list, p.from, p.to)); err != nil {
		return err
	}
	if list, err = logs(p.ring.dir, secretsKind); err != nil {
		return err
	}
	if p.secrets, err = p.takeLogs(secretsOf(list, p.from, p.to)); err != nil {
		return err
	}
	p.cover(segments[min(gone, len(segments)):], live)
	p.notes = append(p.notes, missedSecrets(p.secrets)...)
	return nil
}

// takeLogs makes links to files of a log and returns their paths.
func (p *Pinned) takeLogs(list []logName) (paths []string, err error) {
	for _, n := range list {
		switch err := p.take(n.String()); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return paths, err
		default:
			paths = append(paths, filepath.Join(p.dir, n.String()))
		}
	}
	return paths, nil
}

func (p *Pinned) take(name string) error {
	return os.Link(filepath.Join(p.ring.dir, name), filepath.Join(p.dir, name))
}

// cover says what of the window was not recorded. The segments are all of the ring.
func (p *Pinned) cover(segments []segment, live bool) {
	note := func(format string, args ...any) { p.notes = append(p.notes, fmt.Sprintf(format, args...)) }
	if len(segments) == 0 {
		note("nothing is recorded")
		return
	}
	if first := segments[0].first; first > p.from {
		note("recorded from %s on only", moment(first))
	}
	last := &segments[len(segments)-1]
	if now, is := silent(segments, readRuns(p.ring.dir), live); is && last.until < p.to {
		note("nothing is recorded after %s%s; the recorder began again at %s", moment(last.until), last.why(), moment(now.Began.UnixNano()))
	} else if !live && last.until < p.to {
		note("recorded up to %s only%s", moment(last.until), last.why())
	}
	for i := 1; i < len(segments); i++ {
		a, b := &segments[i-1], &segments[i]
		inside := b.first >= p.from && a.until <= p.to
		switch {
		case !inside:
		case a.run != b.run:
			note("not recorded between %s and %s%s", moment(a.until), moment(b.first), a.why())
		case a.seq+1 != b.seq:
			note("what was recorded between %s and %s is not there any more", moment(a.last), moment(b.first))
		}
	}
}

// why says how it is known until when a run recorded, if that is not its end.
func (s *segment) why() string {
	if s.killed {
		return " (the recorder was killed: that is the time of the last it had written before)"
	}
	return ""
}

func moment(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }

// Notes says what of the window is not there.
func (p *Pinned) Notes() []string { return p.notes }

// end reads how far segment i was written, when it is read first. So whoever reads again reads
// the same.
func (p *Pinned) end(i int, f *os.File, size int64) (contents, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.ends[i]; ok {
		return c, nil
	}
	c, err := walk(f, size)
	if err != nil {
		return c, err
	}
	if p.ends == nil {
		p.ends = make(map[int]contents)
	}
	c.interfaces = nil
	p.ends[i] = c
	return c, nil
}

// Shortened tells from when on the window is there, if what was recorded before is not there
// any more.
func (p *Pinned) Shortened() (from time.Time, is bool) {
	if len(p.segments) == 0 || p.segments[0].seq <= 1 || p.segments[0].first <= p.from {
		return from, false
	}
	return time.Unix(0, p.segments[0].first).UTC(), true
}

// Size returns how many bytes the segments have.
func (p *Pinned) Size() (n int64) {
	for i := range p.segments {
		n += p.segments[i].size
	}
	return n
}

// Identity opens the log of who had which address in the window, which may say more than
// that. A line that was being written is left out. The caller closes what is returned.
func (p *Pinned) Identity() (io.ReadCloser, error) {
	all := new(files)
	var parts []io.Reader
	for _, path := range p.logs {
		f, err := os.Open(path)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all.list = append(all.list, f)
		n, err := wholeLines(f)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		parts = append(parts, io.NewSectionReader(f, 0, n))
	}
	all.Reader = io.MultiReader(parts...)
	return all, nil
}

// files is several files as one.
type files struct {
	io.Reader
	list []*os.File
}

func (x *files) Close() error {
	var errs []error
	for _, f := range x.list {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// wholeLines returns how many bytes the whole lines of a file have.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		n := min(end, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] == '\n' {
				return end - n + i + 1, nil
			}
		}
		end -= n
	}
	return 0, nil
}

// Release lets go of the window.
func (p *Pinned) Release() error {
	err := os.RemoveAll(p.dir)
	if p.lock != nil {
		err = errors.Join(err, os.Remove(p.lock.f.Name()), p.lock.release())
		p.lock = nil
	}
	return err
}

// maxSweeps is how many new pins in turn a sweep may come upon before they are locked: each takes
// one that begins in these microseconds.
const maxSweeps = 100

// sweep removes the pins of processes that are gone. What it cannot remove is left to who
// may.
func sweep(dir string) {
	pins := filepath.Join(dir, pinsFolder)
	entries, err := os.ReadDir(pins)
	if err != nil {
		return
	}
	for _, e := range entries {
		base := strings.TrimSuffix(e.Name(), lockSuffix)
		path := filepath.Join(pins, base)
		if _, err := os.Lstat(path + lockSuffix); errors.Is(err, fs.ErrNotExist) {
			_ = os.RemoveAll(path) // its lock is removed after it
			continue
		}
		f, err := os.OpenFile(path+lockSuffix, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if free, err := tryLock(f); err == nil && free {
			_ = os.RemoveAll(path) // the next sweep tries again
			_ = os.Remove(path + lockSuffix)
		}
		_ = f.Close() // nothing was written to it
	}
}
