//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package ring

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks a file for as long as it is open, unless somebody else has.
func tryLock(f *os.File) (bool, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for failed = syscall.EINTR; failed == syscall.EINTR; {
			failed = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB)
		}
	})
	if errors.Is(failed, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err == nil {
		err = failed
	}
	return err == nil, err
}
