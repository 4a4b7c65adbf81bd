// Package ring keeps the last packets of a node in files of a bounded size.
//
// In: packets of any capture, in the order of time, and the log of who had which address.
// Out: a folder of pcapng files, the segments, each readable by Wireshark at any moment up
// to its last whole block, and windows of them that are kept from being overwritten while
// somebody reads them.
//
//	ring.json                                 whose it is
//	runs.json                                 when who wrote it began and stopped
//	packets-<number>-<time>-<run>.pcapng      a segment: its number, its first packet's time, who wrote it
//	identity-<number>-<time>.jsonl            who had which address at that time, and each change since
//	secrets-<number>-<time>.pcapng            secrets of TLS sessions since that time
//	spare-<number>                            a file that the next segment will overwrite
//	pins/<pin>/...                            links to what a reader needs
//	lock                                      held by who writes
//
// A segment is written over the oldest one, in place, which takes a fraction of what a new
// file does. So behind what is written there is what was there before. A filler, a block of a
// type that readers pass over, covers it (file.go). When a segment is full it is cut to its
// true length.
//
// Who writes never waits: packets go to memory, of which there is a fixed amount, and from
// there to the disk. What finds no room in either is dropped, counted and written down in
// the next Interface Statistics Block. Its counters begin with the section, so those of all
// segments can be added: packets there + packets dropped = packets received.
//
// A secret decrypts a connection whose handshake was captured, and is known within moments of
// it. So secrets lie beside the segments, in files of a minute each, and stay as long as the
// packets of their minute, of the one before it and of the one after: longer than what they
// decrypt can be read. They have a budget of their own, beyond which the oldest go.
//
// Between two runs nothing was recorded. When the first of them stopped is written down; of one
// that was killed it is not known, and then the time of the last block counts, which is said.
//
// After a crash every sealed segment is whole. The one being written has all that was given
// to the kernel; the next Writer seals it. (Killed between two writes that make a filler
// shorter, its filler has two lengths until then, which some programs remark on behind the last
// packet.) What a power cut leaves of it is found by whoever reads, as damage.
package ring

import (
	"errors"
	"time"
)

// Limits of a ring.
const (
	// leastSegment and mostSegment bound the size of a segment, in bytes.
	leastSegment = 64 << 10
	mostSegment  = 64 << 20
	// cellSize is how far a filler reaches at most, in bytes: Wireshark and libpcap read no
	// block beyond 16 MiB.
	cellSize = 4 << 20
	// bufferSize is how much is given to the disk at a time, in bytes, of large segments. A
	// packet that does not fit is dropped.
	bufferSize = 1 << 20
	// maxBeside is how many bytes are held of what stands beside packets in a window.
	maxBeside = 16 << 20
	// maxSegments is how many segments a ring may have.
	maxSegments = 1 << 16
	// maxPins is how many pins there may be at a time.
	maxPins = 256
	// late is how much later than a later packet one may come in time. It still is found.
	late = time.Second
)

// secretSpan is how much time one file of secrets is of, and how far from its handshake's first
// packet a secret may be known.
const secretSpan = time.Minute

// Errors that a caller acts upon.
var (
	// ErrLocked says that another process writes the ring.
	ErrLocked = errors.New("another process writes this ring")
	// ErrNoRing says that a folder is no ring.
	ErrNoRing = errors.New("not a ring")
	// ErrFormat says that the ring was written by a newer program.
	ErrFormat = errors.New("the ring has a newer format than this program knows")
)
