//go:build !linux

package index

import "os"

// writeBack is not known here.
func writeBack(*os.File, int64, int64) {}
