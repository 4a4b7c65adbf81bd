package pcapng

import (
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE: the file is as long as what was written to it.
const keepSize = 1

// reserve takes n bytes from off on for the file.
func reserve(f *os.File, off, n int64) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = syscall.Fallocate(int(fd), keepSize, off, n) }); err != nil {
		return err
	}
	return failed
}
