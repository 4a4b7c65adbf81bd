package block

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot/cache"
)

// File is a file of blocks that is read where it lies.
type File struct {
	Name  string // for messages
	Index *Index
	Fetch Fetch
	Cache *cache.Cache // of blocks that were read before; nil: none
	Once  bool         // what is read is not going to be read again: it is not kept there
}

// keeps tells whether blocks that are read are put into the cache: not so many that they
// would drive out most of what it has.
func (f *File) keeps(blocks []int) bool {
	if f.Cache == nil || f.Once {
		return false
	}
	total := int64(0)
	for _, i := range blocks {
		total += int64(f.Index.Blocks[i].Packed)
	}
	return total <= f.Cache.Size()/4
}

// Source is a packet.Source of some blocks of a file: their packets in order of time, as
// far as each partition has them in order, with their numbers in the file. It holds a block
// of each partition that it has come to, and what is read ahead: about 4.5 MiB for each and
// 64 MiB more.
type Source struct {
	file    *File
	fetcher *fetcher
	zstd    *zstd.Decoder
	lanes   lanes
	names   []pcapng.Name
	notes   []string
	asides  []pcapng.Aside
	damage  []packet.Damage
	spare   [][]byte // memory of blocks that are done with
	closed  bool
}

// lane is the blocks of one partition, one after the other.
type lane struct {
	partition int
	blocks    []int // still to come
	next      int64 // no packet of it is expected to be earlier
	reader    *pcapng.Reader
	raw       []byte
	block     *Block
	batch     packet.Batch
	at        int    // first record of the batch that was not handed out
	read      uint64 // packets of the block so far
}

// Source begins to read blocks of the file, which Select found. The caller closes it.
func (f *File) Source(ctx context.Context, blocks []int) (*Source, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRaw))
	if err != nil {
		return nil, err
	}
	s := &Source{file: f, zstd: z, fetcher: newFetcher(ctx, f, inTime(f.Index, blocks))}
	var byPartition [Partitions]*lane
	for _, i := range blocks {
		b := &f.Index.Blocks[i]
		if b.Extras { // they are known before the packets: who writes those has to write them first
			s.lanes = append(s.lanes, &lane{partition: b.Partition, next: math.MinInt64, blocks: []int{i}})
			continue
		}
		l := byPartition[b.Partition]
		if l == nil {
			l = &lane{partition: b.Partition, next: b.First}
			byPartition[b.Partition] = l
			s.lanes = append(s.lanes, l)
		}
		l.blocks = append(l.blocks, i)
	}
	heap.Init(&s.lanes)
	return s, nil
}

// inTime returns blocks in the order in which they are needed.
func inTime(x *Index, blocks []int) []int {
	order := slices.Clone(blocks)
	slices.SortStableFunc(order, func(a, b int) int { return int(min(max(x.Blocks[a].First-x.Blocks[b].First, -1), 1)) })
	return order
}

// ReadBatch implements packet.Source. A block that is not what the index says is damage:
// what it holds is lost, from the first byte on that is known to be wrong.
func (s *Source) ReadBatch(b *packet.Batch) error {
	b.Records, b.Buf = b.Records[:0], b.Buf[:0]
	for len(s.lanes) > 0 {
		if err := s.fetcher.ctx.Err(); err != nil {
			return err
		}
		l := s.lanes[0]
		more, err := s.fill(l)
		switch {
		case err != nil:
			return err
		case !more:
			heap.Pop(&s.lanes)
			continue
		case len(s.lanes) == 1 && l.at == 0 && len(b.Records) == 0:
			*b, l.batch = l.batch, *b // nothing to put in order
			l.batch.Records = l.batch.Records[:0]
			return nil
		}
		if l.batch.Records[l.at].Time > l.next { // it was not known before
			l.next = l.batch.Records[l.at].Time
			heap.Fix(&s.lanes, 0)
			if s.lanes[0] != l {
				continue
			}
		}
		if full := l.copy(b, s.lanes.second()); full {
			return nil
		}
		heap.Fix(&s.lanes, 0)
	}
	if len(b.Records) > 0 {
		return nil
	}
	return io.EOF
}

// usualBatch is how many bytes of packets a batch has, so that it stays in the cache.
const usualBatch = 256 << 10

// copy moves the lane's packets that are not later than until to a batch. It tells when
// that is full.
func (l *lane) copy(b *packet.Batch, until int64) (full bool) {
	for ; l.at < len(l.batch.Records); l.at++ {
		r := l.batch.Records[l.at]
		if r.Time > until {
			l.next = r.Time
			return false
		}
		if n := len(r.Data) + len(r.Options); len(b.Buf)+n > cap(b.Buf) {
			if len(b.Records) > 0 {
				return true
			}
			b.Buf = make([]byte, 0, max(n, usualBatch))
		}
		at := len(b.Buf)
		b.Buf = append(append(b.Buf, r.Data...), r.Options...)
		end := at + len(r.Data)
		r.Data = b.Buf[at:end:end]
		if r.Options != nil {
			r.Options = b.Buf[end:len(b.Buf):len(b.Buf)]
		}
		b.Records = append(b.Records, r)
	}
	return false
}

// fill makes sure that the lane's batch has a packet to hand out, if there is one.
func (s *Source) fill(l *lane) (more bool, err error) {
	for l.at >= len(l.batch.Records) {
		if l.reader == nil {
			if len(l.blocks) == 0 {
				return false, nil
			}
			if err := s.open(l); err != nil {
				return false, err
			}
			continue
		}
		if err := s.readBlock(l); err != nil {
			s.lost(l, err)
		}
	}
	return true, nil
}

