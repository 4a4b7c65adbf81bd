package packets

import (
	"fmt"
	"os"
	"path/filepath"

	"shark/recorder/netns"
	"shark/recorder/procfs"
)

// scan lists the namespaces of all processes, and those that have names.
func (f *follower) scan() (map[uint64]Namespace, error) {
	pids, err := procfs.PIDs(f.c.o.Proc)
	if err != nil {
		return nil, err
	}
	found := make(map[uint64]Namespace)
	add := func(n Namespace) {
		if n.Inode == 0 {
			return
		}
		if old, ok := found[n.Inode]; ok && (n.PID == 0 || old.PID != 0 && old.PID < n.PID) {
			return
		}
		n.Host, n.Own = n.Inode == f.host, n.Inode == f.own
		found[n.Inode] = n
	}
	for _, pid := range pids {
		path := fmt.Sprintf("%s/%d/ns/net", f.c.o.Proc, pid)
		add(Namespace{Inode: netns.Inode(path), PID: int(pid), Path: path})
	}
	add(Namespace{Inode: f.own, PID: os.Getpid(), Path: "/proc/self/ns/net"})
	for _, folder := range f.c.o.Named {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue // there are none of it
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			add(Namespace{Inode: netns.Inode(path), Path: path})
		}
	}
	return found, nil
}
