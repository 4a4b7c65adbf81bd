package block

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"shark/packet"
	"shark/packet/pcapng"
)

// Options say how a Writer writes. The zero value is of use.
type Options struct {
	Workers     int    // goroutines that pack; 0: 1
	Bytes       int64  // about how many are to be written, which says how they are parted; 0: nobody knows
	Application string // that writes, for the sections
}

// Extras are what a capture holds beside its packets.
type Extras struct {
	Interfaces []packet.Interface // all of them, with what they counted up to the end; nil: those of the last packet
	Names      []pcapng.Name
	Comments   []string       // on sections of which there is no header among the asides
	Asides     []pcapng.Aside // statistics are of the interfaces above
}

// Writer writes the packets of a node as blocks. It holds about 144 MiB and, for each
// worker, 32 MiB more. It is used by one goroutine.
type Writer struct {
	o          Options
	groups     int
	dec        *packet.Decoder
	parts      []filling
	holds      int // bytes in them
	addrs      directory
	interfaces []packet.Interface
	waiting    waiting
	pack       *packer
	chunks     *chunks
	packets    uint64
	last       int64  // latest time
	excess     uint64 // asides that a block of extras had no room for
	p          packet.Packet
}

// filling is a block being filled.
type filling struct {
	gathering
	chunks      [][]byte
	size        int
	packets     int
	nanos       bool // a time is no whole number of microseconds
	first, last int64
	interfaces  []uint32 // in the order of the section
}

// NewWriter begins a file of blocks on out, which stays the caller's to close. The
// caller ends it with Close, after an error too. When ctx ends, so does writing.
func NewWriter(ctx context.Context, out io.Writer, o Options) (*Writer, error) {
	w := &Writer{
		o: o, groups: groupsFor(o.Bytes), dec: packet.NewDecoder(), parts: make([]filling, Partitions), chunks: new(chunks),
		addrs: directory{numbers: make(map[packet.Addr]uint32)}, waiting: waiting{records: make(map[uint64]*waiter)},
	}
	var err error
	w.pack, err = newPacker(ctx, out, max(o.Workers, 1), efforts(o.Bytes), w.chunks)
	return w, err
}

// Write adds a packet. Its number tells it from others of the capture; interfaces are
// those of its source.
func (w *Writer) Write(rec *packet.Record, interfaces []packet.Interface) error {
	if int64(rec.Interface) >= int64(len(interfaces)) || rec.Interface >= maxInterfaces {
		return fmt.Errorf("packet %d is of interface %d, which is not there or one too many", rec.Number, rec.Interface)
	}
	w.interfaces = interfaces
	p := &w.p
	w.dec.Decode(rec, p)
	if p.Kind == packet.Held {
		return w.wait(rec, p)
	}
	part := partition(p, w.groups)
	for _, f := range p.Fragments {
		if r := w.waiting.take(f.Number); r != nil {
			if err := w.put(part, &r.rec, p); err != nil {
				return err
			}
		}
	}
	return w.put(part, rec, p)
}

// wait keeps a fragment until it is known what is inside of its datagram.
func (w *Writer) wait(rec *packet.Record, p *packet.Packet) error {
	w.waiting.add(rec, p)
	for w.waiting.bytes > maxWaiting {
		if err := w.giveUp(); err != nil {
			return err
		}
	}
	return nil
}

// giveUp writes the oldest fragment to where its own addresses belong.
func (w *Writer) giveUp() error {
	r := w.waiting.oldest()
	return w.put(partition(&r.packet, w.groups), &r.rec, &r.packet)
}

// put adds a packet to the block of its partition.
func (w *Writer) put(part int, rec *packet.Record, p *packet.Packet) error {
	f := &w.parts[part]
	size, known := pcapng.PacketSize(rec), len(f.interfaces)
	f.add(rec, size, w.chunks)
	if len(f.interfaces) > known { // which the block describes
		more := Described(&w.interfaces[rec.Interface])
		f.size += more
		size += more
	}
	if part == otherPartition {
		f.all()
	} else {
		f.gathering.add(p, &w.addrs)
	}
	w.packets++
	w.last = max(w.last, rec.Time)
	w.holds += size
	if f.size >= maxBlock {
		return w.flush(part)
	}
	if w.holds > holdBytes {
		return w.flush(w.largest())
	}
	return nil
}

// add appends a packet of at most size bytes.
func (f *filling) add(rec *packet.Record, size int, c *chunks) {
	last := len(f.chunks) - 1
	if last < 0 || cap(f.chunks[last])-len(f.chunks[last]) < size {
		f.chunks = append(f.chunks, c.get(size))
		last++
	}
	id := slices.Index(f.interfaces, rec.Interface)
	if id < 0 {
		id = len(f.interfaces)
		f.interfaces = append(f.interfaces, rec.Interface)
	}
	t, before := max(rec.Time, 0), len(f.chunks[last]) // as it is written
	if !f.nanos && t%1000 != 0 {
		f.nanos = true
		for _, c := range f.chunks {
			pcapng.ToNanoseconds(c)
		}
	}
	f.chunks[last] = pcapng.AppendPacket(f.chunks[last], uint32(id), rec)
	if !f.nanos { // at once, while it is in the processor's cache
		pcapng.ToMicroseconds(f.chunks[last][before:])
	}
	if f.packets == 0 {
		f.first, f.last = t, t
	}
	f.first, f.last = min(f.first, t), max(f.last, t)
	f.size += size
	f.packets++
}

