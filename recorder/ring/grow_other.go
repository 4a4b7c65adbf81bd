//go:build !linux

package ring

import "os"

// grow makes a file size bytes long. Whether there is room for them shows when they are
// written.
func grow(f *os.File, size int64) error { return f.Truncate(size) }
