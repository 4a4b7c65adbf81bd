package dissector

// Limits on what captured bytes can make the dissector keep or do. Everything a
// peer can make grow is bounded here, in package stream, or in its protocol.
const (
	// Partitions is the number of independent parts the packets are split into by
	// their pair of addresses.
	Partitions = 64
	// DefaultMemory bounds, in bytes, what all connections together keep.
	DefaultMemory = 256 << 20
	// MaxProbe is how many bytes of a side are kept for probes that ask for more.
	MaxProbe = 16 << 10
	// MaxProbes is at how many segments a side of unknown protocol is probed.
	MaxProbes = 4
	// MaxUnparsed is how many bytes of a side are kept for a parser that asks for more.
	MaxUnparsed = 512 << 10
	// MaxSyncTries is how many places of a segment are tried to regain sync.
	MaxSyncTries = 32
	// MaxPending is how many exchanges of a connection may be incomplete.
	MaxPending = 4096
	// MaxClosed is how many closed connections a partition keeps for late packets.
	MaxClosed = 512
	// MaxStrays is how many packets of a connection wait to be told whether a protocol
	// has a use for them.
	MaxStrays = 64
	// MinTrail is how many bytes the name of a Trail has at least. A shorter one could stand
	// in any datagram.
	MinTrail = 4
	// MaxTrail is how many it has at most.
	MaxTrail = 20
	// MaxTrails is how many trails of a conversation are known: the latest.
	MaxTrails = 8
	// MaxNested is how many encrypted streams may be one in another.
	MaxNested = 2
	// MaxSessions is how many encrypted sessions of a conversation of datagrams are read at once.
	MaxSessions = 4
	// MaxDetail is how many bytes of a message or of its body Detail keeps.
	MaxDetail = 16 << 20

	// maxSealed is how many bytes of a side are kept for an Opener that asks for more.
	maxSealed = 64 << 10
	// tunnelSize is roughly how many bytes a stream in another holds on to, besides those
	// that wait.
	tunnelSize = 4000

	// closedBatch is how many more than MaxClosed there are when those are let go of.
	closedBatch = 16
	// closedLinger is how long a closed connection waits for late packets, in ns
	// of capture time.
	closedLinger = 60e9
	// answerTime is how long a datagram's answer may take, in ns.
	answerTime = 30e9
	// idleTime is how long both sides of a pipelined connection must be silent,
	// in ns, to prove after a loss that no answer is due.
	idleTime = 1e9
)
