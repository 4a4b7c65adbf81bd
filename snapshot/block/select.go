package block

import (
	"slices"
	"sort"

	"shark/packet"
)

// Selection says which packets are asked for. Each condition that is set must hold.
type Selection struct {
	From, To int64 // ns since 1970: captured in [From, To]; both 0: at any time
	// Addrs are conditions on addresses: for each, one of the packet's must fulfil it.
	Addrs []func(packet.Addr) bool
	// Ports are lists of ports: of each, one of the packet's must be in it.
	Ports     [][]uint16
	Partition func(int) bool // nil: any
	Numbers   []uint64       // of the packets, ascending; nil: any
	Extras    bool           // what is held beside packets is asked for too, whatever the conditions
}

// Select returns the numbers of the blocks that may hold what is asked for, ascending.
func (x *Index) Select(s Selection) []int {
	fits := make([][]bool, len(s.Addrs))
	for i, f := range s.Addrs {
		fits[i] = make([]bool, len(x.addrs))
		for j, a := range x.addrs {
			fits[i][j] = f(a)
		}
	}
	var out []int
	for i := range x.Blocks {
		b := &x.Blocks[i]
		if s.Extras && b.Extras || b.Packets > 0 && s.holds(b, fits) {
			out = append(out, i)
		}
	}
	return out
}

func (s *Selection) holds(b *Block, fits [][]bool) bool {
	switch {
	case (s.From != 0 || s.To != 0) && (b.Last < s.From || b.First > s.To):
		return false
	case s.Partition != nil && !s.Partition(b.Partition):
		return false
	case s.Numbers != nil && !b.hasNumber(s.Numbers):
		return false
	}
	for _, fit := range fits {
		if !b.anyAddr && !slices.ContainsFunc(b.addrs, func(n uint32) bool { return fit[n] }) {
			return false
		}
	}
	for _, list := range s.Ports {
		if !slices.ContainsFunc(list, b.hasPort) {
			return false
		}
	}
	return true
}

// hasNumber tells whether one of some ascending numbers is that of a packet of the block.
func (b *Block) hasNumber(numbers []uint64) bool {
	at := sort.Search(len(numbers), func(i int) bool { return numbers[i] > b.Before })
	return at < len(numbers) && numbers[at] <= b.Before+uint64(b.Packets)
}

// hasPort tells whether a port may be one of a packet of the block.
func (b *Block) hasPort(port uint16) bool {
	if b.filter != nil {
		at := filterBit(port)
		return b.filter[at/8]&(1<<(at%8)) != 0
	}
	_, found := slices.BinarySearch(b.ports, port)
	return found
}
