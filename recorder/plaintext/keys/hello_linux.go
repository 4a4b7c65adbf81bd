package keys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// helloFilter lets through what may begin with a ClientHello: TCP over IPv4 or IPv6, unfragmented,
// whose payload is a TLS record of a handshake's first message. The packet begins with its IP header.
var helloFilter = []unix.SockFilter{
	0:  {Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 0},
	1:  {Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 4},
	2:  {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 6, Jt: 7},
	3:  {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 4, Jf: 21},
	4:  {Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9},
	5:  {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.IPPROTO_TCP, Jf: 19},
	6:  {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 6},
	7:  {Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x1fff, Jt: 17},
	8:  {Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0}, // X: where TCP begins
	9:  {Code: unix.BPF_JMP | unix.BPF_JA, K: 3},
	10: {Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 6},
	11: {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.IPPROTO_TCP, Jf: 13},
	12: {Code: unix.BPF_LDX | unix.BPF_IMM, K: 40},
	13: {Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 12}, // X + the header's length: where the payload begins
	14: {Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf0},
	15: {Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 2},
	16: {Code: unix.BPF_ALU | unix.BPF_ADD | unix.BPF_X},
	17: {Code: unix.BPF_MISC | unix.BPF_TAX},
	18: {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: 0}, // handshake, version 3.x
	19: {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x1603, Jf: 5},
	20: {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: 5}, // ClientHello, shorter than 64 KiB
	21: {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x0100, Jf: 3},
	22: {Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 9},
	23: {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 3, Jf: 1},
	24: {Code: unix.BPF_RET | unix.BPF_K, K: helloSnap},
	25: {Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// helloSnap is enough for the headers of IP and TCP and all up to the random.
const helloSnap = 256

// listen opens a socket that gets the ClientHellos of a process's network namespace. The socket
// stays there; the thread that enters the namespace ends with that.
func listen(tgid uint32) (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	c := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread belongs to the other namespace
		f, err := listenIn("/proc/" + strconv.Itoa(int(tgid)) + "/ns/net")
		c <- result{f, err}
	}()
	r := <-c
	return r.f, r.err
}

func listenIn(namespace string) (*os.File, error) {
	ns, err := os.Open(namespace)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter the network namespace of a process: %w", err)
	}
	// Bound only when the filter is set: it gets no packet before.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), "hellos in "+namespace)
	program := unix.SockFprog{Len: uint16(len(helloFilter)), Filter: &helloFilter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return nil, errors.Join(fmt.Errorf("set the filter of a packet socket: %w", err), f.Close())
	}
	all := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff})
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all}); err != nil {
		return nil, errors.Join(fmt.Errorf("bind a packet socket: %w", err), f.Close())
	}
	return f, nil
}

// helloRandom returns the random of a packet that the filter let through.
func helloRandom(b []byte) (r random, ok bool) {
	const tcpHeader, beforeRandom = 12, 5 + 4 + 2
	if len(b) == 0 {
		return r, false
	}
	at := 40
	if b[0]>>4 == 4 {
		at = int(b[0]&15) * 4
	}
	if len(b) <= at+tcpHeader {
		return r, false
	}
	at += int(b[at+tcpHeader]>>4)*4 + beforeRandom
	if len(b) < at+len(r) {
		return r, false
	}
	return random(b[at:]), true
}
