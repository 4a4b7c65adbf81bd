package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// prefixForm is what the beginning of a container's id looks like.
var prefixForm = regexp.MustCompile(`^[0-9a-f]{4,64}$`)

var errNoContainer = errors.New("no process is in a container of such an id")

// FindContainer returns a process of the container whose id begins so: the one with the least
// number. Containers are known by their cgroups. What watches over a container is not in it.
func FindContainer(id string) (pid int, err error) { return findContainer("/proc", id) }

func findContainer(proc, id string) (pid int, err error) {
	if !prefixForm.MatchString(id) {
		return 0, fmt.Errorf("%q is not the beginning of a container's id: give 4 to 64 of its digits and letters from a to f", id)
	}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0, fmt.Errorf("container %s: %w", id, err)
	}
	found := make(map[string]int) // containers, and their least process
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		groups, err := os.ReadFile(filepath.Join(proc, e.Name(), "cgroup"))
		if err != nil {
			continue // it ended
		}
		c, _ := containerOf(cgroupOf(string(groups)))
		if strings.HasPrefix(c, id) && (found[c] == 0 || n < found[c]) {
			found[c], pid = n, n
		}
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("container %s: %w", id, errNoContainer)
	case 1:
		return pid, nil
	}
	var names []string
	for c := range found {
		names = append(names, c[:12])
	}
	slices.Sort(names)
	return 0, fmt.Errorf("container %s: it may be any of %s: give more of its id", id, strings.Join(names, ", "))
}
