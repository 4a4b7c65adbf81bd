package pcapng

import (
	"os"
	"syscall"
	"testing"
)

// allocated is how much room a file takes on the disk.
func allocated(t *testing.T, f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}
