// Package dissector turns packets into entries: calls, one-way messages and
// connections. It is pure: packets in, entries out, no files, no clock.
//
// Packets are partitioned by their pair of addresses; each partition is owned by
// one worker, keeps its own connections and has its own share of the memory
// limit, so the entries are the same whatever the number of workers. The way of
// a packet is connection, stream (TCP put in order), message (the protocol's
// parser), pair (request and response) and entry.
//
// A protocol is a value, described by Protocol. The engine does once what
// protocols would repeat: time and place, direction, pairing, loss and
// resynchronisation, memory.
package dissector
