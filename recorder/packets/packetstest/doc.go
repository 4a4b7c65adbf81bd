// Package packetstest makes network namespaces and injects frames into their devices, for tests
// and benchmarks of captures.
//
// In: which devices, which frames, how many. Out: namespaces in which nobody sends by himself,
// and frames that come in as fast as the kernel takes them, some million a second, each with its
// number. Only on Linux, by root.
package packetstest
