package ring

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// pool is the segments of a ring and the one being written. It is the writing goroutine's.
type pool struct {
	dir      string
	disk     disk
	o        Options
	run      string
	seq      uint64    // of the newest segment
	segments []segment // sealed, from the oldest to the newest
	spares   []string
	active   *active

	descriptions []byte // of the interfaces, since the buffers' segment began
}

// errNoRoom says that there is neither room for a new segment nor one to be overwritten.
var errNoRoom = errors.New("there is no room for a segment, and none that could be overwritten")

// write writes a buffer to the segment, or to the next. Where that fails it is tried once
// more on the oldest segment, which has its room already. An error may be of a segment
// before.
func (p *pool) write(b *buffer) (written bool, err error) {
	now := p.o.Now()
	if b.fresh {
		p.descriptions = p.descriptions[:0]
	}
	p.descriptions = append(p.descriptions, b.descriptions...)
	var sealing error
	if b.fresh || p.active != nil && p.aged(b.last) {
		sealing = p.seal(now)
	}
	if err = p.put(b, now, true); err == nil {
		return true, sealing
	}
	err = errors.Join(sealing, err, p.seal(now)) // what is there is whole
	again := p.put(b, now, false)
	return again == nil, errors.Join(err, again)
}

// aged tells whether the segment spans so much time up to t that another is to begin.
func (p *pool) aged(t int64) bool {
	return p.o.Age > 0 && p.active.first <= p.active.last && t-p.active.first >= int64(p.o.Age/16)
}

func (p *pool) put(b *buffer, now time.Time, create bool) error {
	if p.active != nil {
		return p.active.put(b, p.descriptions, now.UnixNano())
	}
	n := name{p.seq + 1, b.first, p.run}
	if b.packets == 0 {
		n.first = now.UnixNano()
	}
	f, size, spare, err := p.acquire(now, n.seq, create)
	if err != nil {
		return err
	}
	a, err := newActive(f, size, n)
	if err == nil {
		err = a.put(b, p.descriptions, now.UnixNano())
	}
	if err == nil {
		err = p.disk.rename(spare, n.String())
	}
	if err != nil { // it may do another time
		p.spares = append(p.spares, spare)
		return errors.Join(err, f.Close())
	}
	p.active, p.seq = a, n.seq
	return nil
}

// seal completes the segment being written, if there is one. One that cannot be sealed stays
// as it is: readable up to what was written.
func (p *pool) seal(now time.Time) error {
	a := p.active
	if a == nil {
		return nil
	}
	p.active = nil
	s, err := a.seal(now.UnixNano())
	if err != nil {
		s.size = a.size
	}
	p.segments = append(p.segments, s)
	return errors.Join(err, a.f.Close())
}

// used returns how many bytes the segments have.
func (p *pool) used() (n int64) {
	for i := range p.segments {
		n += p.segments[i].size
	}
	return n
}

// acquire returns a file for the next segment under the name of a spare: one that is there,
// a new one if it may be created, or the oldest that nobody pinned.
func (p *pool) acquire(now time.Time, seq uint64, create bool) (f file, size int64, spare string, err error) {
	p.expire(now)
	for {
		for len(p.segments) > 0 && (p.used()+p.o.SegmentBytes > p.o.Bytes || len(p.segments) >= maxSegments) {
			if err := p.recycle(0); err != nil {
				return nil, 0, "", err
			}
		}
		if n := len(p.spares); n > 0 {
			spare, p.spares = p.spares[n-1], p.spares[:n-1]
			if f, size, err = p.reuse(spare); err == nil {
				return f, size, spare, p.trim()
			}
			if e := p.disk.remove(spare); e != nil {
				return nil, 0, "", errors.Join(err, e)
			}
			continue
		}
		if create && p.pinned() <= p.o.PinBytes {
			spare = spareName(seq)
			if f, err = p.disk.create(spare, p.o.SegmentBytes); err == nil {
				return f, p.o.SegmentBytes, spare, nil
			}
		}
		create = false // no room: what is there must do
		if len(p.segments) == 0 {
			return nil, 0, "", errors.Join(errNoRoom, err)
		}
		if e := p.recycle(0); e != nil {
			return nil, 0, "", errors.Join(err, e)
		}
	}
}

// trim removes spares that the budget has no room for.
func (p *pool) trim() error {
	for len(p.spares) > 0 && p.used()+int64(1+len(p.spares))*p.o.SegmentBytes > p.o.Bytes {
		if err := p.disk.remove(p.spares[0]); err != nil {
			return err
		}
		p.spares = p.spares[1:]
	}
	return nil
}

// reuse opens a spare.
func (p *pool) reuse(spare string) (file, int64, error) {
	f, err := p.disk.open(spare, p.o.SegmentBytes)
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Size()
	if err == nil && size%8 == 0 && size >= leastSegment/2 {
		return f, size, nil
	}
	if err == nil {
		err = fmt.Errorf("%s has %d bytes, too few", spare, size)
	}
	return nil, 0, errors.Join(err, f.Close())
}

// recycle takes a segment out of the ring. If somebody has pinned it, who does so keeps it;
// else it becomes a spare.
func (p *pool) recycle(i int) error {
	s := &p.segments[i]
	was, spare := s.String(), spareName(s.seq)
	err := p.disk.rename(was, spare) // from here on nobody can pin it
	p.segments = slices.Delete(p.segments, i, i+1)
	if errors.Is(err, os.ErrNotExist) {
		return nil // somebody removed it
	}
	if err != nil {
		return err
	}
	if links, err := filepath.Glob(filepath.Join(p.dir, pinsFolder, "*", was)); err != nil || len(links) > 0 {
		return errors.Join(err, p.disk.remove(spare))
	}
	p.spares = append(p.spares, spare)
	return nil
}

// expire takes segments out of the ring that are older than they may be, and keeps one of
// their files for what comes.
func (p *pool) expire(now time.Time) {
	for p.o.Age > 0 && len(p.segments) > 0 && p.segments[0].last < now.Add(-p.o.Age).UnixNano() {
		if p.recycle(0) != nil {
			break
		}
	}
	for len(p.spares) > 1 {
		spare := p.spares[0]
		p.spares = p.spares[1:]
		if p.disk.remove(spare) != nil {
			break // the next Writer tries again
		}
	}
}

// pinned returns how many bytes are kept by pins alone. Pins whose owners are gone are
// removed.
func (p *pool) pinned() (n int64) {
	sweep(p.dir)
	links, err := filepath.Glob(filepath.Join(p.dir, pinsFolder, "*", "packets-*"))
	if err != nil {
		return 0
	}
	seen := make(map[string]bool)
	for i := range p.segments {
		seen[p.segments[i].String()] = true
	}
	for _, link := range links {
		if base := filepath.Base(link); !seen[base] {
			seen[base] = true
			if info, err := os.Stat(link); err == nil {
				n += info.Size()
			}
		}
	}
	return n
}

// oldest returns the time of the first packet that is kept.
func (p *pool) oldest() (int64, bool) {
	if len(p.segments) > 0 {
		return slices.MinFunc(p.segments, func(a, b segment) int { return cmp.Compare(a.first, b.first) }).first, true
	}
	if p.active != nil {
		return p.active.name.first, true
	}
	return 0, false
}
