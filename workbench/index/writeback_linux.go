package index

import (
	"os"
	"syscall"
)

// writeOut is SYNC_FILE_RANGE_WRITE.
const writeOut = 2

// writeBack has the kernel begin to write n bytes from off on to the disk, so that
// the last sync has little left to wait for. It is no more than a hint.
func writeBack(f *os.File, off, n int64) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) { _ = syscall.SyncFileRange(int(fd), off, n, writeOut) })
}
