package block

import "shark/packet"

// Every address belongs to one of a few groups, and a partition has all packets between
// two groups, or within one. So what one address says is in few partitions, whoever it
// speaks with, and each of these has few addresses. More groups would make it fewer
// bytes still; but then blocks, for which there is only so much memory, are smaller and
// pack worse: with 14 groups by 14 % on a mix of microservices, with 10 as well as the
// capture as a whole.
const groups = 10

// A file of little has fewer groups, or its blocks would never be filled: 100 MB of the same
// mix are 1.17 times as large with 10 groups as zstd -3 makes the capture, and 1.00 times
// with 2; 200 MB are 1.05 and 0.99 times. One of very little has a single group: 6 MB are 1.20
// times as large with 2 groups, 1.06 times with one, and 0.99 times packed harder (efforts in
// packer.go). Each of these numbers divides the next, so each of ten groups is part of one of two.
const (
	fewGroups, oneGroup = 2, 1
	// fewBytes is up to what size a file has so few, in bytes before it is packed: of 400 MB
	// ten make no more than two.
	fewBytes = 400e6
	// oneBytes is up to what size it has one: of 32 MB what one pod says is in a tenth of the
	// blocks at best, which is not worth a request.
	oneBytes = 32e6
)

const (
	// Partitions is how many partitions a file has at most.
	Partitions = groups*(groups+1)/2 + 1
	// otherPartition has what has no IP inside, what is malformed, and extras.
	otherPartition = Partitions - 1
)

// groupsFor returns how many groups a file of about so many bytes has; 0: nobody knows.
func groupsFor(bytes int64) int {
	switch {
	case bytes <= 0 || bytes > fewBytes:
		return groups
	case bytes > oneBytes:
		return fewGroups
	}
	return oneGroup
}

// partition returns where a packet belongs in a file of n groups: by the innermost
// addresses, either way round.
func partition(p *packet.Packet, n int) int {
	if p.Kind != packet.Transport && p.Kind != packet.IPOnly && p.Kind != packet.Held {
		return otherPartition
	}
	return between(group(&p.Src, n), group(&p.Dst, n))
}

func group(a *packet.Addr, n int) int { return int(a.Hash()>>32%groups) % n }

// between returns the partition of two groups.
func between(a, b int) int {
	if a > b {
		a, b = b, a
	}
	return a*groups - a*(a-1)/2 + b - a
}

// folded tells for each partition of ten groups what it is part of in a file of fewer.
func folded(n int) (list [Partitions]int) {
	for a := range groups {
		for b := range groups {
			list[between(a, b)] = between(a%n, b%n)
		}
	}
	list[otherPartition] = otherPartition
	return list
}

var foldedToFew, foldedToOne = folded(fewGroups), folded(oneGroup)

// Parts returns how many partitions may have packets with IP, of the groups that x has.
func (x *Index) Parts() int { return x.Groups * (x.Groups + 1) / 2 }

// Part returns the partition in which a file of x.Groups has what another file has in
// partition p, if that has at least as many groups.
func (x *Index) Part(p int) int {
	switch x.Groups {
	case fewGroups:
		return foldedToFew[p]
	case oneGroup:
		return foldedToOne[p]
	}
	return p
}
