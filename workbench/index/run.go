package index

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"slices"

	"shark/dissector"
)

const (
	// defaultMemory bounds the rows that all shards hold, in bytes.
	defaultMemory = 40 << 20
	// chunkSize is how a shard takes memory, in bytes; a larger row gets a
	// chunk of its own.
	chunkSize = 256 << 10
	// minShard is what a shard may hold even when there are many.
	minShard = 1 << 20
	// fanIn is how many runs are merged at once; each has an open file and a
	// buffer of runBuffer bytes.
	fanIn     = 64
	runBuffer = 64 << 10
	// checkEvery is after how many rows a merge looks whether it is to stop.
	checkEvery = 1024
)

// Shard takes the entries of one worker. It is not for more than one goroutine
// at a time.
type Shard struct {
	w      *Writer
	enc    encoder
	chunks [][]byte
	free   [][]byte // chunks of the usual size to fill again
	order  []ref
	dealt  []ref // for sort
	held   int   // bytes of rows and refs
}

// ref is where a row stands in the shard's chunks, with the front of its key.
type ref struct {
	time, first uint64
	chunk       uint32
	off, end    uint32
}

const refSize = 64 // with its place in dealt

// Entry implements dissector.Sink. It keeps nothing of e.
func (s *Shard) Entry(e *dissector.Entry) error {
	row, err := s.enc.encode(e)
	if err != nil {
		return err
	}
	return s.add(row)
}

// add keeps a row. When chunks are full and all that memory allows is taken, those
// before are spilled first.
func (s *Shard) add(row []byte) error {
	last := len(s.chunks) - 1
	if last < 0 || cap(s.chunks[last])-len(s.chunks[last]) < len(row) {
		if s.held >= max(minShard, s.w.opts.Memory/int(s.w.count.Load())) {
			if err := s.spill(); err != nil {
				return err
			}
		}
		s.chunks = append(s.chunks, s.chunk(len(row)))
		last = len(s.chunks) - 1
	}
	c := s.chunks[last]
	s.order = append(s.order, ref{
		time: binary.BigEndian.Uint64(row), first: binary.BigEndian.Uint64(row[8:]),
		chunk: uint32(last), off: uint32(len(c)), end: uint32(len(c) + len(row)),
	})
	s.chunks[last] = append(c, row...)
	s.held += len(row) + refSize
	return nil
}

// chunk returns an empty chunk with room for n bytes.
func (s *Shard) chunk(n int) []byte {
	if last := len(s.free) - 1; last >= 0 && n <= chunkSize {
		c := s.free[last]
		s.free = s.free[:last]
		return c
	}
	return make([]byte, 0, max(chunkSize, n))
}

func (s *Shard) row(r ref) []byte { return s.chunks[r.chunk][r.off:r.end] }

// sort puts the rows in order. They are dealt out by their times first, into parts
// of a few rows each where times are spread evenly, as they are in traffic: that
// takes a third of the time of sorting all of them.
func (s *Shard) sort() {
	n := len(s.order)
	if n < minDeal {
		s.sortPart(s.order)
		return
	}
	lo, hi := s.order[0].time, s.order[0].time
	for i := range s.order {
		lo, hi = min(lo, s.order[i].time), max(hi, s.order[i].time)
	}
	shift := max(bits.Len64(hi-lo)-bits.Len(uint(n/rowsOfPart)), 0)
	ends := make([]uint32, (hi-lo)>>shift+1)
	for i := range s.order {
		ends[(s.order[i].time-lo)>>shift]++
	}
	sum := uint32(0)
	for i, k := range ends {
		ends[i] = sum
		sum += k
	}
	if cap(s.dealt) < n {
		s.dealt = make([]ref, n)
	}
	s.dealt = s.dealt[:n]
	for i := range s.order {
		at := &ends[(s.order[i].time-lo)>>shift]
		s.dealt[*at] = s.order[i]
		*at++
	}
	s.order, s.dealt = s.dealt, s.order
	begin := uint32(0)
	for _, end := range ends {
		if end > begin+1 {
			s.sortPart(s.order[begin:end])
		}
		begin = end
	}
}

