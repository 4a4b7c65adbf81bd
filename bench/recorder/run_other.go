//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

func run(context.Context, io.Writer, options) error {
	return fmt.Errorf("packets are captured only on Linux: %w", errors.ErrUnsupported)
}
