// Package content records what programs say in TLS, in clear, as packets.
//
// In: files with TLS libraries in them, to be attached to, and which processes may be looked at.
// Out: TCP segments as the connections would have had them without TLS, on an interface of the
// name Interface: with the addresses and ports of the connection's own socket, as the process
// sees them, numbered by the place of their bytes in the stream (the first byte that was seen
// has number 1), and acknowledged as far as the other side was seen. There are no handshakes;
// FIN ends a connection that a program closes. A segment's time is when the read returned or
// the write was called.
//
// What is missing is never closed up: bytes that were lost are missing in the numbers, and
// counted by reason in Status. If both ends of a connection are on the node, the one that was
// seen first tells it all.
//
// Memory is bounded: the kernel's ring and tables (package bpf/plaintext), maxHeld bytes that
// wait to be put in order, maxConnections connections of some 300 bytes and those that ended in
// the last seconds, at most twice as many, and maxPending bytes of connections whose socket is
// not known yet.
package content

import (
	"time"

	"shark/packet"
	"shark/recorder/plaintext/object"
)

// Interface is the name of the interface that plaintext is recorded on.
const Interface = packet.PlaintextInterface

// linkRaw is LINKTYPE_RAW: packets begin with their IP header.
const linkRaw = packet.LinkType(101)

// Limits.
const (
	maxHeld        = 8 << 20
	maxConnections = 32 << 10
	maxPending     = 4 << 20
	maxPendingEach = 256 << 10
	manyEnded      = 1 << 10 // connections that ended and are remembered in any case
)

const (
	tick = 50 * time.Millisecond  // how often the ring is looked at, however little is in it
	hold = 100 * time.Millisecond // what happened is put in order of time when it is so old

	remember = 10 * time.Second // what ended, for its other end
)

// Sink takes what is recorded, as packets.Sink does. Both are called by one goroutine; the
// records and their bytes are the Sink's until it returns.
type Sink interface {
	Write(records []packet.Record, interfaces []packet.Interface)
	// Lost says that n pieces of an interface were lost.
	Lost(i uint32, n uint64, interfaces []packet.Interface)
}

// Loss is what is missing for one reason.
type Loss struct{ Calls, Bytes uint64 }

// Attached is a file that is looked at.
type Attached struct {
	Path    string
	Library object.Library
}

// Status says how the recording goes.
type Status struct {
	Files                []Attached
	Reads, Writes, Bytes uint64 // of the processes that are looked at
	Segments             uint64 // given to the Sink
	SegmentBytes         uint64 // of payload in them

	// Lost are pieces of up to 16 KiB, or calls, by reason: "ring full", "memory not read",
	// "call too long", "bytes of an earlier call", "connection without socket", "damaged event".
	Lost map[string]Loss
	// Unsure is what was read and written through NSPR before it was known whether it was TLS:
	// mostly of files.
	Unsure Loss
	// Unseen counts calls of which only the end was seen; Refused those for which there was no
	// room in the kernel's tables.
	Unseen, Refused uint64

	Connections int    // known now
	Joined      uint64 // connections whose socket was found in the call, ever
	Later       uint64 // of these, those whose first bytes had to wait for it
	Unjoined    uint64 // connections that ended, or were forgotten, without a socket
	OtherEnds   uint64 // connections that their other end tells
	Forgotten   uint64 // connections that had to make room
}
