//go:build !linux

package packets

import (
	"context"
	"errors"
	"fmt"
)

// Capture captures packets, on Linux.
type Capture struct{}

// Open says that there is no capture on this system.
func Open(o Options) (*Capture, error) {
	return nil, errors.Join(o.complete(), fmt.Errorf("capture packets: only on Linux: %w", errors.ErrUnsupported))
}

// Run is not reached.
func (c *Capture) Run(context.Context, Sink) error { return errors.ErrUnsupported }

// Close is not reached.
func (c *Capture) Close() error { return nil }

// Status is not reached.
func (c *Capture) Status() Status { return Status{} }
