package block

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"shark/packet"
	"shark/packet/pcapng"
)

// Known is what is known of an interface of the node from elsewhere.
type Known struct {
	packet.Interface
	Packets uint64
}

// Rebuild reads a file of blocks to its end and makes its index anew, for so many groups: the very bytes that
// the Writer's Encode gave, as far as the file tells. Names, filters and counts of the
// interfaces are those of the file, where it has them, else those that are known. What
// cannot be told is whose packets were whose of interfaces that look alike, unless one
// ends before the next begins; and where the Writer met one of its limits. So the caller
// compares the result with a sum. It holds a block, packed and unpacked, and up to 24 MiB
// of fragments.
func Rebuild(ctx context.Context, in io.Reader, groups int, known []Known) (*Index, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRaw))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	r := &rebuilder{
		x: &Index{Groups: groups}, zstd: z, dec: packet.NewDecoder(), open: make(map[int]*openBlock), uses: make(map[look][]use),
		addrs: directory{numbers: make(map[packet.Addr]uint32)}, waiting: waiting{records: make(map[uint64]*waiter)},
	}
	from := &frames{in: bufio.NewReaderSize(in, 1<<20)}
	for {
		packed, err := from.next()
		if err == io.EOF {
			return r.finish(known)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.block(packed)
		}
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", len(r.x.Blocks)+1, err)
		}
	}
}

// frames parts a file into zstd frames (RFC 8878, section 3.1.1).
type frames struct {
	in  *bufio.Reader
	buf []byte
}

// next returns the next frame, which is valid until the one after. At the end of the file
// the error is a bare io.EOF.
func (f *frames) next() ([]byte, error) {
	const raw, rle, reserved = 0, 1, 3 // types of a frame's blocks
	f.buf = f.buf[:0]
	head, err := f.in.Peek(zstd.HeaderMaxSize)
	if len(head) == 0 || err != nil && err != io.EOF {
		return nil, err
	}
	var h zstd.Header
	if err := h.Decode(head); err != nil || h.Skippable {
		return nil, fmt.Errorf("%w: it does not begin as a zstd frame", ErrFormat)
	}
	if err := f.take(h.HeaderSize); err != nil {
		return nil, err
	}
	for last := false; !last; {
		if err := f.take(3); err != nil {
			return nil, err
		}
		b := f.buf[len(f.buf)-3:]
		n := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		kind, size := n>>1&3, n>>3
		if last = n&1 != 0; kind == rle {
			size = 1
		}
		if kind == reserved {
			return nil, fmt.Errorf("%w: its zstd frame has a block of no known type", ErrFormat)
		}
		if err := f.take(size); err != nil {
			return nil, err
		}
	}
	if h.HasCheckSum {
		err = f.take(4)
		return f.buf, err
	}
	return f.buf, nil
}

// take reads n bytes more of the frame.
func (f *frames) take(n int) error {
	at := len(f.buf)
	if at+n > maxPacked {
		return fmt.Errorf("%w: its zstd frame has more than %d bytes", ErrFormat, maxPacked)
	}
	f.buf = slices.Grow(f.buf, n)[:at+n]
	_, err := io.ReadFull(f.in, f.buf[at:])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: its zstd frame is cut off", ErrFormat)
	}
	return err
}

// rebuilder makes an index of the blocks that it is given.
type rebuilder struct {
	x       *Index
	zstd    *zstd.Decoder
	raw     []byte
	dec     *packet.Decoder
	batch   packet.Batch
	p       packet.Packet
	addrs   directory
	waiting waiting
	open    map[int]*openBlock // by place
	last    int64              // latest time of a packet
	uses    map[look][]use     // of interfaces by blocks with packets
	extras  []packet.Interface // of the block that has all, nil without one
}

// openBlock is a block of which not all is known: it is read, or has fragments that wait.
type openBlock struct {
	gathering
	partition int // < 0: not known
	fragments int // that wait
	read      bool
}

// look is what a section says of an interface.
type look struct {
	link                             packet.LinkType
	snapLen                          uint32
	name, about, filter, os, options string
}

func lookOf(f *packet.Interface) look {
	return look{f.Link, f.SnapLen, f.Name, f.Description, f.Filter, f.OS, f.Options}
}

// use is an interface of a block's section.
type use struct {
	block, place int   // the section's own index
	first        int64 // time of its first packet there
	packets      uint64
}

// block reads one block.
func (r *rebuilder) block(packed []byte) (err error) {
	if r.raw, err = r.zstd.DecodeAll(packed, r.raw[:0]); err != nil {
		return fmt.Errorf("%w: it does not unpack: %w", ErrFormat, err)
	}
	if len(r.raw) > maxRaw {
		return fmt.Errorf("%w: it has %d bytes unpacked", ErrFormat, len(r.raw))
	}
	section, err := pcapng.NewReader(bytes.NewReader(r.raw), "block")
	if err != nil {
		return err
	}
	defer section.Close()
	n := len(r.x.Blocks)
	o := &openBlock{partition: -1}
	r.open[n] = o
	r.x.Blocks = append(r.x.Blocks, Block{Offset: r.x.Size(), Before: r.x.Packets(), Packed: len(packed), Raw: len(r.raw), Sum: sumOf(packed)})
	uses, err := r.packets(n, section)
	switch {
	case err != nil:
		return err
	case len(section.Damage()) > 0:
		return errDamaged
	}
	list := section.Interfaces()
	if len(uses) > len(list) || len(list) > maxInterfaces {
		return errIface
	}
	b := &r.x.Blocks[n]
	b.Interfaces = make([]uint32, len(list))
	if b.Packets == 0 {
		b.Extras, b.First, b.Last = true, r.last, r.last
		o.partition = otherPartition
		r.extras = append([]packet.Interface{}, list...)
	}
	for i := range list {
		switch {
		case b.Extras:
			b.Interfaces[i] = uint32(i) // it has all, in their order
		case i < len(uses):
			u := use{n, i, uses[i].first, uses[i].packets}
			r.uses[lookOf(&list[i])] = append(r.uses[lookOf(&list[i])], u)
		default:
			return errIface // one without a packet
		}
	}
	o.read = true
	r.settle(n)
	return nil
}

