//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// ignoreSignals turns the signals of a closed pipe and of a file that may not grow
// into errors of the write, so that what is unfinished is still removed.
func ignoreSignals() { signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ) }
