package workbench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"shark/packet"
	"shark/snapshot"
)

// SplitBy says what the packets of one file have in common.
type SplitBy string

// The ways to split an export into files.
const (
	ByPod  SplitBy = "pod"  // all packets of a pod; those between two pods are in the files of both
	ByNode SplitBy = "node" // those that a node captured
	BySize SplitBy = "size" // as many as make a size
	ByTime SplitBy = "time" // those of the same minutes
)

// Split says how an export becomes several files.
type Split struct {
	By    SplitBy
	Size  int64         // by size: bytes after which the next file begins
	Every time.Duration // by time: how long a file is; files begin at whole multiples of it, in UTC
}

// Files holds the files of an export that is split.
type Files interface {
	// Create makes the file that part says the name of: part is safe as part of a path,
	// and comes once.
	Create(part string) (io.WriteCloser, error)
	// Append opens a file that was created at its end.
	Append(part string) (io.WriteCloser, error)
	// Clear removes all files.
	Clear() error
}

// Limits of an export that is split.
const (
	// maxParts is how many files there may be.
	maxParts = 10_000
	// maxOpen is how many are open at once: those that were written to last. They hold
	// about 3 MiB each.
	maxOpen = 32
	// partWindow is how many bytes of a file are held back to put packets in order of time.
	partWindow = 256 << 10
)

// ExportSplit is Export to several files. A file that is opened again gets a second
// section, as pcapng has them.
func (e *Evidence) ExportSplit(ctx context.Context, q Export, by Split, files Files) (*Exported, error) {
	switch by.By {
	case ByNode:
	case BySize:
		if by.Size <= 0 {
			return nil, usage("files of %d bytes make no sense", by.Size)
		}
	case ByTime:
		if by.Every <= 0 {
			return nil, usage("files of %s make no sense", by.Every)
		}
	case ByPod:
		log, err := e.log(ctx)
		if err != nil {
			return nil, err
		}
		if log == nil {
			return nil, usage("there is no identity log that says which pod had which address; give one with --identity")
		}
	default:
		return nil, usage("split by %q: pod, node, size or time", by.By)
	}
	x := &exporter{e: e, q: q, result: new(Exported)}
	x.split = &splitter{by: by, files: files, pods: newPodFinder(e.identity)}
	if err := x.split.clear(); err != nil {
		return nil, err
	}
	done, err := x.run(ctx)
	if err != nil {
		return nil, errors.Join(err, x.split.abandon())
	}
	return done, nil
}

// splitter hands packets out to the files that they belong into.
type splitter struct {
	by    Split
	files Files
	pods  *podFinder
	parts map[partKey]*splitFile
	names map[string]bool
	open  []*splitFile
	clock uint64
	size  int64 // number of the file, by size
}

// partKey is what the packets of a file have in common.
type partKey struct {
	space, name string
	n           int64
}

// splitFile is one of the files.
type splitFile struct {
	name  string
	sheet *sheet
	out   io.WriteCloser
	used  uint64 // when it was written to
}

// clear forgets all files.
func (s *splitter) clear() error {
	err := s.abandon()
	s.parts, s.names, s.size = make(map[partKey]*splitFile), make(map[string]bool), 1
	return errors.Join(err, s.files.Clear())
}

// abandon closes what is open.
func (s *splitter) abandon() (err error) {
	for _, p := range s.open {
		err = errors.Join(err, p.out.Close())
	}
	s.open = nil
	return err
}

// write writes a packet, which came by interface in, to its files.
func (s *splitter) write(x *exporter, r *packet.Record, in uint32) error {
	switch s.by.By {
	case ByNode:
		return s.put(x, r, partKey{name: x.faces.nodes[in]})
	case ByTime:
		return s.put(x, r, partKey{n: floor(r.Time, int64(s.by.Every))})
	case BySize:
		if p := s.parts[partKey{n: s.size}]; p != nil && p.sheet.w.Size() >= s.by.Size {
			s.size++
		}
		return s.put(x, r, partKey{n: s.size})
	}
	one, other := s.pods.both(r)
	if err := s.put(x, r, one); err != nil || other == one {
		return err
	}
	return s.put(x, r, other)
}

// floor is the greatest multiple of n that is not above t.
func floor(t, n int64) int64 {
	m := t % n
	if m < 0 {
		m += n
	}
	return max(t, math.MinInt64+n) - m
}

// put writes a packet to a file.
func (s *splitter) put(x *exporter, r *packet.Record, key partKey) error {
	p, err := s.part(x, key)
	if err != nil {
		return err
	}
	if err := failed(p.sheet.extras(&x.extras)); err != nil {
		return err
	}
	return x.put(p.sheet, r)
}

// part returns a file that is open.
func (s *splitter) part(x *exporter, key partKey) (*splitFile, error) {
	p := s.parts[key]
	s.clock++
	if p != nil && p.out != nil {
		p.used = s.clock
		return p, nil
	}
	if len(s.open) == maxOpen || s.by.By == BySize && len(s.open) > 0 {
		if err := s.close(x); err != nil {
			return nil, err
		}
	}
	more := p != nil
	var err error
	if more {
		p.out, err = s.files.Append(p.name)
	} else {
		if len(s.parts) == maxParts {
			return nil, usage("that makes more than %s files: make each larger, or export less", Grouped(maxParts))
		}
		p = &splitFile{name: s.name(key)}
		p.out, err = s.files.Create(p.name)
	}
	if err != nil {
		p.out = nil
		return nil, err
	}
	s.parts[key], p.used = p, s.clock
	s.open = append(s.open, p)
	window := partWindow
	if s.by.By == BySize {
		window = int(min(reorderBytes, s.by.Size)) // there is one such file
	}
	p.sheet, err = x.begin(p.out, window, more)
	return p, err
}

// name makes the name of a file; no two have the same.
func (s *splitter) name(key partKey) string {
	name := ""
	switch s.by.By {
	case ByNode:
		name = cmp.Or(snapshot.PathPart(key.name), "no-node")
	case BySize:
		name = fmt.Sprintf("%05d", key.n)
	case ByTime:
		name = timePart(key.n, s.by.Every)
	case ByPod:
		name = "no-pod"
		if key.name != "" {
			name = snapshot.PathPart(key.space) + "_" + snapshot.PathPart(key.name)
		}
	}
	unique := name
	for i := 2; s.names[unique]; i++ {
		unique = fmt.Sprintf("%s=%d", name, i) // which no name of a cluster becomes
	}
	s.names[unique] = true
	return unique
}

// timePart writes a time for the name of a file, as exactly as its length asks for.
func timePart(t int64, every time.Duration) string {
	at := time.Unix(0, t).UTC()
	if every%time.Second == 0 {
		return at.Format("20060102t150405z")
	}
	return strings.Replace(at.Format("20060102t150405.000000000z"), ".", "-", 1)
}

// close ends the file that was not written to for the longest time. It may be opened again.
func (s *splitter) close(x *exporter) error {
	at := 0
	for i, p := range s.open {
		if p.used < s.open[at].used {
			at = i
		}
	}
	p := s.open[at]
	s.open = append(s.open[:at], s.open[at+1:]...)
	err := failed(p.sheet.finish(&x.extras, &x.faces))
	x.account(p.sheet)
	if e := p.out.Close(); err == nil {
		err = failed(e)
	}
	p.out, p.sheet = nil, nil
	return err
}

// finish ends all files.
func (s *splitter) finish(x *exporter) error {
	for len(s.open) > 0 {
		if err := s.close(x); err != nil {
			return err
		}
	}
	x.result.Files = len(s.parts)
	return nil
}
