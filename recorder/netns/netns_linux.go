package netns

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrRefused says that namespaces may not be entered.
var ErrRefused = errors.New("entering the network namespace is refused: CAP_SYS_ADMIN is needed")

// Inode returns which namespace a file is, such as /proc/1/ns/net, or one of a name in
// /run/netns; 0: it is none, or may not be seen.
func Inode(path string) uint64 {
	var buf [64]byte
	if n, err := unix.Readlink(path, buf[:]); err == nil {
		if number, ok := strings.CutPrefix(string(buf[:n]), "net:["); ok {
			inode, _ := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
			return inode
		}
	}
	const namespaces = 0x6e736673 // NSFS_MAGIC
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Statfs(path, &fs) != nil || uint32(fs.Type) != namespaces || unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

// Do runs a function on a thread that is in a namespace and ends with it. That is not the
// process's first one: it would stay, and the whole process seem to be in the namespace.
func Do(fd int, run func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: a thread that ends locked is not used again
		if unix.Gettid() == unix.Getpid() {
			result <- Do(fd, run) // on another one, as this one waits
			runtime.UnlockOSThread()
			return
		}
		err := unix.Setns(fd, unix.CLONE_NEWNET)
		switch {
		case errors.Is(err, unix.EPERM):
			result <- ErrRefused
		case err != nil:
			result <- fmt.Errorf("enter the network namespace: %w", err)
		default:
			result <- run()
		}
	}()
	return <-result
}
