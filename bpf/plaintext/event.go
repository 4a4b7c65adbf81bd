//go:build linux

package plaintext

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// ErrDamaged says that a record of the ring is no event.
var ErrDamaged = errors.New("damaged event")

// Kind is what an event tells.
type Kind uint8

// The kinds of events.
const (
	Read Kind = iota
	Written
	Closed
	Found // what its socket is
)

// Joined is what told the connection's socket.
type Joined uint8

// The ways. A call that is served from what was read before uses no socket: then the last one
// of the connection is its. Where a program has its library read and write memory, and uses the
// sockets itself, it is the one that the connection's records went through.
const (
	Unjoined Joined = iota
	ByCall
	ByConnection
	ByRecords
)

// Socket is a connection's socket as the process that has it sees it.
type Socket struct {
	Cookie        uint64
	Local, Remote netip.AddrPort
	NetNS         uint32 // inode of the network namespace
}

// Event is a piece of what was read or written, or the end of a connection.
type Event struct {
	Kind     Kind
	Joined   Joined
	Time     time.Duration // since boot: when the read returned or the write was called
	ID       uint64        // of the connection: another when its object is used again
	Object   uint64        // its address in the process
	Position uint64        // of the piece in its direction, since the connection was first seen
	Size     uint32        // bytes of the piece
	Total    uint32        // bytes of the call
	Offset   uint32        // of the piece in the call
	Payload  []byte        // fewer than Size where memory could not be read; valid until the next event
	Socket   Socket
	Random   *[32]byte // the client's; nil if not known
	Cgroup   uint64
	TGID     uint32
	TID      uint32
	File     uint32 // number of the attachment
	Comm     [16]byte

	random [32]byte
}

// headSize is the size of struct plaintext_event; the families are AF_INET and AF_INET6.
const (
	headSize = 176
	family4  = 2
	family6  = 10
)

// decode reads a record by the offsets of struct plaintext_event.
func decode(b []byte, e *Event) error {
	if len(b) < headSize {
		return fmt.Errorf("%w: it has %d bytes", ErrDamaged, len(b))
	}
	n := binary.NativeEndian
	*e = Event{
		Time: time.Duration(n.Uint64(b)), ID: n.Uint64(b[8:]), Object: n.Uint64(b[16:]), Cgroup: n.Uint64(b[24:]), Position: n.Uint64(b[32:]),
		Socket: socket(b[40:96]), Total: n.Uint32(b[96:]), Offset: n.Uint32(b[100:]), Size: n.Uint32(b[108:]),
		TGID: n.Uint32(b[112:]), TID: n.Uint32(b[116:]), File: n.Uint32(b[120:]), Kind: Kind(b[124]), Joined: Joined(b[125]),
		Comm: [16]byte(b[160:176]),
	}
	if b[126] != 0 {
		e.random = [32]byte(b[128:160])
		e.Random = &e.random
	}
	captured := n.Uint32(b[104:])
	if captured > e.Size || uint64(captured) > uint64(len(b)-headSize) {
		return fmt.Errorf("%w: of its %d bytes %d should be payload", ErrDamaged, len(b), captured)
	}
	e.Payload = b[headSize : headSize+captured]
	return nil
}

// socket reads a struct plaintext_socket.
func socket(b []byte) Socket {
	n := binary.NativeEndian
	s := Socket{Cookie: n.Uint64(b), NetNS: n.Uint32(b[48:])}
	local, remote := n.Uint16(b[40:]), n.Uint16(b[42:])
	switch n.Uint16(b[44:]) {
	case family4:
		s.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[8:12])), local)
		s.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[24:28])), remote)
	case family6: // its addresses may be those of IPv4
		s.Local = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), local)
		s.Remote = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:40])).Unmap(), remote)
	}
	return s
}
