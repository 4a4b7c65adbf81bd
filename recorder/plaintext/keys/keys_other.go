//go:build !linux

package keys

import (
	"context"
	"errors"
	"fmt"

	"shark/packet/keylog"
)

// Keys reads the secrets of a Linux machine's processes.
type Keys struct{}

var errLinux = fmt.Errorf("read secrets of TLS sessions: only Linux lets us: %w", errors.ErrUnsupported)

// Open says that this is not Linux.
func Open(Options) (*Keys, error) { return nil, errLinux }

// Close does nothing.
func (*Keys) Close() error { return nil }

// Reconsider does nothing.
func (*Keys) Reconsider() error { return nil }

// Run says that this is not Linux.
func (*Keys) Run(context.Context, func(Event)) error { return errLinux }

// Status returns nothing.
func (*Keys) Status() (Status, error) { return Status{}, nil }

// Hello does nothing.
func (*Keys) Hello([keylog.RandomSize]byte) {}
