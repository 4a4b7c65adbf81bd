package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Command is a program that is recorded while it runs. The zero Command is none.
type Command struct {
	In       io.Reader
	Out, Err io.Writer

	path string
	args []string
}

// CommandError is a command that was recorded and ended with an exit code of its own.
type CommandError struct {
	Code int // 128 and the signal's number, as shells tell it, where a signal ended it
	err  error
}

func (e *CommandError) Error() string { return e.err.Error() }
func (e *CommandError) Unwrap() error { return e.err }

const (
	// tail is how long is recorded on after the command has ended.
	tail = time.Second
	// grace is how long a command may take to end after it was told to.
	grace = 5 * time.Second
)

// NewCommand finds the program of a command; without arguments it is none.
func NewCommand(args ...string) (Command, error) {
	if len(args) == 0 {
		return Command{}, nil
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return Command{}, fmt.Errorf("command: %w", err)
	}
	return Command{path: path, args: args}, nil
}

// record runs the command, and some moments more. Its error is the command's.
func (c *Command) record(ctx context.Context) error {
	err := c.run(ctx)
	select {
	case <-ctx.Done():
	case <-time.After(tail):
	}
	return err
}

// run runs the command until it ends, or is told to since ctx did.
func (c *Command) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.path, c.args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.In, c.Out, c.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = grace
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil // the recording was to end
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", c.args[0], err)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return &CommandError{Code: codeOf(exit), err: err}
	}
	return err
}

// codeOf is what a shell would say of how a program ended.
func codeOf(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
