package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// usage is what a process took.
type usage struct {
	cpu  time.Duration // of user and system
	wall time.Duration
	peak int64 // bytes of resident memory at most; 0 where the system does not tell
}

// measure runs a program to its end. One that ends with another exit code than 0 was
// measured all the same, but there is an error.
func measure(ctx context.Context, out io.Writer, name string, args ...string) (usage, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &complaint
	begin := time.Now()
	err := cmd.Run()
	wall := time.Since(begin)
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	s := cmd.ProcessState
	if s == nil {
		return usage{}, err
	}
	return usage{cpu: s.UserTime() + s.SystemTime(), wall: wall, peak: peakOf(s)}, err
}
