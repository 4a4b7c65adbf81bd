package privilege

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Drop gives up, in all threads and for good, every capability that is not kept, and the
// way to gain any. It returns what the process has then, which is more than what is kept where
// that failed.
func Drop() ([]string, error) {
	failed := drop()
	set, err := current()
	return names(set), errors.Join(failed, err)
}

func drop() error {
	if _, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("give up gaining rights: %w", errno)
	}
	set, err := current()
	if err != nil {
		return err
	}
	if set&(1<<unix.CAP_SETPCAP) != 0 {
		if err := bound(); err != nil {
			return err
		}
	}
	set &= mask()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	low, high := uint32(set), uint32(set>>32)
	data := [2]unix.CapUserData{{Effective: low, Permitted: low}, {Effective: high, Permitted: high}}
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); errno != 0 {
		return fmt.Errorf("give up capabilities: %w", errno)
	}
	return nil
}

// current returns what the process is permitted.
func current() (uint64, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	return uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32, nil
}

// bound takes what is not kept out of the set that bounds all others.
func bound() error {
	for n := range 64 {
		if mask()&(1<<n) != 0 {
			continue
		}
		_, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0, 0)
		if errno == syscall.EINVAL { // the kernel knows no more of them
			return nil
		}
		if errno != 0 {
			return fmt.Errorf("give up capability %d: %w", n, errno)
		}
	}
	return nil
}
