package ring

import (
	"errors"
	"os"
	"syscall"
)

// grow makes a file size bytes long and has the file system keep room for all of them.
func grow(f *os.File, size int64) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for failed = syscall.EINTR; failed == syscall.EINTR; {
			failed = syscall.Fallocate(int(fd), 0, 0, size)
		}
	})
	if err != nil {
		return err
	}
	if errors.Is(failed, errors.ErrUnsupported) {
		return f.Truncate(size)
	}
	if failed != nil {
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: failed}
	}
	return nil
}
