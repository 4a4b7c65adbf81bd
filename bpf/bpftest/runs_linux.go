package bpftest

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
)

// Runs returns how often the programs with one of these names ran that this process has loaded. It
// counts while ebpf.EnableStats is in effect.
func Runs(t *testing.T, names ...string) (total uint64) {
	t.Helper()
	for id := range loaded(t) {
		total += runs(t, id, names)
	}
	return total
}

func runs(t *testing.T, id ebpf.ProgramID, names []string) uint64 {
	t.Helper()
	program, err := ebpf.NewProgramFromID(id)
	if errors.Is(err, os.ErrNotExist) { // it was closed meanwhile
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	info, err := program.Info()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, info.Name) {
		return 0
	}
	stats, err := program.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return stats.RunCount
}

// loaded returns the programs of which this process has descriptors.
func loaded(t *testing.T) map[ebpf.ProgramID]bool {
	t.Helper()
	const dir = "/proc/self/fdinfo"
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[ebpf.ProgramID]bool)
	for _, f := range files {
		text, err := os.ReadFile(dir + "/" + f.Name())
		if err != nil { // it was closed meanwhile
			continue
		}
		for line := range strings.Lines(string(text)) {
			if id, ok := strings.CutPrefix(line, "prog_id:"); ok {
				n, err := strconv.ParseUint(strings.TrimSpace(id), 10, 32)
				if err != nil {
					t.Fatal(err)
				}
				ids[ebpf.ProgramID(n)] = true
			}
		}
	}
	return ids
}
