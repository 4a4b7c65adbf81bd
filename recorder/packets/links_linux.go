package packets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// link is a device as the kernel tells of it.
type link struct {
	name     string
	index    int
	kind     string // such as veth
	hardware uint16 // ARPHRD_*
	loopback bool
	up       bool
	peer     int   // index of the other end, where it is a pair
	peerIn   int32 // and by which number the namespace knows that of the other end; -1: its own
}

// links lists the devices of the thread's namespace.
func links() ([]link, error) {
	rib, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	var all []link
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != syscall.RTM_NEWLINK || len(m.Data) < syscall.SizeofIfInfomsg {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(m)
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		flags := native.Uint32(m.Data[8:])
		l := link{
			hardware: native.Uint16(m.Data[2:]), index: int(int32(native.Uint32(m.Data[4:]))), peerIn: -1,
			loopback: flags&unix.IFF_LOOPBACK != 0, up: flags&unix.IFF_UP != 0,
		}
		for _, a := range attributes {
			l.attribute(a.Attr.Type, a.Value)
		}
		all = append(all, l)
	}
	return all, nil
}

func (l *link) attribute(kind uint16, v []byte) {
	const nested = 0x3fff // mask of a kind's flags
	switch kind & nested {
	case unix.IFLA_IFNAME:
		l.name = strings.TrimRight(string(v), "\x00")
	case unix.IFLA_LINK:
		if len(v) >= 4 {
			l.peer = int(int32(native.Uint32(v)))
		}
	case unix.IFLA_LINK_NETNSID:
		if len(v) >= 4 {
			l.peerIn = int32(native.Uint32(v))
		}
	case unix.IFLA_LINKINFO:
		for len(v) >= 4 {
			n := int(native.Uint16(v))
			if n < 4 || n > len(v) {
				return
			}
			if native.Uint16(v[2:])&nested == unix.IFLA_INFO_KIND {
				l.kind = strings.TrimRight(string(v[4:n]), "\x00")
			}
			v = v[min((n+3)&^3, len(v)):]
		}
	}
}

// watchLinks returns a socket that is readable when devices of the thread's namespace change.
func watchLinks() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("watch devices: %w", os.NewSyscallError("socket", err))
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		return -1, errors.Join(fmt.Errorf("watch devices: %w", os.NewSyscallError("bind", err)), unix.Close(fd))
	}
	return fd, nil
}

// drainLinks takes what a socket of watchLinks has. What was lost for want of room does not
// matter: the devices are listed anew.
func drainLinks(fd int) {
	var buf [16 << 10]byte
	for {
		_, _, err := unix.Recvfrom(fd, buf[:], 0)
		if err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// numberOf returns by which number the thread's namespace knows another one; -1: by none.
func numberOf(namespace int) (int32, error) {
	const byDescriptor = 3 // NETNSA_FD
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	ask := binary.NativeEndian.AppendUint32(nil, 28) // header, family and one attribute
	ask = native.AppendUint16(ask, unix.RTM_GETNSID)
	ask = native.AppendUint16(ask, unix.NLM_F_REQUEST)
	ask = append(ask, make([]byte, 12)...)
	ask = native.AppendUint16(ask, 8)
	ask = native.AppendUint16(ask, byDescriptor)
	ask = native.AppendUint32(ask, uint32(namespace))
	err = unix.Sendto(fd, ask, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	var buf [512]byte
	n := 0
	if err == nil {
		n, _, err = unix.Recvfrom(fd, buf[:], 0)
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return -1, fmt.Errorf("ask for a namespace's number: %w", err)
	}
	// A header, the family, and the attribute NETNSA_NSID; else it is an error.
	if n < 28 || native.Uint16(buf[4:]) != unix.RTM_NEWNSID || native.Uint16(buf[22:]) != 1 {
		return -1, nil
	}
	return int32(native.Uint32(buf[24:])), nil
}
