package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// freeMemory returns how many bytes of memory there are for programs and the page
// cache, if the system tells.
func freeMemory() (bytes int64, known bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	return available(string(text))
}

// available reads Linux's account of memory.
func available(meminfo string) (bytes int64, known bool) {
	for line := range strings.Lines(meminfo) {
		name, rest, _ := strings.Cut(line, ":")
		if name != "MemAvailable" {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		return n << 10, err == nil
	}
	return 0, false
}

// tightMemory says so where captures may not stay in the page cache while programs
// read them; it is empty where they do, or nobody knows.
func tightMemory(captures []*capture) string {
	const programs = 1 << 30 // what those take that are measured
	need := int64(programs)
	for _, c := range captures {
		need += c.bytes
	}
	free, known := freeMemory()
	if !known || free >= need {
		return ""
	}
	return fmt.Sprintf("note: %s MiB of memory are available, and %s MiB would hold the captures and the programs: the disk is measured as well", mebibytes(free), mebibytes(need))
}
