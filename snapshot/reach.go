package snapshot

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"slices"

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
// fewer partitions. n is how many parts may have packets with IP; 0: there are no packets.
func (s *Snapshot) Parts(ctx context.Context) (place func(partition int) int, n int, err error) {
	files, err := s.indexes(ctx)
	if err != nil {
		return nil, 0, err
	}
	coarsest := new(block.Index)
	for _, f := range files {
		if coarsest.Groups == 0 || f.Index.Groups < coarsest.Groups {
			coarsest = f.Index
		}
	}
	return coarsest.Part, coarsest.Parts(), nil
}

// Part is what is read of a part of the snapshot.
type Part struct {
	Packed int64 // bytes of its blocks
	// Sum is a SHA-256 of all that decides what a reader of the part alone is given, packets,
	// their numbers, interfaces, clocks and order, and of how many parts there may be: in another
	// snapshot, too, that is the same where the sum is.
	Sum [sha256.Size]byte
}

// PartSums returns the parts that have packets, by their numbers of Parts. Nothing but the
// indexes is read.
func (s *Snapshot) PartSums(ctx context.Context) (map[int]Part, error) {
	place, n, err := s.Parts(ctx)
	if err != nil {
		return nil, err
	}
	files, err := s.indexes(ctx)
	if err != nil {
		return nil, err
	}
	sums, parts := make(map[int]hash.Hash), make(map[int]Part)
	base, interfaces := uint64(0), 0
	for _, f := range files {
		met := make(map[int]bool)
		for i := range f.Index.Blocks {
			b := &f.Index.Blocks[i]
			if b.Packets == 0 {
				continue
			}
			at := place(b.Partition)
			if sums[at] == nil {
				sums[at] = sha256.New()
				fmt.Fprintf(sums[at], "part %d of %d, one file %v\n", at, n, len(files) == 1) // of which batches are others
			}
			if !met[at] {
				met[at] = true
				fmt.Fprintf(sums[at], "file: numbers after %d, interfaces %d of clock %d:", base, interfaces, s.clock(f.node))
				writeFaces(sums[at], f.Index.Interfaces)
			}
			fmt.Fprintf(sums[at], "%x %d %d %d %d %d %v\n", b.Sum, b.Partition, b.Before, b.Packets, b.First, b.Last, b.Interfaces)
			parts[at] = Part{Packed: parts[at].Packed + int64(b.Packed)}
		}
		base, interfaces = base+f.Index.Packets(), interfaces+len(f.Index.Interfaces)
	}
	for at, h := range sums {
		parts[at] = Part{Packed: parts[at].Packed, Sum: [sha256.Size]byte(h.Sum(nil))}
	}
	return parts, nil
}

// clock is which of the snapshot's nodes one is.
func (s *Snapshot) clock(node string) int {
	return slices.IndexFunc(s.Manifest.Nodes, func(n Node) bool { return n.Name == node })
}

// writeFaces writes what of interfaces readers of their packets go by.
func writeFaces(w io.Writer, all []packet.Interface) {
	for i := range all {
		fmt.Fprintf(w, " %d %q", all[i].Link, all[i].Name)
	}
	fmt.Fprintln(w)
}
