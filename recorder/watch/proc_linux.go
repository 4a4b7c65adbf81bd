package watch

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"shark/recorder/procfs"
)

// addressesOf returns the addresses of the network namespace that a process is in, of IPv4
// first, and of these loopback last.
func addressesOf(pid uint32) (out []netip.Addr) {
	var before string
	for line := range strings.Lines(string(procfs.Read(pid, "net/fib_trie"))) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "|-- "):
			before = line[4:]
		case line == "/32 host LOCAL":
			if a, err := netip.ParseAddr(before); err == nil {
				out = append(out, a)
			}
		}
	}
	for line := range strings.Lines(string(procfs.Read(pid, "net/if_inet6"))) {
		word, _, _ := strings.Cut(line, " ")
		if b, err := hex.DecodeString(word); err == nil && len(b) == 16 {
			out = append(out, netip.AddrFrom16([16]byte(b)))
		}
	}
	slices.SortFunc(out, func(a, b netip.Addr) int {
		if a.Is4() == b.Is4() && a.IsLoopback() != b.IsLoopback() {
			if a.IsLoopback() {
				return 1
			}
			return -1
		}
		return a.Compare(b)
	})
	out = slices.Compact(out)
	return out[:min(len(out), maxAddresses)]
}

// CgroupRoot returns the folder of the cgroup hierarchy of version 2, or nothing.
func CgroupRoot() string {
	b, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	return ""
}

// cgroups finds the paths of cgroups by their ids, of processes that were gone before /proc
// was read.
type cgroups struct {
	root  string
	paths map[uint64]string
}

// maxCgroups is how many are known at a time.
const maxCgroups = 1 << 14

// kernfs is the type of a file handle that is a cgroup's id: FILEID_KERNFS.
const kernfs = 0xfe

// path returns the path of a cgroup of version 2, or nothing if it is gone and was not asked
// for before. It takes CAP_DAC_READ_SEARCH.
func (c *cgroups) path(id uint64) string {
	if id == 0 || c.root == "" {
		return ""
	}
	if p, known := c.paths[id]; known {
		return p
	}
	if c.paths == nil || len(c.paths) == maxCgroups {
		c.paths = make(map[uint64]string)
	}
	c.paths[id] = c.find(id)
	return c.paths[id]
}

// find asks the kernel for the folder that has a number.
func (c *cgroups) find(id uint64) string {
	root, err := unix.Open(c.root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer func() { _ = unix.Close(root) }()
	group, err := unix.OpenByHandleAt(root, unix.NewFileHandle(kernfs, binary.NativeEndian.AppendUint64(nil, id)), unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return ""
	}
	defer func() { _ = unix.Close(group) }()
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", group))
	if err != nil {
		return ""
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(path, c.root), "/")
}
