package packetstest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"shark/recorder/netns"
)

// Space is a network namespace: that of a process that sleeps.
type Space struct {
	Inode uint64
	PID   int // of the process
	cmd   *exec.Cmd
	fd    int
}

// NewSpace makes a namespace. Programs ip, nsenter and sleep have to be there. The caller ends it.
func NewSpace() (*Space, error) {
	s := &Space{cmd: exec.Command("sleep", "infinity"), fd: -1}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	s.PID = s.cmd.Process.Pid
	s.Inode = netns.Inode(s.Path())
	var err error
	if s.fd, err = unix.Open(s.Path(), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("network namespace: %w", err), s.End())
	}
	return s, s.Do(func() error {
		for _, which := range []string{"all", "default"} {
			err := os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0)
			if err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		return nil
	})
}

// Path is where the namespace can be opened.
func (s *Space) Path() string { return fmt.Sprintf("/proc/%d/ns/net", s.PID) }

// End ends the process and with it, where no socket is left, the namespace.
func (s *Space) End() error {
	if s.cmd.ProcessState != nil {
		return nil
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it says that it was killed
	if s.fd < 0 {
		return nil
	}
	return unix.Close(s.fd)
}

// Do runs a function on a thread in the namespace.
func (s *Space) Do(run func() error) error { return netns.Do(s.fd, run) }

// IP runs ip in the namespace, once a line.
func (s *Space) IP(lines ...string) error {
	for _, line := range lines {
		args := append([]string{"--net=" + s.Path(), "ip"}, strings.Fields(line)...)
		if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// Index returns the index of a device.
func (s *Space) Index(device string) (index int, err error) {
	err = s.Do(func() error {
		d, err := net.InterfaceByName(device)
		if err == nil {
			index = d.Index
		}
		return err
	})
	return index, err
}

// Pair makes a pair of devices in the namespace.
func (s *Space) Pair(a, b string) error {
	return s.IP("link add name "+a+" type veth peer name "+b, "link set dev "+a+" up", "link set dev "+b+" up")
}
