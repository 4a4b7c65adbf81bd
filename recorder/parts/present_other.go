//go:build !linux

package parts

import (
	"errors"
	"fmt"
)

// Present says that there are no network namespaces on this system.
func (c *Capture) Present() error {
	return fmt.Errorf("network namespaces: only on Linux: %w", errors.ErrUnsupported)
}
