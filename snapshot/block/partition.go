package block

import "shark/packet"

// Every address belongs to one of a few groups, and a partition has all packets between
// two groups, or within one. So what one address says is in few partitions, whoever it
// speaks with, and each of these has few addresses. More groups would make it fewer
// bytes still; but then blocks, for which there is only so much memory, are smaller and
// pack worse: with 14 groups by 14 % on a mix of microservices, with 10 as well as the
// capture as a whole.
const groups = 10

const (
	// Partitions is how many partitions a file has.
	Partitions = groups*(groups+1)/2 + 1
	// otherPartition has what has no IP inside, what is malformed, and extras.
	otherPartition = Partitions - 1
)

// partition returns where a packet belongs: by the innermost addresses, either way round.
func partition(p *packet.Packet) int {
	if p.Kind != packet.Transport && p.Kind != packet.IPOnly && p.Kind != packet.Held {
		return otherPartition
	}
	a, b := group(&p.Src), group(&p.Dst)
	if a > b {
		a, b = b, a
	}
	return a*groups - a*(a-1)/2 + b - a
}

func group(a *packet.Addr) int { return int(a.Hash() >> 32 % groups) }
