//go:build !linux

package parts

import (
	"context"
	"errors"
	"fmt"

	"shark/recorder"
)

// TLS says that TLS is not made readable on this system.
func TLS(Policy, *Capture) recorder.Part {
	return recorder.Part{Name: "tls", Open: func(context.Context, recorder.Sinks) (recorder.Running, error) {
		return nil, fmt.Errorf("secrets and plaintext of TLS: only on Linux: %w", errors.ErrUnsupported)
	}}
}