// open begins the next block of a lane.
func (s *Source) open(l *lane) error {
	i := l.blocks[0]
	packed, err := s.fetcher.take(i)
	l.blocks, l.block, l.read = l.blocks[1:], &s.file.Index.Blocks[i], 0
	if errors.Is(err, ErrFormat) {
		s.lost(l, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.file.Name, err)
	}
	if l.raw == nil && len(s.spare) > 0 {
		l.raw, s.spare = s.spare[len(s.spare)-1], s.spare[:len(s.spare)-1]
	}
	l.raw, err = s.zstd.DecodeAll(packed, l.raw[:0])
	if err == nil && len(l.raw) != l.block.Raw {
		err = fmt.Errorf("the block has %d bytes unpacked, by the index %d", len(l.raw), l.block.Raw)
	}
	if err == nil {
		l.reader, err = pcapng.NewReader(bytes.NewReader(l.raw), s.file.Name)
	}
	if err != nil {
		s.lost(l, err)
	}
	return nil
}

// lost ends a lane's block, the rest of which is not what it should be.
func (s *Source) lost(l *lane, why error) {
	rest := uint64(l.block.Packets) - min(l.read, uint64(l.block.Packets))
	s.damage = append(s.damage, packet.Damage{
		File: s.file.Name, Offset: l.block.Offset, Lost: int64(l.block.Packed), Reason: fmt.Sprintf("%v: %d packets are lost with it", why, rest),
	})
	s.end(l)
}

// end lets go of a lane's block.
func (s *Source) end(l *lane) {
	if l.reader != nil {
		_ = l.reader.Close() // it was read from memory
	}
	l.reader, l.batch.Records, l.at = nil, l.batch.Records[:0], 0
	if l.raw != nil {
		s.spare, l.raw = append(s.spare, l.raw), nil
	}
	if len(l.blocks) > 0 {
		l.next = max(l.next, s.file.Index.Blocks[l.blocks[0]].First)
	}
}

var (
	errDamaged = errors.New("the block is damaged inside")
	errCount   = errors.New("the block has not as many packets as the index says")
	errIface   = errors.New("the block has not the interfaces that the index says")
)

// readBlock reads the next packets of a lane's block, or ends it.
func (s *Source) readBlock(l *lane) error {
	err := l.reader.ReadBatch(&l.batch)
	l.at = 0
	for i := range l.batch.Records {
		r := &l.batch.Records[i]
		if int(r.Interface) >= len(l.block.Interfaces) {
			return errIface
		}
		l.read++
		r.Number, r.Interface = l.block.Before+l.read, l.block.Interfaces[r.Interface]
	}
	if err == nil || len(l.batch.Records) > 0 && errors.Is(err, io.EOF) {
		return nil
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case len(l.reader.Damage()) > 0:
		return errDamaged
	case l.read != uint64(l.block.Packets):
		return errCount
	}
	s.names, s.notes = append(s.names, l.reader.Names()...), append(s.notes, l.reader.Comments()...)
	if l.block.Extras {
		s.beside(l)
	}
	s.end(l)
	return nil
}

// beside takes what stands in a block of extras: its first section is the block's own, the others
// are of the capture.
func (s *Source) beside(l *lane) {
	for _, a := range l.reader.Asides() {
		switch {
		case a.IsSection() && a.Section == 0:
			continue
		case a.IsStatistics() && int(a.Interface) < len(l.block.Interfaces):
			a.Interface = l.block.Interfaces[a.Interface]
		case a.IsStatistics():
			continue
		}
		s.asides = append(s.asides, a)
	}
}

// Interfaces implements packet.Source: all of the node.
func (s *Source) Interfaces() []packet.Interface { return s.file.Index.Interfaces }

// Damage implements packet.Source.
func (s *Source) Damage() []packet.Damage { return s.damage }

// Names and Comments are those of the blocks read so far.
func (s *Source) Names() []pcapng.Name { return s.names }

// Comments are those of the blocks read so far.
func (s *Source) Comments() []string { return s.notes }

// Asides are those of the blocks read so far.
func (s *Source) Asides() []pcapng.Aside { return s.asides }

// Omitted is nothing: what a capture had that could not be kept was known when it was written.
func (s *Source) Omitted() pcapng.Omitted { return pcapng.Omitted{} }

// Fetched returns how many requests were made so far, and for how many bytes.
func (s *Source) Fetched() (requests, bytes int64) {
	return s.fetcher.requests.Load(), s.fetcher.bytes.Load()
}

// Close implements packet.Source.
func (s *Source) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.fetcher.close()
	s.zstd.Close()
	var err error
	for _, l := range s.lanes {
		if l.reader != nil {
			err = errors.Join(err, l.reader.Close())
		}
	}
	s.lanes, s.spare, s.fetcher.slots = nil, nil, nil // who keeps the Source for what it found keeps no blocks
	return err
}

// lanes is a heap by the time of what comes next.
type lanes []*lane

func (h lanes) Len() int { return len(h) }
func (h lanes) Less(i, j int) bool {
	return h[i].next < h[j].next || h[i].next == h[j].next && h[i].partition < h[j].partition
}
func (h lanes) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *lanes) Push(x any) { *h = append(*h, x.(*lane)) }

// Pop implements heap.Interface.
func (h *lanes) Pop() any {
	old := *h
	l := old[len(old)-1]
	*h = old[:len(old)-1]
	return l
}

// second is the time of what comes next in all lanes but the first.
func (h lanes) second() int64 {
	const end = 1<<63 - 1
	t := int64(end)
	if len(h) > 1 {
		t = h[1].next
	}
	if len(h) > 2 {
		t = min(t, h[2].next)
	}
	return t
}

var _ packet.Source = (*Source)(nil)
