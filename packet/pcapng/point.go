package pcapng

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"shark/packet"
)

// Point is a place of an input from which it can be read without what comes
// before, in plain numbers that can be kept in a table. For several merged files a
// restart place is one Point for each of them, all of the same Number.
type Point struct {
	Number uint64 // of the first packet of the input from here on
	File   uint32 // index of the file
	Offset int64  // of a record or block of the file; -1 when it has no more packets
	Skip   uint64 // packets of the file from Offset on that come before Number
	// For pcapng: offset of the header of the section that Offset is in, index
	// (in the file) of the section's first interface, and how many interfaces
	// the section describes before Offset. All 0 for pcap.
	Section        int64
	FirstInterface uint32
	Interfaces     uint32
}

// here returns the point the reader is at.
func (r *Reader) here() Point {
	p := Point{Number: r.number + 1, Offset: r.base}
	r.format.point(&p)
	return p
}

// mark keeps p as a restart point, if it is far enough from the one before.
func (r *Reader) mark(p Point) {
	if r.seekable && !r.search.on && p.Offset-r.points[len(r.points)-1].Offset >= pointSize {
		r.points = append(r.points, p)
	}
}

// Points returns the restart points of what was read so far, in order, about
// one a MiB. Inputs that cannot be read from the middle, because they are packed
// or not a regular file, have none.
func (r *Reader) Points() []Point { return slices.Clip(r.points) }

// Points returns the restart places of what was read so far, in order: about one
// for every MiB of each file, and of one place a Point for each file, in their order.
// There are none unless every source is a file that has some.
func (m *Merged) Points() []Point {
	if len(m.inputs) == 1 && !m.primed && !m.noRestart {
		return m.inputs[0].source.(*Reader).Points()
	}
	return slices.Clip(m.points)
}

// PointBefore returns the last restart place at or before a packet, which is
// none for number 0. The points are those of one input, in order.
func PointBefore(points []Point, number uint64) []Point {
	end := sort.Search(len(points), func(i int) bool { return points[i].Number > number })
	if end == 0 {
		return nil
	}
	start := sort.Search(end, func(i int) bool { return points[i].Number >= points[end-1].Number })
	return points[start:end]
}

// OpenFiles opens capture files as one input, merged by time.
func OpenFiles(paths ...string) (*Merged, error) {
	return OpenWatched(func(int) func([]byte) { return nil }, paths...)
}

// OpenWatched is OpenFiles for who wants to see the files' bytes: see returns, for the
// place of each among the paths, what is called with all that is read of it, in order and
// as the file has it. That must not keep the bytes, and is called until the result is
// closed, where a file is packed by another goroutine than that which reads packets.
func OpenWatched(see func(file int) func([]byte), paths ...string) (*Merged, error) {
	sources := make([]packet.Source, 0, len(paths))
	for i, path := range paths {
		r, err := openShown(path, see(i))
		if err != nil {
			Merge(sources...).Close()
			return nil, err
		}
		sources = append(sources, r)
	}
	return Merge(sources...), nil
}

// OpenFilesAt opens the same files, in the same order, to read on from the
// restart place at. Origins are those of the first reading, at its end. Packets
// have the numbers and interface indices they had. What is known of interfaces
// described before that place stays with the first reading: here they are empty.
// With ok false the files cannot be read from their middle and the input is at
// its start.
func OpenFilesAt(paths []string, at []Point, origins []Origin) (m *Merged, ok bool, err error) {
	if m, err = OpenFiles(paths...); err != nil {
		return nil, false, err
	}
	if m.noRestart || len(paths) == 0 {
		return m, false, nil
	}
	if err = m.jump(at, origins); err != nil {
		m.Close()
		return nil, false, err
	}
	return m, true, nil
}

// errPoint says that a restart point does not fit its file.
var errPoint = errors.New("restart point does not fit the file")

func (m *Merged) jump(at []Point, origins []Origin) error {
	if len(at) != len(m.inputs) {
		return fmt.Errorf("%w: %d points for %d files", errPoint, len(at), len(m.inputs))
	}
	for _, o := range origins {
		if int(o.File) >= len(m.inputs) || int(o.Interface) != len(m.inputs[o.File].interfaces) {
			return fmt.Errorf("%w: interface %d of file %d is out of order", errPoint, o.Interface, o.File)
		}
		in := &m.inputs[o.File]
		in.interfaces = append(in.interfaces, uint32(len(m.origins)))
		m.origins = append(m.origins, o)
	}
	m.noRestart = true // its points would count from another start
	for i, p := range at {
		in := &m.inputs[i]
		if p.Number == 0 || p.Number != at[0].Number || int(p.File) != i {
			return fmt.Errorf("%w: the points are not of one place", errPoint)
		}
		if p.Offset < 0 {
			in.done = true
			continue
		}
		r := in.source.(*Reader)
		if err := r.jump(p); err != nil {
			return fmt.Errorf("%s: restart at offset %d: %w", r.name, p.Offset, err)
		}
		in.skip = p.Skip
	}
	m.number = at[0].Number - 1
	return nil
}

// jump goes to p in an opened file.
func (r *Reader) jump(p Point) error {
	if p.Number == 0 || p.Section < 0 || p.Section > p.Offset || p.FirstInterface > maxInterfaces || p.Interfaces > maxInterfaces {
		return errPoint
	}
	if ng, ok := r.format.(*ngFile); ok {
		if err := r.jumpSection(ng, p); err != nil {
			return err
		}
	}
	if _, err := r.file.Seek(p.Offset, io.SeekStart); err != nil {
		return err
	}
	r.src, r.base, r.number = r.file, p.Offset, p.Number-1
	r.tail, r.search, r.damage, r.points = nil, search{}, nil, nil
	r.eof, r.over, r.seekable = false, false, false
	return nil
}

// jumpSection reads the section of p as far as its interfaces need.
func (r *Reader) jumpSection(ng *ngFile, p Point) error {
	r.src = io.NewSectionReader(r.file, p.Section, p.Offset-p.Section)
	r.base = p.Section
	r.meta = metadata{interfaces: make([]packet.Interface, p.FirstInterface)}
	var b packet.Batch
	for len(ng.interfaces) < int(p.Interfaces) || !ng.started && p.Offset > p.Section {
		err := r.ReadBatch(&b)
		if err == io.EOF && len(ng.interfaces) < int(p.Interfaces) {
			return errPoint
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	ng.interfaces = ng.interfaces[:p.Interfaces]
	r.meta.interfaces = r.meta.interfaces[:p.FirstInterface+p.Interfaces]
	return nil
}

var (
	_ packet.Source = (*Reader)(nil)
	_ packet.Source = (*Merged)(nil)
)
