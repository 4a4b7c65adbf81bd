package block

import (
	"slices"

	"shark/packet"
)

// Addrs returns the addresses of the file's packets, ascending, IPv4 before IPv6; all is
// false when some block has more than are named.
func (x *Index) Addrs() (list []packet.Addr, all bool) {
	return slices.Clone(x.addrs), !slices.ContainsFunc(x.Blocks, func(b Block) bool { return b.anyAddr })
}
