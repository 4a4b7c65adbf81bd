//go:build !unix

package bucket

import "os"

// syncNames does nothing: Windows puts names on the disk itself and has no call for
// folders.
func syncNames(*os.File) error { return nil }
