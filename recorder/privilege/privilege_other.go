//go:build !linux

package privilege

import "errors"

// Drop says that there are no capabilities on this system.
func Drop() ([]string, error) { return nil, errors.ErrUnsupported }
