package block

// What a block may have, and an index may say. A file that goes beyond is refused.
const (
	// maxBlock is the size that ends a block, in bytes before it is packed. Of 4 GB of 500 pods
	// blocks of 4 MiB are 1.01 times as large as zstd -3 makes the capture, those of 4.5 MiB
	// 0.98 times and those of 5 MiB 0.97 times; but the larger they are, the more of them a
	// pod's minute has to be found in: 1.59, 1.71 and 1.77 % of all.
	maxBlock = 9 << 19
	// window is how far back what is packed may refer: a power of two, and all of a block.
	window = 8 << 20
	// maxRaw bounds a block as it is read: one packet more than maxBlock, the largest
	// that a capture file can have.
	maxRaw = maxBlock + 17<<20
	// maxPacked is that packed, when nothing of it can be.
	maxPacked = maxRaw + 1<<20
	// statisticsSize is what statistics of an interface take at most that are made of its counts.
	statisticsSize = 64
	// maxIndexed bounds an index, unpacked, in bytes. It has at most maxRatio times as many as
	// packed, and maxSmall more: the sums of blocks do not pack, so one that is written is far
	// below, and few bytes cannot take much memory.
	maxIndexed = 1 << 30
	maxRatio   = 256
	maxSmall   = 1 << 20
	// maxBlocks, maxAddrs and maxInterfaces are how many of each an index may have. Its blocks
	// name at most maxNamed interfaces, addresses and ports in all.
	maxBlocks     = 1 << 20
	maxAddrs      = 1 << 20
	maxInterfaces = 1 << 20
	maxNamed      = 64 << 20
	// maxSet is how many addresses of a block the index names; of one with more it says
	// that it may have any.
	maxSet = 1024
	// maxPorts is how many ports of a block are named; of more there is a filter.
	maxPorts = 192
	// filterSize is that of a filter of ports, in bytes.
	filterSize = 512
	// maxName bounds a text of an interface, and its options, in bytes, maxDescribed those of all.
	maxName      = 64 << 10
	maxDescribed = 64 << 20
)

// What a Writer holds.
const (
	// holdBytes is how much all blocks together hold that are being filled, in bytes. The
	// largest is ended when they hold more.
	holdBytes = 128 << 20
	// chunkSize is how memory for them is handed out, in bytes.
	chunkSize = 32 << 10
	// maxWaiting is how many bytes of fragments wait for the rest of their datagram.
	maxWaiting = 24 << 20
	// maxMet is how many addresses are told apart. Of more, blocks say that they may
	// have any.
	maxMet = 1 << 19
)
