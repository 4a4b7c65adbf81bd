package watch

import (
	"fmt"
	"io"
	"os"
)

// maxCgroup is how many bytes of /proc/PID/cgroup are read.
const maxCgroup = 64 << 10

// PodOf returns the uid of the pod that a process is in, as the name of its cgroup has it; empty
// where it is in none, or is gone.
func PodOf(pid int) string {
	f, err := os.Open(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, maxCgroup)) // of a process that ends what could be read
	_, pod := containerOf(cgroupOf(string(text)))
	return pod
}
