package block

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// packer packs blocks in several goroutines and writes them in the order they come.
type packer struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	out     io.Writer
	chunks  *chunks
	levels  []zstd.EncoderLevel // a worker has an encoder for each
	jobs    chan *job           // to be packed
	order   chan *job           // to be written
	workers sync.WaitGroup
	writer  sync.WaitGroup
	blocks  []Block // that are written
	spare   chan []byte
}

// job is a block on its way.
type job struct {
	block  Block
	head   []byte
	chunks [][]byte
	packed []byte
	done   chan struct{}
}

// What a file of little is packed harder up to, in bytes before it is packed: it has too few
// blocks, or too small ones, to come below what zstd -3 makes of the capture otherwise.
const (
	hardBytes    = 64e6 // 20 MB are 0.95 times as large then, which takes 0.4 s for 0.2 s
	hardestBytes = 8e6  // 1 MB is 0.97 times as large, which takes 0.1 s
)

// efforts returns how hard a file of about so many bytes is packed; 0: nobody knows. Of several,
// what is smallest of a block is written: the hardest is the worst for what repeats itself
// nearly all the time.
func efforts(bytes int64) []zstd.EncoderLevel {
	switch {
	case bytes <= 0 || bytes > hardBytes:
		return []zstd.EncoderLevel{zstd.SpeedDefault}
	case bytes > hardestBytes:
		return []zstd.EncoderLevel{zstd.SpeedBetterCompression}
	}
	return []zstd.EncoderLevel{zstd.SpeedBetterCompression, zstd.SpeedBestCompression}
}

// newPacker starts its goroutines; close ends them.
func newPacker(ctx context.Context, out io.Writer, workers int, levels []zstd.EncoderLevel, c *chunks) (*packer, error) {
	p := &packer{out: out, chunks: c, levels: levels, jobs: make(chan *job), order: make(chan *job, workers), spare: make(chan []byte, 2*workers+2)}
	own := make([][]*zstd.Encoder, workers)
	for i := range own {
		for _, level := range levels {
			e, err := encoder(level)
			if err != nil {
				return nil, err
			}
			own[i] = append(own[i], e)
		}
	}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	for _, encoders := range own {
		p.workers.Go(func() { p.work(encoders) })
	}
	p.writer.Go(p.write)
	return p, nil
}

// idle has the encoders of files that are written, by level, for files to come: what an encoder
// needs to begin, up to 40 MB that are cleared, costs more than packing a small file.
var idle [zstd.SpeedBestCompression + 1]sync.Pool

func encoder(level zstd.EncoderLevel) (*zstd.Encoder, error) {
	if e, ok := idle[level].Get().(*zstd.Encoder); ok {
		return e, nil
	}
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level), zstd.WithWindowSize(window))
}

// add takes a block with the blocks of its section: head, then chunks of packets, which are
// the packer's from now on. It waits when all workers are busy.
func (p *packer) add(b Block, head []byte, list [][]byte) error {
	j := &job{block: b, head: head, chunks: list, done: make(chan struct{})}
	for _, to := range []chan *job{p.order, p.jobs} {
		select {
		case to <- j:
		case <-p.ctx.Done():
			return context.Cause(p.ctx)
		}
	}
	return nil
}

// work packs one block after the other, each with every encoder.
func (p *packer) work(encoders []*zstd.Encoder) {
	defer func() {
		for i, e := range encoders {
			idle[p.levels[i]].Put(e)
		}
	}()
	var raw, other []byte
	for j := range p.jobs {
		size := len(j.head)
		for _, c := range j.chunks {
			size += len(c)
		}
		raw = append(room(raw, size), j.head...)
		for _, c := range j.chunks {
			raw = append(raw, c...)
		}
		p.chunks.put(j.chunks)
		select {
		case j.packed = <-p.spare:
		default:
		}
		for i, e := range encoders {
			if other = e.EncodeAll(raw, room(other, size/2)); i == 0 || len(other) < len(j.packed) {
				j.packed, other = other, j.packed
			}
		}
		j.block.Raw, j.block.Packed, j.block.Sum = len(raw), len(j.packed), sumOf(j.packed)
		close(j.done)
	}
}

// room returns an empty slice with room for n bytes: b, or one that has room for what nearly all
// blocks need, since one that grows with them is made, and cleared, again and again.
func room(b []byte, n int) []byte {
	if cap(b) >= n {
		return b[:0]
	}
	return make([]byte, 0, max(n, maxBlock))
}

// write writes the packed blocks.
func (p *packer) write() {
	var offset int64
	var before uint64
	for j := range p.order {
		select {
		case <-j.done:
		case <-p.ctx.Done():
			return
		}
		j.block.Offset, j.block.Before = offset, before
		offset += int64(j.block.Packed)
		before += uint64(j.block.Packets)
		if _, err := p.out.Write(j.packed); err != nil {
			p.cancel(fmt.Errorf("write block %d: %w", len(p.blocks), err))
			return
		}
		p.blocks = append(p.blocks, j.block)
		select {
		case p.spare <- j.packed:
		default:
		}
	}
}

func (p *packer) failed() bool { return p.ctx.Err() != nil }

// close waits until all is written, or after an error until nothing runs any more. It
// returns the blocks in the order of the file.
func (p *packer) close(err error) ([]Block, error) {
	if err != nil {
		p.cancel(err)
	}
	close(p.jobs)
	close(p.order)
	p.workers.Wait()
	p.writer.Wait()
	cause := context.Cause(p.ctx)
	p.cancel(nil)
	if err != nil {
		cause = nil // it is err
	}
	return p.blocks, cause
}

// chunks is memory for blocks being filled, used again and again.
type chunks struct {
	mu   sync.Mutex
	free [][]byte
}

// get returns an empty chunk with room for n bytes.
func (c *chunks) get(n int) []byte {
	if n > chunkSize {
		return make([]byte, 0, n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.free) == 0 {
		return make([]byte, 0, chunkSize)
	}
	b := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	return b[:0]
}

func (c *chunks) put(list [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range list {
		if cap(b) == chunkSize {
			c.free = append(c.free, b)
		}
	}
}
