//go:build unix

package dissectortest

import (
	"syscall"
	"time"
)

// computed returns how long the processors have worked for the program so far.
func computed() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // there is nothing to give but these two arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
