package watch

import (
	"fmt"
	"io"
	"os"
)

// maxCgroup is how many bytes of /proc/PID/cgroup are read.
const maxCgroup = 64 << 10

// PodOf returns the uid of the pod that a process is in, as the name of its cgroup has it; empty
// where it is in none. It is not known of a process that is gone.
func PodOf(pid int) (uid string, known bool) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", false
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, maxCgroup)) // of a process that ends what could be read
	_, uid = containerOf(cgroupOf(string(text)))
	return uid, len(text) > 0
}
