package block

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"shark/packet"
	"shark/packet/pcapng"
)

// Fault is a block that is not what the index says.
type Fault struct {
	Block  int    // its place in the file, from 0
	Offset int64  // of its first byte
	Reason string // a clause
}

func (f *Fault) String() string {
	return fmt.Sprintf("block %d, from byte %d on: %s", f.Block+1, f.Offset, f.Reason)
}

// Found is what blocks have that were checked.
type Found struct {
	Packets, Bytes uint64   // and how many bytes they have on the wire
	Cut            uint64   // packets that were not captured whole
	First, Last    int64    // earliest and latest time of a packet, ns since 1970; 0 without packets
	Interfaces     []uint64 // packets of each interface of the index; nil without packets
	Fault          *Fault   // the first in the file; nil: all is as the index says
}

func (f *Found) packet(t int64, r *packet.Record) {
	if f.Packets == 0 {
		f.First, f.Last = t, t
	}
	f.First, f.Last = min(f.First, t), max(f.Last, t)
	f.Packets++
	f.Bytes += uint64(r.OrigLen)
	if int64(r.OrigLen) > int64(len(r.Data)) {
		f.Cut++
	}
}

func (f *Found) join(o *Found) {
	if f.Packets == 0 || o.Packets > 0 && o.First < f.First {
		f.First = o.First
	}
	f.Last = max(f.Last, o.Last)
	f.Packets += o.Packets
	f.Bytes += o.Bytes
	f.Cut += o.Cut
	if f.Interfaces == nil {
		f.Interfaces = o.Interfaces
	} else {
		for i, n := range o.Interfaces {
			f.Interfaces[i] += n
		}
	}
	if o.Fault != nil && (f.Fault == nil || o.Fault.Block < f.Fault.Block) {
		f.Fault = o.Fault
	}
}

// Checker compares blocks with all that the index says of them: their sums and sizes, and
// that no packet is of a time, an address, a port, a partition or an interface that the
// index does not have. It works in goroutines of its own and holds a block unpacked and up
// to three packed for each: mostly below 8 MiB, at most 90. One goroutine uses it.
//
// A datagram in fragments is compared by the addresses of its fragments only. Which
// fragments a Writer could put together depends on what else was captured, so one that it
// could not is no fault.
type Checker struct {
	x     *Index
	jobs  chan checkJob
	spare chan []byte
	wait  sync.WaitGroup

	mu    sync.Mutex
	found Found
}

type checkJob struct {
	block  int
	packed []byte
}

// Checker starts some goroutines that check blocks. The caller ends them with Close.
func (x *Index) Checker(workers int) *Checker {
	workers = max(1, min(workers, len(x.Blocks)))
	c := &Checker{x: x, jobs: make(chan checkJob, workers), spare: make(chan []byte, 2*workers)}
	for range workers {
		c.wait.Go(c.work)
	}
	return c
}

// Buffer returns n bytes of memory for Add.
func (c *Checker) Buffer(n int) []byte {
	select {
	case b := <-c.spare:
		if cap(b) >= n {
			return b[:n]
		}
	default:
	}
	return make([]byte, n)
}

// Add has a block checked, of which the bytes are the Checker's from now on.
func (c *Checker) Add(block int, packed []byte) { c.jobs <- checkJob{block, packed} }

// Close waits until all blocks are checked, and says what they have.
func (c *Checker) Close() Found {
	close(c.jobs)
	c.wait.Wait()
	return c.found
}

func (c *Checker) work() {
	w := &blockCheck{x: c.x}
	for j := range c.jobs {
		if err := w.check(j); err != nil && w.found.Fault == nil {
			w.found.Fault = &Fault{Block: j.block, Offset: c.x.Blocks[j.block].Offset, Reason: err.Error()}
		}
		select {
		case c.spare <- j.packed:
		default:
		}
	}
	if w.zstd != nil {
		w.zstd.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found.join(&w.found)
}

// Check reads blocks of the file where it lies and compares them with the index. It tells
// read, which may be nil, how many bytes of them came. An error says that not all could be
// read.
func (f *File) Check(ctx context.Context, blocks []int, workers int, read func(n int)) (found Found, err error) {
	from := newFetcher(ctx, f, blocks)
	defer from.close()
	c := f.Index.Checker(workers)
	for _, i := range blocks {
		var packed []byte
		packed, err = from.take(i)
		if err != nil && !errors.Is(err, ErrFormat) {
			break
		}
		err = nil // a sum that is wrong is what the Checker finds
		c.Add(i, packed)
		if read != nil {
			read(len(packed))
		}
	}
	return c.Close(), err
}

// blockCheck checks one block after the other, of the same index.
type blockCheck struct {
	x     *Index
	zstd  *zstd.Decoder
	raw   []byte
	batch packet.Batch
	found Found
	flow  packet.Flow // of the packet before
	known bool        // the index has all of it
}

// check returns why a block is not what the index says.
func (w *blockCheck) check(j checkJob) (err error) {
	b := &w.x.Blocks[j.block]
	if len(j.packed) != b.Packed || sumOf(j.packed) != b.Sum {
		return errors.New("its sum is another than the index says")
	}
	if w.zstd == nil {
		if w.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRaw)); err != nil {
			return err
		}
	}
	if w.raw, err = w.zstd.DecodeAll(j.packed, w.raw[:0]); err != nil {
		return fmt.Errorf("it does not unpack: %w", err)
	}
	if len(w.raw) != b.Raw {
		return fmt.Errorf("it has %d bytes unpacked, by the index %d", len(w.raw), b.Raw)
	}
	r, err := pcapng.NewReader(bytes.NewReader(w.raw), "block")
	if err != nil {
		return err
	}
	defer r.Close()
	packets, err := w.packets(b, r)
	switch {
	case err != nil:
		return err
	case len(r.Damage()) > 0:
		return errDamaged
	case packets != b.Packets:
		return fmt.Errorf("it has %d packets, by the index %d", packets, b.Packets)
	case !b.Extras && (len(r.Names()) > 0 || len(r.Comments()) > 0 || slices.ContainsFunc(r.Asides(), beside)):
		return errors.New("it has names, comments or other blocks, by the index none")
	}
	return w.interfaces(b, r.Interfaces())
}

