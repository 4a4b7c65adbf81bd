package main

import (
	"os"
	"runtime/debug"
)

// How the garbage collector is set, unless the environment says otherwise. What a
// dissection keeps is bounded and small beside what it goes through: to collect when
// three times as much is taken costs a hundredth of the CPU time, and less would cost
// memory. Near the limit it collects as often as it must.
const (
	gcPercent   = 200
	memoryLimit = 384 << 20 // bytes, on top of what connections may take
)

// tuneGC sets the collector for dissections whose connections may take so many
// bytes.
func tuneGC(connections int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit + connections)
	}
}