// packets reads those of the block at place n. It returns how the interfaces of its
// section are used.
func (r *rebuilder) packets(n int, section *pcapng.Reader) (uses []use, err error) {
	b := &r.x.Blocks[n]
	for {
		end := section.ReadBatch(&r.batch)
		for i := range r.batch.Records {
			rec := &r.batch.Records[i]
			t := max(rec.Time, 0)
			if b.Packets == 0 {
				b.First, b.Last = t, t
			}
			b.First, b.Last, r.last = min(b.First, t), max(b.Last, t), max(r.last, t)
			b.Packets++
			rec.Number = b.Before + uint64(b.Packets)
			for int(rec.Interface) >= len(uses) {
				uses = append(uses, use{})
			}
			u := &uses[rec.Interface]
			if u.packets == 0 {
				u.first = t
			}
			u.packets++
			if err := r.packet(n, rec); err != nil {
				return nil, err
			}
		}
		if errors.Is(end, io.EOF) {
			return uses, nil
		}
		if end != nil {
			return nil, end
		}
	}
}

// packet gathers a packet as Writer.Write has it: a fragment when the rest of its datagram
// is there.
func (r *rebuilder) packet(n int, rec *packet.Record) error {
	r.dec.Decode(rec, &r.p)
	if r.p.Kind == packet.Held {
		r.open[n].fragments++
		r.waiting.add(rec, &r.p)
		for r.waiting.bytes > maxWaiting {
			if err := r.giveUp(); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range r.p.Fragments {
		if w := r.waiting.take(f.Number); w != nil {
			if err := r.fragment(f.Number, &r.p); err != nil {
				return err
			}
		}
	}
	return r.gather(n, &r.p)
}

// giveUp gathers the oldest fragment by itself.
func (r *rebuilder) giveUp() error {
	w := r.waiting.oldest()
	return r.fragment(w.rec.Number, &w.packet)
}

// fragment gathers p for the block of a fragment that waits no longer.
func (r *rebuilder) fragment(number uint64, p *packet.Packet) error {
	n, _ := slices.BinarySearchFunc(r.x.Blocks, number, func(b Block, number uint64) int {
		return cmp.Compare(b.Before+uint64(b.Packets), number)
	})
	if err := r.gather(n, p); err != nil {
		return err
	}
	r.open[n].fragments--
	r.settle(n)
	return nil
}

// gather is Writer.put without the packet itself.
func (r *rebuilder) gather(n int, p *packet.Packet) error {
	o, part := r.open[n], partition(p, r.x.Groups)
	if o.partition >= 0 && o.partition != part {
		return fmt.Errorf("%w: it has packets of two partitions", ErrFormat)
	}
	if o.partition = part; part == otherPartition {
		o.all()
	} else {
		o.add(p, &r.addrs)
	}
	return nil
}

// settle describes a block once all of it is known.
func (r *rebuilder) settle(n int) {
	if o := r.open[n]; o.read && o.fragments == 0 {
		b := &r.x.Blocks[n]
		b.Partition = o.partition
		o.describe(b)
		delete(r.open, n)
	}
}

// finish returns the index of all blocks.
func (r *rebuilder) finish(known []Known) (*Index, error) {
	for len(r.waiting.records) > 0 {
		if err := r.giveUp(); err != nil {
			return nil, err
		}
	}
	if r.extras != nil {
		known = slices.Clone(known[:min(len(known), len(r.extras))])
	}
	for i := range r.extras {
		if i < len(known) {
			known[i].Interface = r.extras[i]
		} else {
			known = append(known, Known{Interface: r.extras[i]})
		}
	}
	for i := range known {
		r.x.Interfaces = append(r.x.Interfaces, known[i].Interface)
	}
	if err := r.assign(known); err != nil {
		return nil, err
	}
	r.x.sortAddrs(r.addrs.list)
	return r.x, nil
}

// assign tells which of the node's interfaces each block has.
func (r *rebuilder) assign(known []Known) error {
	own := make(map[look][]int)
	for i := range known {
		l := lookOf(&known[i].Interface)
		own[l] = append(own[l], i)
	}
	for l, uses := range r.uses {
		if err := r.share(uses, own[l], known); err != nil {
			return fmt.Errorf("interface %.40q: %w", l.name, err)
		}
	}
	return nil
}

// share gives the uses of what looks like one interface to those that look so: as many
// packets as it had to the first, the later ones to the next.
func (r *rebuilder) share(uses []use, own []int, known []Known) error {
	if len(own) == 0 {
		return errors.New("there are packets of it, and nothing says which one it is")
	}
	slices.SortStableFunc(uses, func(a, b use) int { return cmp.Compare(a.first, b.first) })
	at, given := 0, uint64(0)
	for _, u := range uses {
		for at < len(own)-1 && given >= known[own[at]].Packets {
			at, given = at+1, 0
		}
		r.x.Blocks[u.block].Interfaces[u.place] = uint32(own[at])
		if given += u.packets; len(own) > 1 && given > known[own[at]].Packets {
			return fmt.Errorf("%d look alike, and nothing says which packets were whose", len(own))
		}
	}
	return nil
}