const (
	minDeal    = 256 // rows
	rowsOfPart = 2
	// maxShift is up to how many rows are sorted by shifting them to their place.
	maxShift = 12
)

func (s *Shard) sortPart(part []ref) {
	if len(part) > maxShift {
		slices.SortFunc(part, s.compare)
		return
	}
	for i := 1; i < len(part); i++ {
		r, at := part[i], i
		for at > 0 && (r.time < part[at-1].time || r.time == part[at-1].time && s.compare(r, part[at-1]) < 0) {
			part[at] = part[at-1]
			at--
		}
		part[at] = r
	}
}

func (s *Shard) compare(a, b ref) int {
	if a.time != b.time || a.first != b.first {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.first, b.first))
	}
	return bytes.Compare(s.row(a), s.row(b))
}

// spill writes what the shard holds as a run and empties it.
func (s *Shard) spill() error {
	s.sort()
	path, err := s.w.newRun(func(add func([]byte) error) error {
		for _, r := range s.order {
			if err := add(s.row(r)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.w.mu.Lock()
	s.w.runs = append(s.w.runs, path)
	s.w.mu.Unlock()
	s.order, s.held = s.order[:0], 0
	for _, c := range s.chunks {
		if cap(c) == chunkSize {
			s.free = append(s.free, c[:0])
		}
	}
	clear(s.chunks)
	s.chunks = s.chunks[:0]
	return nil
}

// newRun writes a run: rows in order, each with its length before it.
func (w *Writer) newRun(fill func(add func(row []byte) error) error) (path string, err error) {
	path = filepath.Join(w.dir, fmt.Sprintf("run-%d", w.serial.Add(1)))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	buf := make([]byte, 0, runBuffer+runBuffer/8) // a row may go over the edge
	err = fill(func(row []byte) error {
		buf = appendBytes(buf, row)
		if len(buf) < runBuffer {
			return nil
		}
		_, err := f.Write(buf)
		buf = buf[:0]
		return err
	})
	if err == nil {
		_, err = f.Write(buf)
	}
	return path, cmp.Or(err, f.Close())
}

// source yields rows in order; a row is valid until the next call.
type source interface {
	next() ([]byte, error) // io.EOF after the last
	close() error
}

// heldRows is a source of what a sorted shard still holds.
type heldRows struct {
	s  *Shard
	at int
}

func (h *heldRows) next() ([]byte, error) {
	if h.at == len(h.s.order) {
		return nil, io.EOF
	}
	h.at++
	return h.s.row(h.s.order[h.at-1]), nil
}

func (h *heldRows) close() error { return nil }

// runFile is a source of a run. With a pool its rows stay valid until the pool has
// their blocks back.
type runFile struct {
	f     *os.File
	block []byte // what is read
	at    int    // where the next row begins in it
	whole bool   // there is no more
	pool  *blocks
}

func openRun(path string) (*runFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &runFile{f: f, block: make([]byte, 0, runBuffer)}, nil
}

func (r *runFile) next() ([]byte, error) {
	for {
		rest := r.block[r.at:]
		n, head := binary.Uvarint(rest)
		if head > 0 && n <= uint64(len(rest)-head) {
			r.at += head + int(n)
			return rest[head : head+int(n)], nil
		}
		switch {
		case r.whole && len(rest) == 0:
			return nil, io.EOF
		case r.whole || head < 0:
			return nil, fmt.Errorf("%s: %w", filepath.Base(r.f.Name()), errRow)
		}
		if err := r.read(); err != nil {
			return nil, err
		}
	}
}

// read reads more behind what is left of the block, which grows if that fills it.
func (r *runFile) read() error {
	rest := r.block[r.at:]
	if r.pool != nil {
		r.block = r.pool.swap(r.block)
	}
	r.block = append(r.block[:0], rest...)
	r.at = 0
	if n := len(r.block); n > cap(r.block)/2 {
		r.block = slices.Grow(r.block, n)
	}
	n, err := r.f.Read(r.block[len(r.block):cap(r.block)])
	r.block = r.block[:len(r.block)+n]
	if err == io.EOF {
		r.whole, err = true, nil
	}
	return err
}

// close also removes the run: nothing reads it twice.
func (r *runFile) close() error { return cmp.Or(r.f.Close(), os.Remove(r.f.Name())) }

// merging is a heap of sources by their current row.
type merging []*merged

type merged struct {
	time, first uint64 // the front of the row's key
	row         []byte
	src         source
}

// next goes to the next row.
func (m *merged) next() (err error) {
	m.row, err = m.src.next()
	if err != nil {
		return err
	}
	if len(m.row) < 16 {
		return errRow
	}
	m.time, m.first = binary.BigEndian.Uint64(m.row), binary.BigEndian.Uint64(m.row[8:])
	return nil
}

func (m *merged) less(b *merged) bool {
	if m.time != b.time {
		return m.time < b.time
	}
	return m.first < b.first || m.first == b.first && bytes.Compare(m.row[16:], b.row[16:]) < 0
}

// sink moves a source to its place below. It is container/heap's, which by its
// calls takes three times as long.
func (m merging) sink(at int) {
	moved := m[at]
	for {
		child := 2*at + 1
		if child >= len(m) {
			break
		}
		if child+1 < len(m) && m[child+1].less(m[child]) {
			child++
		}
		if !m[child].less(moved) {
			break
		}
		m[at] = m[child]
		at = child
	}
	m[at] = moved
}

// merge yields the rows of all sources in order. Equal rows are all kept: they
// tell of two things that only look alike. It closes the sources.
func merge(ctx context.Context, sources []source, yield func(row []byte) error) (err error) {
	defer func() {
		for _, s := range sources {
			err = cmp.Or(err, s.close())
		}
	}()
	var m merging
	for _, s := range sources {
		x := &merged{src: s}
		if err := x.next(); err == nil {
			m = append(m, x)
		} else if err != io.EOF {
			return err
		}
	}
	for i := len(m) - 1; i >= 0; i-- {
		m.sink(i)
	}
	for n := 0; len(m) > 0; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := yield(m[0].row); err != nil {
			return err
		}
		if err := m[0].next(); err == io.EOF {
			last := len(m) - 1
			m[0] = m[last]
			if m = m[:last]; last == 0 {
				break
			}
		} else if err != nil {
			return err
		}
		m.sink(0)
	}
	return nil
}

// sources opens all that the shards hold and have spilled.
func (w *Writer) sources(ctx context.Context) ([]source, error) {
	out, err := w.open(ctx, w.runs)
	if err != nil {
		return nil, err
	}
	for _, s := range w.shards {
		out = append(out, &heldRows{s: s})
	}
	return out, nil
}

// open opens runs, after merging some until few enough are left to be merged at
// once.
func (w *Writer) open(ctx context.Context, runs []string) ([]source, error) {
	for len(runs) > fanIn {
		some, err := openRuns(runs[:fanIn])
		if err != nil {
			return nil, err
		}
		path, err := w.newRun(func(add func([]byte) error) error { return merge(ctx, some, add) })
		if err != nil {
			return nil, err
		}
		runs = append(runs[fanIn:], path)
	}
	return openRuns(runs)
}

// openRuns opens the runs, all or none.
func openRuns(paths []string) ([]source, error) {
	var out []source
	for _, p := range paths {
		r, err := openRun(p)
		if err != nil {
			for _, s := range out {
				err = errors.Join(err, s.close())
			}
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
