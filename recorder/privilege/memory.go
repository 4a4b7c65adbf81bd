package privilege

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// maxProcs is how many threads of the program run at a time at most: it is to be a small part
// of a large machine.
const maxProcs = 4

// Confine keeps the Go runtime to some memory, in bytes, or to nine tenths of what its cgroup may
// have if that is less, and to a few processors. What GOMEMLIMIT and GOMAXPROCS say counts
// instead. It returns the limit.
func Confine(budget int64) int64 {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) > maxProcs {
		runtime.GOMAXPROCS(maxProcs)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(min(budget, GroupMemory()/10*9))
	}
	return debug.SetMemoryLimit(-1)
}

// GroupMemory returns how much memory the process's cgroup and those above it may have, in
// bytes; math.MaxInt64 when nothing limits it.
func GroupMemory() int64 {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return math.MaxInt64
	}
	return groupMemory(string(groups), "/sys/fs/cgroup")
}

// groupMemory reads the limits of the groups that /proc/PID/cgroup lists, of either version.
func groupMemory(groups, root string) int64 {
	least := int64(math.MaxInt64)
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[0] == "0" && parts[1] == "":
			least = min(least, upwards(root, parts[2], "memory.max"), upwards(filepath.Join(root, "unified"), parts[2], "memory.max"))
		case parts[1] == "memory":
			least = min(least, upwards(filepath.Join(root, "memory"), parts[2], "memory.limit_in_bytes"))
		}
	}
	return least
}

// upwards returns the least limit of a group and those above it.
func upwards(root, group, name string) int64 {
	least := int64(math.MaxInt64)
	for group = filepath.Clean("/" + group); ; group = filepath.Dir(group) {
		if text, err := os.ReadFile(filepath.Join(root, group, name)); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
				least = min(least, n) // "max", and in version 1 a very large number: none
			}
		}
		if group == "/" {
			return least
		}
	}
}
