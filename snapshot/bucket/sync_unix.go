//go:build unix

package bucket

import (
	"errors"
	"os"
	"syscall"
)

// syncNames puts the names in a folder on the disk. Some file systems cannot.
func syncNames(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
