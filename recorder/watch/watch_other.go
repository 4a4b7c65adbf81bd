//go:build !linux

package watch

import (
	"context"
	"errors"
	"fmt"

	"shark/snapshot/identity"
)

// Watcher is of Linux.
type Watcher struct{}

// Open returns an error that wraps errors.ErrUnsupported.
func Open(Options) (*Watcher, error) { return nil, errUnsupported }

// CgroupRoot returns nothing: there are no cgroups.
func CgroupRoot() string { return "" }

// Run does nothing.
func (*Watcher) Run(context.Context, func(*identity.Record)) error { return errUnsupported }

// Status is empty.
func (*Watcher) Status() Status { return Status{} }

// Close does nothing.
func (*Watcher) Close() error { return nil }

// errUnsupported is what a machine without Linux answers.
var errUnsupported = fmt.Errorf("socket owners are told on Linux only: %w", errors.ErrUnsupported)