func (w *Writer) largest() int {
	at := 0
	for i := range w.parts {
		if w.parts[i].size > w.parts[at].size {
			at = i
		}
	}
	return at
}

// flush ends the block of a partition and has it packed.
func (w *Writer) flush(part int) error {
	f := &w.parts[part]
	if f.packets == 0 {
		return nil
	}
	decimals := byte(pcapng.Microseconds) // what is there is kept, and three digits that are none pack badly
	if f.nanos {
		decimals = pcapng.Nanoseconds
	}
	head := pcapng.AppendSection(nil, &pcapng.Options{Application: w.o.Application})
	for _, id := range f.interfaces {
		head = pcapng.AppendInterface(head, &w.interfaces[id], decimals)
	}
	b := Block{Partition: part, Packets: f.packets, First: f.first, Last: f.last, Interfaces: f.interfaces}
	f.describe(&b)
	err := w.pack.add(b, head, f.chunks)
	w.holds -= f.size
	f.reset()
	*f = filling{gathering: f.gathering}
	return err
}

// Close writes what is held, and the extras behind it, and returns the index. After an
// error of the Writer the index is nil, and Close only releases what the Writer holds.
func (w *Writer) Close(x Extras) (*Index, error) {
	if x.Interfaces != nil {
		w.interfaces = x.Interfaces
	}
	err := w.end(x)
	blocks, packing := w.pack.close(err)
	if err = errors.Join(err, packing); err != nil {
		return nil, err
	}
	index := &Index{Groups: w.groups, Interfaces: slices.Clone(w.interfaces), Blocks: blocks}
	index.sortAddrs(w.addrs.list)
	return index, nil
}

func (w *Writer) end(x Extras) error {
	if w.pack.failed() {
		return nil // it says why
	}
	for len(w.waiting.records) > 0 {
		if err := w.giveUp(); err != nil {
			return err
		}
	}
	for part := range w.parts {
		if err := w.flush(part); err != nil {
			return err
		}
	}
	return w.extras(x)
}

// extras writes a block without packets: what the interfaces count, names, comments, what else
// stood beside packets. An empty capture has one too, so that its file is a capture file, and so
// has one whose interfaces cannot be told by what a manifest says of them.
func (w *Writer) extras(x Extras) error {
	told := slices.ContainsFunc(w.interfaces, func(f packet.Interface) bool {
		return f.Received != nil || f.Dropped != nil || f.Options != ""
	})
	if w.packets > 0 && !told && len(x.Names) == 0 && len(x.Comments) == 0 && len(x.Asides) == 0 {
		return nil
	}
	var buf bytes.Buffer
	section, err := pcapng.NewWriter(&buf, pcapng.Options{Application: w.o.Application, Comments: x.Comments})
	if err != nil {
		return err
	}
	b := Block{Partition: otherPartition, Extras: true, First: w.last, Last: w.last}
	for i := range w.interfaces {
		if err := section.WriteInterface(uint32(i), w.interfaces); err != nil {
			return err
		}
		b.Interfaces = append(b.Interfaces, uint32(i))
	}
	if err := section.WriteNames(x.Names); err != nil {
		return err
	}
	if err := w.beside(section, x.Asides); err != nil {
		return err
	}
	if err := section.Close(); err != nil {
		return err
	}
	if buf.Len() > maxRaw {
		return fmt.Errorf("names, comments and interfaces have %d bytes, more than the %d of a block", buf.Len(), maxRaw)
	}
	return w.pack.add(b, buf.Bytes(), nil)
}

// beside writes statistics, with what interfaces count that none of them says, and then the
// sections of the capture with what stood in them. What there is no room for is counted.
func (w *Writer) beside(section *pcapng.Writer, list []pcapng.Aside) error {
	room := int64(maxRaw) - section.Size() - int64(len(w.interfaces))*statisticsSize
	kept := 0
	for ; kept < len(list) && int64(list[kept].Size()) <= room; kept++ {
		room -= int64(list[kept].Size())
	}
	w.excess += uint64(len(list) - kept)
	list = list[:kept]
	for i := range list {
		if a := &list[i]; a.IsStatistics() {
			if err := section.WriteAside(a, w.interfaces); err != nil {
				return err
			}
		}
	}
	for i, said := range pcapng.Covers(list, w.interfaces) {
		if !said {
			if err := section.WriteStatistics(uint32(i), w.interfaces, w.last); err != nil {
				return err
			}
		}
	}
	for i := range list {
		if a := &list[i]; !a.IsStatistics() {
			if err := section.WriteAside(a, w.interfaces); err != nil {
				return err
			}
		}
	}
	return nil
}

// Excess returns how many asides Close had no room for.
func (w *Writer) Excess() uint64 { return w.excess }

// sortAddrs takes the addresses in the order they were met, and makes the blocks' numbers
// those of a sorted table.
func (x *Index) sortAddrs(met []packet.Addr) {
	x.addrs = slices.SortedFunc(slices.Values(met), compareAddrs)
	place := make([]uint32, len(met))
	for i, a := range met {
		n, _ := slices.BinarySearchFunc(x.addrs, a, compareAddrs)
		place[i] = uint32(n)
	}
	for i := range x.Blocks {
		for j, n := range x.Blocks[i].addrs {
			x.Blocks[i].addrs[j] = place[n]
		}
		slices.Sort(x.Blocks[i].addrs)
	}
}
