package main

import (
	"os"
	"runtime/debug"
)

// How the garbage collector is set, unless the environment says otherwise. What a
// dissection keeps is bounded and small beside what it goes through: to collect at
// three times as much, and not at five, costs a twentieth of the CPU time, and at nine
// nothing is gained. Near the limit it collects as often as it must.
const (
	gcPercent   = 400
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
