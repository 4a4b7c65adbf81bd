// Package pcapng reads and writes capture files: pcapng
// (draft-ietf-opsawg-pcapng), pcap in all its byte orders and resolutions
// (draft-ietf-opsawg-pcap) with Kuznetzov's modified headers, plain or packed
// with gzip or zstd. It knows them by their content, never by their names.
//
// In: a file or any stream. Out: packet.Source, in batches that point into the
// bytes as they were read. A file that is cut or damaged gives every packet
// that can still be told, and a list of what could not be read. Files come from
// anywhere, so whatever they can make grow has its limit in this file; zstd's
// window has it in packing.
package pcapng

import (
	"errors"
	"math"

	"shark/packet"
)

// ErrFormat says that an input is no capture file this package reads.
var ErrFormat = errors.New("not a pcap or pcapng capture")

// ErrLinkType says that a pcap file cannot hold packets of a second link type.
var ErrLinkType = errors.New("a pcap file holds one link type only")

// What an input can make grow.
const (
	// readSize is how much is read at a time, and the size a Batch's buffer
	// has unless a record is larger.
	readSize = 256 << 10
	// firstRead is the same for the first read, since most inputs are small.
	firstRead = 64 << 10
	// maxRecord is the largest pcap record or pcapng block that is read; a
	// larger one is damage.
	maxRecord = 16 << 20
	// usualRecord is the largest packet of a pcap file whose header states no
	// larger snap length. libpcap has the same limit for all but USB and D-Bus.
	usualRecord = 256 << 10
	// maxBatchRecords bounds the memory of one batch of very small records.
	maxBatchRecords = 64 << 10
	// maxInterfaces is how many interfaces an input may describe.
	maxInterfaces = 1 << 18
	// maxText is how long a name, description or comment may be, in bytes; the
	// rest is cut off.
	maxText = 64 << 10
	// maxMetadata bounds the names, secrets, comments and interface texts kept
	// of one input, in bytes. What comes after that is damage.
	maxMetadata = 64 << 20
	// maxIdentity bounds the lines of the identity log kept of one input, in bytes. What
	// comes after that is damage.
	maxIdentity = 256 << 20
	// maxAsides bounds what is kept of one input to be carried into other files, in bytes with
	// asideCost for each block, maxAside one block of it, and maxInterfaceOptions what one
	// interface has of options that nothing is read of. What is more is counted.
	maxAsides           = 16 << 20
	maxAside            = 1 << 20
	maxInterfaceOptions = 64 << 10
	asideCost           = 128
	// maxDamage is how many places of damage are listed one by one; those
	// after it are added up in the last.
	maxDamage = 1000
	// maxPacking is how many layers of gzip and zstd are taken off.
	maxPacking = 2
	// unpackSize and unpackAhead bound what is unpacked ahead of the reader.
	unpackInput = 16 << 10 // of packed bytes read at a time
	unpackSize  = 512 << 10
	unpackAhead = 3
	// pointSize is how far apart restart points are, in bytes of the file.
	pointSize = 1 << 20
)

// What proves a place in a damaged pcap file: a chain of provenRecords record
// headers, each leading to the next, all within nearSeconds of the packets
// before the damage.
const (
	provenRecords = 4
	nearSeconds   = 7 * 24 * 3600
	// searchWindow is how far such a chain may reach, in bytes.
	searchWindow = 4 * usualRecord
	// usualOptions is how many bytes of options a packet block of a sound writer
	// has at most, to tell one that is cut from one with a wrong length.
	usualOptions = 1 << 10
)

// Name is one entry of a Name Resolution Block.
type Name struct {
	Addr packet.Addr
	Name string
}

// Secret is the content of one Decryption Secrets Block.
type Secret struct {
	Type    uint32 // SecretTLS, or another type of section 4.7 of the pcapng draft
	Data    []byte
	Options string // raw, little-endian, without an end mark
}

// Identity blocks carry the log of package snapshot/identity beside the packets of a
// recording: who had which address and which socket, in JSON lines. Such a block has the type
// 0x80736869 (of those for local use), and as its body the eight letters "identity", how many
// bytes of lines follow, and the lines, each with its end mark, padded to a multiple of 4. A
// file that carries a log has the first of these blocks before its first packet, and any
// number of others anywhere; laid end to end they are the log.

// SecretTLS marks secrets in the NSS key log format (SSLKEYLOGFILE).
const SecretTLS uint32 = 0x544c534b

// addSaturated returns a+b, held within the range of int64.
func addSaturated(a, b int64) int64 {
	s := a + b
	switch {
	case a > 0 && b > 0 && s < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && s >= 0:
		return math.MinInt64
	}
	return s
}
