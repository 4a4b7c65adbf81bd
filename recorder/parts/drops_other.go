//go:build !linux

package parts

import (
	"context"
	"errors"
	"fmt"

	"shark/recorder"
)

// Drops says that dropped packets are not counted on this system.
func Drops(*Capture) recorder.Part {
	return recorder.Part{Name: "drops", Open: func(context.Context, recorder.Sinks) (recorder.Running, error) {
		return nil, fmt.Errorf("packets that the kernel dropped: only on Linux: %w", errors.ErrUnsupported)
	}}
}
