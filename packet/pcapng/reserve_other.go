//go:build !linux

package pcapng

import (
	"errors"
	"os"
)

// reserve is not known here.
func reserve(*os.File, int64, int64) error { return errors.ErrUnsupported }
