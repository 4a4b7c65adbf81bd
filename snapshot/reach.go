package snapshot

import (
	"context"

	"shark/packet"
	"shark/snapshot/block"
)

// Blocks returns what the indexes say of the blocks that Packets would read, node by node.
func (s *Snapshot) Blocks(ctx context.Context, sel Selection) ([]block.Block, error) {
	files, err := s.indexes(ctx)
	if err != nil {
		return nil, err
	}
	var out []block.Block
	base := uint64(0)
	for _, f := range files {
		if sel.takes(f.node) {
			for _, i := range f.Index.Select(sel.of(base, f.Index.Packets())) {
				out = append(out, f.Index.Blocks[i])
			}
		}
		base += f.Index.Packets()
	}
	return out, nil
}

// Addrs returns the addresses that the packets of all nodes have; all is false when the
// indexes do not name all of them.
func (s *Snapshot) Addrs(ctx context.Context) (addrs map[packet.Addr]bool, all bool, err error) {
	files, err := s.indexes(ctx)
	if err != nil {
		return nil, false, err
	}
	addrs, all = make(map[packet.Addr]bool), true
	for _, f := range files {
		list, named := f.Index.Addrs()
		for _, a := range list {
			addrs[a] = true
		}
		all = all && named
	}
	return addrs, all, nil
}

// Parts returns what tells of a partition, whichever node's, in which part of the snapshot it
// is: what belongs together is in one part of Partitions, though nodes of less packets have
// fewer partitions.
func (s *Snapshot) Parts(ctx context.Context) (func(partition int) int, error) {
	files, err := s.indexes(ctx)
	if err != nil {
		return nil, err
	}
	coarsest := new(block.Index)
	for _, f := range files {
		if coarsest.Groups == 0 || f.Index.Groups < coarsest.Groups {
			coarsest = f.Index
		}
	}
	return coarsest.Part, nil
}
