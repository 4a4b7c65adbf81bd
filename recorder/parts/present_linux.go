package parts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"shark/recorder/netns"
)

// maxNamed is how many devices an error lists.
const maxNamed = 20

// Present makes sure that what is named is there: each namespace, and in one of them each device.
// A pattern of devices may be of some that come later.
func (c *Capture) Present() error {
	there := make(map[string]bool) // devices, and whether they are up
	for _, name := range c.Namespaces {
		if err := devicesOf(name, there); err != nil {
			return err
		}
	}
	for _, d := range c.Devices {
		up, ok := there[d]
		switch {
		case len(c.Namespaces) == 0 || up || strings.ContainsAny(d, `*?[\`):
		case ok:
			return fmt.Errorf("network device %s is down, so nothing goes through it: ip link set %s up", d, d)
		default:
			return fmt.Errorf("there is no network device %s; %s: name another, or with '%s*' wait for those that come", d, listOf(there), d)
		}
	}
	return nil
}

// listOf names devices.
func listOf(devices map[string]bool) string {
	var names []string
	for name := range devices {
		names = append(names, name)
	}
	slices.Sort(names)
	if n := len(names); n > maxNamed {
		names = append(names[:maxNamed], fmt.Sprintf("%d more", n-maxNamed))
	}
	if len(names) == 0 {
		return "there is none at all"
	}
	return "there are " + strings.Join(names, ", ")
}

// devicesOf adds the devices of a namespace.
func devicesOf(name string, to map[string]bool) error {
	path := namespacePath(name)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return unseen(name, path, err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written to it
	list := func() error {
		all, err := net.Interfaces()
		for _, d := range all {
			to[d.Name] = to[d.Name] || d.Flags&net.FlagUp != 0
		}
		return err
	}
	if own := netns.Inode(path); own != 0 && own == netns.Inode(namespacePath("own")) {
		err = list() // which needs no rights
	} else {
		err = netns.Do(fd, list)
	}
	if err != nil {
		return fmt.Errorf("network namespace %s: %w", name, err)
	}
	return nil
}

// unseen says why a namespace cannot be opened.
func unseen(name, path string, err error) error {
	_, number := strconv.ParseUint(name, 10, 31)
	switch {
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("network namespace %s: open %s: %w: root may, or who has CAP_SYS_PTRACE", name, path, err)
	case number == nil:
		return fmt.Errorf("there is no process %s: ps ax lists those that are there", name)
	case filepath.IsAbs(name):
		return fmt.Errorf("network namespace %s: there is no such file", name)
	}
	return fmt.Errorf("there is no network namespace %s: ip netns lists those that have a name", name)
}
