// Package block is the packets of one node in a snapshot: partitioned, compressed and
// indexed, so that what a question needs can be read where it lies.
//
// In: packets in the order of a capture. Out: one file of zstd frames and its index. A
// frame is a block: a whole pcapng section of up to about 4.5 MiB with packets of one
// partition, in order of time. So any block can be read alone, and all of them laid end to
// end, as they are, are a file that other programs read. The index says of each block
// where it is, what its bytes sum up to, and which times, addresses and ports are in it;
// it may say too much, never too little.
//
// A partition has all packets between some pairs of addresses, those inside of tunnels,
// whatever way they went: both directions, all fragments. A packet's number is its place in
// the file, from 1.
//
// The same packets give the same bytes, however many goroutines pack them. Memory is
// bounded by what Writer and Source state, whatever is written or read.
package block
