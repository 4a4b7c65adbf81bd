package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"shark/packet"
)

// Format is a capture file format.
type Format uint8

// The formats that are written, both little-endian.
const (
	Pcapng Format = iota
	Pcap
)

// Options say what a Writer writes. The zero value is a pcapng section that
// says nothing of itself.
type Options struct {
	Format Format

	// For pcap. Link is the link type of a file without packets; others have
	// that of their first. SnapLen 0 stands for 262144. Times are in microseconds
	// unless Nanosecond is set.
	Link       packet.LinkType
	SnapLen    uint32
	Nanosecond bool
	Continue   bool // the file has its header, with Link, and packets: more are written

	// Window is how many bytes, or some more, are held back to put packets in order
	// of time. Packets of the same time stay in the order they come in. With 0 all do.
	Window int

	// Reserve asks the file system for room ahead of what is written to a regular
	// file. Close gives back what is left of it: it is for files that are removed
	// when they are not completed.
	Reserve bool

	// For pcapng, about the section.
	Hardware, OS, Application string
	Comments                  []string
}

// Writer writes a capture file: of pcapng one section, so Writers one after the
// other on the same file make a valid file too. What it writes it holds in
// memory until Flush or Close. The first error stays and is returned from then on.
type Writer struct {
	hold *hold
	o    Options
	buf  []byte // of the block being written
	err  error

	started bool              // the file header is written
	link    packet.LinkType   // of the pcap file
	ids     []uint32          // by the source's interface index: that of the section + 1, 0 for none yet
	links   []packet.LinkType // by the section's interface index
	options []byte            // of the packet being written
	omitted Omitted
}

// NewWriter begins a file or section on w, which stays the caller's to close.
func NewWriter(w io.Writer, o Options) (*Writer, error) {
	x := &Writer{hold: newHold(w, o.Window), o: o}
	if o.Reserve {
		x.hold.space = newReserver(w)
	}
	switch o.Format {
	case Pcap:
		x.started, x.link = o.Continue, o.Link
	case Pcapng:
		x.started = true
		x.writeSection()
	default:
		return nil, fmt.Errorf("write capture: %w: format %d", errors.ErrUnsupported, o.Format)
	}
	return x, x.err
}

// Write writes one packet. Interfaces are those of its source; of pcapng, the
// packet's is described before its first packet. Times before 1970 become 1970,
// and in pcap those after 2106 become 2106.
func (w *Writer) Write(rec *packet.Record, interfaces []packet.Interface) error {
	if w.err != nil {
		return w.err
	}
	if w.o.Format == Pcap {
		w.writeRecord(rec)
		return w.err
	}
	id, ok := w.lookup(rec.Interface)
	if !ok {
		id = w.describe(rec.Interface, rec.Link, interfaces)
	}
	if w.err == nil && w.links[id] != rec.Link {
		w.err = fmt.Errorf("write packet %d: interface %d has link type %d, not %d", rec.Number, rec.Interface, w.links[id], rec.Link)
	}
	if w.err == nil {
		w.writePacket(id, rec)
	}
	return w.err
}

// lookup returns the section's index of the source's interface i.
func (w *Writer) lookup(i uint32) (uint32, bool) {
	if int64(i) < int64(len(w.ids)) && w.ids[i] > 0 {
		return w.ids[i] - 1, true
	}
	return 0, false
}

// Size returns the bytes written so far, with those still held.
func (w *Writer) Size() int64 { return w.hold.size + int64(w.hold.bytes) }

// Late returns how many packets were too late for the window: the file has them
// behind one of a later time.
func (w *Writer) Late() int64 { return w.hold.late }

// Flush writes what is held.
func (w *Writer) Flush() error {
	if w.err == nil {
		w.err = w.hold.flush()
	}
	return w.err
}

// Close completes the file. It does not close what it was written to.
func (w *Writer) Close() error {
	if w.err == nil && !w.started {
		w.writeFileHeader(w.o.Link)
	}
	if w.Flush() == nil {
		w.err = w.hold.space.release(w.hold.size)
	}
	return w.err
}

func (w *Writer) writeFileHeader(link packet.LinkType) {
	w.started, w.link = true, link
	magic, snapLen := uint32(magicMicro), w.o.SnapLen
	if w.o.Nanosecond {
		magic = magicNano
	}
	if snapLen == 0 {
		snapLen = usualRecord
	}
	b := binary.LittleEndian.AppendUint32(nil, magic)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0) // version 2.4, time zone and accuracy 0
	b = binary.LittleEndian.AppendUint32(b, snapLen)
	w.err = w.hold.block(binary.LittleEndian.AppendUint32(b, uint32(link)), true)
}

// writeRecord writes a packet in pcap's form.
func (w *Writer) writeRecord(rec *packet.Record) {
	if !w.started {
		w.writeFileHeader(rec.Link)
	}
	if rec.Link != w.link {
		w.err = fmt.Errorf("write packet %d: %w: %d, not %d", rec.Number, ErrLinkType, w.link, rec.Link)
		return
	}
	t := uint64(max(rec.Time, 0))
	sec, frac := min(t/1e9, math.MaxUint32), t%1e9
	if !w.o.Nanosecond {
		frac /= 1000
	}
	n := recordHeader + len(rec.Data)
	b := w.hold.inOrder(rec.Time, n)
	known := b != nil
	if !known {
		if b = w.room(n); w.err != nil {
			return
		}
		b = b[:n]
	}
	capLen := uint32(len(rec.Data))
	binary.LittleEndian.PutUint64(b, sec|frac<<32)
	binary.LittleEndian.PutUint64(b[8:], uint64(capLen)|uint64(max(rec.OrigLen, capLen))<<32)
	copy(b[recordHeader:], rec.Data)
	if !known {
		w.err = w.hold.packet(rec.Time, n)
	}
}

// room makes place for n bytes, unless there was an error.
func (w *Writer) room(n int) (b []byte) {
	if w.err != nil {
		return nil
	}
	b, err := w.hold.room(n)
	if err != nil {
		w.err = err
	}
	return b
}
