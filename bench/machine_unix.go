//go:build linux || darwin

package main

import "syscall"

// freeDisk returns how many bytes a folder has room for, if the system tells.
func freeDisk(dir string) (bytes int64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