// beside tells whether it is more than the header of a block's own section.
func beside(a pcapng.Aside) bool { return a.Section > 0 || !a.IsSection() }

// packets compares all packets of a block with the index and counts them.
func (w *blockCheck) packets(b *Block, r *pcapng.Reader) (n int, err error) {
	dec := packet.NewDecoder()
	w.known = false
	if w.found.Interfaces == nil && b.Packets > 0 {
		w.found.Interfaces = make([]uint64, len(w.x.Interfaces))
	}
	var p packet.Packet
	for {
		end := r.ReadBatch(&w.batch)
		for i := range w.batch.Records {
			rec := &w.batch.Records[i]
			n++
			rec.Number = uint64(n)
			t := max(rec.Time, 0) // as the Writer has it
			w.found.packet(t, rec)
			if int(rec.Interface) >= len(b.Interfaces) || w.found.Interfaces == nil {
				return n, errIface
			}
			w.found.Interfaces[b.Interfaces[rec.Interface]]++
			if t < b.First || t > b.Last {
				return n, fmt.Errorf("its packet %d is of a time that the index does not have", n)
			}
			dec.Decode(rec, &p)
			if what := w.packet(b, &p); what != "" {
				return n, fmt.Errorf("its packet %d has %s that the index does not have", n, what)
			}
		}
		if errors.Is(end, io.EOF) {
			return n, nil
		}
		if end != nil {
			return n, end
		}
	}
}

// packet returns what a packet has and the index does not; empty when there is nothing.
func (w *blockCheck) packet(b *Block, p *packet.Packet) string {
	if len(p.Fragments) > 0 {
		return ""
	}
	flow, tunnel := p.Flow(), p.Tunnel.Kind != packet.NoTunnel
	if w.known && !tunnel && p.Kind != packet.Held && (flow == w.flow || flow == w.flow.Reverse()) {
		return ""
	}
	if p.Kind != packet.Held && partition(p, w.x.Groups) != b.Partition {
		return "a partition"
	}
	for _, a := range [...]packet.Addr{p.Src, p.Dst, p.Tunnel.Src, p.Tunnel.Dst} {
		if a != (packet.Addr{}) && !w.x.hasAddr(b, a) {
			return "an address"
		}
	}
	for _, port := range [...]uint16{p.SrcPort, p.DstPort} {
		if port > 0 && !b.hasPort(port) {
			return "a port"
		}
	}
	if tunnel && !b.everyPort() {
		return "a tunnel"
	}
	w.flow, w.known = flow, !tunnel && p.Kind == packet.Transport
	return ""
}

// interfaces compares those of a block's section with the index.
func (w *blockCheck) interfaces(b *Block, list []packet.Interface) error {
	if len(list) != len(b.Interfaces) {
		return errIface
	}
	cut := func(s string) string { return s[:min(len(s), maxName)] }
	for i := range list {
		got, want := &list[i], &w.x.Interfaces[b.Interfaces[i]]
		if got.Link != want.Link || got.SnapLen != want.SnapLen || cut(got.Name) != want.Name ||
			cut(got.Description) != want.Description || cut(got.Filter) != want.Filter || cut(got.OS) != want.OS || got.Options != want.Options {
			return errIface
		}
	}
	return nil
}

// hasAddr tells whether an address may be one of a packet of the block.
func (x *Index) hasAddr(b *Block, a packet.Addr) bool {
	if b.anyAddr {
		return true
	}
	n, found := slices.BinarySearchFunc(x.addrs, a, compareAddrs)
	if found {
		_, found = slices.BinarySearch(b.addrs, uint32(n))
	}
	return found
}

// everyPort tells whether any port may be one of a packet of the block.
func (b *Block) everyPort() bool {
	return b.filter != nil && !slices.ContainsFunc(b.filter, func(bits byte) bool { return bits != 0xff })
}
