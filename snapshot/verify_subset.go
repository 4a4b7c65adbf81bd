package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"

	"shark/snapshot/block"
)

// Subset is a share of the blocks of packets. The zero value is all of them. Others are
// chosen at random, unless Of is set.
type Subset struct {
	Percent  float64 // of the bytes of all blocks, above 0 and up to 100
	Bytes    int64
	Part, Of int // with Of above 0 every Of-th block, from the Part-th on: 1 to Of
}

func (v *verifier) whole() bool { return v.o.Subset == Subset{} }

// choose returns which blocks of each packets object are read. Those without a sound index
// have none.
func (v *verifier) choose(packets []*Object) [][]int {
	chosen := make([][]int, len(packets))
	if v.whole() {
		return chosen
	}
	type place struct{ object, block, size int }
	var all []place
	for i, o := range packets {
		v.v.AllBlockBytes += o.Size
		if x := v.indexes[o.Index]; x != nil && o.describes(x) {
			for j := range x.Blocks {
				all = append(all, place{i, j, x.Blocks[j].Packed})
			}
		}
	}
	v.v.AllBlocks = len(all)
	s := v.o.Subset
	want := max(s.Bytes, int64(s.Percent/100*float64(v.v.AllBlockBytes)), 1)
	if s.Of <= 0 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	for i, p := range all {
		if s.Of > 0 && i%s.Of != s.Part-1 {
			continue
		}
		if s.Of <= 0 && v.v.BlockBytes >= want {
			break
		}
		chosen[p.object] = append(chosen[p.object], p.block)
		v.v.Blocks++
		v.v.BlockBytes += int64(p.size)
	}
	for _, list := range chosen {
		slices.Sort(list)
	}
	v.total += v.v.BlockBytes
	return chosen
}

// subset compares the size of a packets object with the manifest, and some of its blocks
// with the index.
func (v *verifier) subset(ctx context.Context, o *Object, blocks []int) (string, error) {
	info, err := v.s.files.Stat(ctx, o.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it is missing", ctx.Err()
	case err != nil:
		return unread(ctx, err)
	case info.Size != o.Size:
		return fmt.Sprintf("it has %d bytes, by the manifest %d", info.Size, o.Size), nil
	}
	v.stray(o)
	if len(blocks) == 0 {
		return "", nil
	}
	f := block.File{Name: o.Path, Index: v.indexes[o.Index], Fetch: func(ctx context.Context, from, n int64) (io.ReadCloser, error) {
		return v.s.files.Open(ctx, o.Path, from, n)
	}}
	found, err := f.Check(ctx, blocks, v.o.Workers, v.read)
	switch {
	case err != nil:
		return unread(ctx, err)
	case found.Fault != nil:
		return found.Fault.String(), nil
	}
	return "", nil
}
