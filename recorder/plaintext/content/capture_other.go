//go:build !linux

package content

import (
	"context"
	"errors"
	"fmt"
	"os"

	"shark/recorder/plaintext/object"
)

var errLinux = fmt.Errorf("plaintext of TLS libraries is recorded on Linux only: %w", errors.ErrUnsupported)

// Options of a Capture.
type Options struct{ Ring int }

// Capture records plaintext, on Linux.
type Capture struct{}

// Attachment is a file that is looked at.
type Attachment struct{}

// Policy says which processes may be looked at.
type Policy struct{}

// Open returns an error that wraps errors.ErrUnsupported, as all do.
func Open(Options) (*Capture, error) { return nil, errLinux }

// Attach fails.
func (*Capture) Attach(string, *os.File, *object.Object) (*Attachment, error) { return nil, errLinux }

// Policy does nothing.
func (*Capture) Policy() *Policy { return new(Policy) }

// Run fails.
func (*Capture) Run(context.Context, Sink) error { return errLinux }

// Status fails.
func (*Capture) Status() (Status, error) { return Status{}, errLinux }

// Close does nothing.
func (*Capture) Close() error { return nil }

// Close does nothing.
func (*Attachment) Close() error { return nil }

// Default fails.
func (*Policy) Default(bool) error { return errLinux }

// Process fails.
func (*Policy) Process(uint32, bool) error { return errLinux }

// ForgetProcess fails.
func (*Policy) ForgetProcess(uint32) error { return errLinux }
