//go:build !linux

package libraries

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Watcher follows the mappings of a Linux machine.
type Watcher struct{}

var errLinux = fmt.Errorf("see which libraries processes use: only Linux shows it: %w", errors.ErrUnsupported)

// Open says that this is not Linux.
func Open() (*Watcher, error) { return nil, errLinux }

// Close does nothing.
func (*Watcher) Close() error { return nil }

// Changed never has a value.
func (*Watcher) Changed() <-chan struct{} { return nil }

// Files returns none.
func (*Watcher) Files() []File { return nil }

// Status returns nothing.
func (*Watcher) Status() Status { return Status{} }

// Run says that this is not Linux.
func (*Watcher) Run(context.Context) error { return errLinux }

// OpenFile says that this is not Linux.
func (*File) OpenFile() (*os.File, error) { return nil, errLinux }
