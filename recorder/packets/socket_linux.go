package packets

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"shark/packet"
	"shark/packet/filter"
)

// socket is the capture of a device. Its ring is the reader's.
type socket struct {
	fd       int
	mem      []byte
	block    int // bytes of one
	next     int // offset of the block that is read next
	slot     uint32
	link     packet.LinkType
	device   Device
	touched  bool // since the kernel's counters were read
	leaves   bool // it gets no more packets,
	last     int64
	received atomic.Uint64
	dropped  atomic.Uint64
}

// openSocket captures a device of the thread's namespace, in a ring of size bytes, from when it
// returns on.
func openSocket(d *Device, link packet.LinkType, size int64, program []filter.Instruction) (*socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("capture %s: packet socket (CAP_NET_RAW is needed): %w", d.Name, err)
	}
	s := &socket{fd: fd, device: *d, link: link}
	if err := s.prepare(size, program); err != nil {
		return nil, errors.Join(fmt.Errorf("capture %s: %w", d.Name, err), s.close())
	}
	return s, nil
}

// prepare makes the ring and binds the socket last: what comes in before is of other devices.
func (s *socket) prepare(size int64, program []filter.Instruction) error {
	for _, o := range []struct {
		what        string
		name, value int
		leave       bool
	}{
		{"ring version 3", unix.PACKET_VERSION, unix.TPACKET_V3, false},
		{"virtio headers", unix.PACKET_VNET_HDR, 1, false},
		{"ignoring what goes out", unix.PACKET_IGNORE_OUTGOING, 1, !s.device.Loopback},
	} {
		if o.leave {
			continue
		}
		if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, o.name, o.value); err != nil {
			return fmt.Errorf("%s: %w", o.what, err)
		}
	}
	if len(program) > 0 {
		// An Instruction is laid out as the kernel's sock_filter.
		p := unix.SockFprog{Len: uint16(len(program)), Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0]))}
		if err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &p); err != nil {
			return fmt.Errorf("filter of %d instructions: %w", len(program), err)
		}
	}
	if s.block = smallBlock; size >= largeRing {
		s.block = largeBlock
	}
	n := int(size) / s.block
	const frame = 2048 // only has to divide a block
	req := unix.TpacketReq3{
		Block_size: uint32(s.block), Block_nr: uint32(n), Frame_size: frame, Frame_nr: uint32(n * (s.block / frame)),
		Retire_blk_tov: uint32(retire.Milliseconds()),
	}
	if err := unix.SetsockoptTpacketReq3(s.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return fmt.Errorf("ring of %d bytes: %w", n*s.block, err)
	}
	var err error
	if s.mem, err = unix.Mmap(s.fd, 0, n*s.block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("mapping the ring: %w", err)
	}
	if err := unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: s.device.Index}); err != nil {
		return fmt.Errorf("binding to device %d: %w", s.device.Index, err)
	}
	return nil
}

// bigEndian is n in the order of the network, as a number of this machine.
func bigEndian(n uint16) uint16 { return native.Uint16([]byte{byte(n >> 8), byte(n)}) }

// full returns the next block if the kernel has given it out, and whether packets were dropped.
func (s *socket) full() (block []byte, losing bool) {
	b := s.mem[s.next : s.next+s.block]
	status := atomic.LoadUint32(s.status())
	if status&statusUser == 0 {
		return nil, false
	}
	return b, status&statusLosing != 0
}

// release gives the block back to the kernel.
func (s *socket) release() {
	atomic.StoreUint32(s.status(), 0)
	if s.next += s.block; s.next == len(s.mem) {
		s.next = 0
	}
}

// status is the word by which kernel and reader hand over a block.
func (s *socket) status() *uint32 { return (*uint32)(unsafe.Pointer(&s.mem[s.next+blockStatus])) }

// drops returns how many packets the kernel dropped since it was asked.
func (s *socket) drops() (uint64, error) {
	c, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("statistics of %s: %w", s.device.Name, os.NewSyscallError("getsockopt", err))
	}
	return uint64(c.Drops), nil
}

// clear takes the socket's error, which a device has that goes down: it may come up again.
func (s *socket) clear() { _, _ = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR) }

func (s *socket) close() error {
	var err error
	if s.mem != nil {
		err = unix.Munmap(s.mem)
		s.mem = nil
	}
	return errors.Join(err, unix.Close(s.fd))
}
