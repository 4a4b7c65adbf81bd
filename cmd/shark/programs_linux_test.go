package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// programs are what scripts and tests start as programs of their own. Each of the
// others is shark where something is scarce.
func programs() map[string]func() {
	return map[string]func(){
		"shark":      func() { os.Exit(process()) },
		"smalldisk":  func() { os.Exit(smallDisk()) },
		"smallfiles": func() { os.Exit(smallFiles()) },
		"nobody":     func() { os.Exit(nobody()) },
	}
}

// unable is the exit code of a program that could not make it scarce.
const unable = 99

func fails(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return unable
}

// leftBehind is how smallDisk begins a line that names a file.
const leftBehind = "left behind: "

// smallDisk BYTES FOLDER ARGUMENT... is shark with a disk of so many bytes as the
// folder. It tells what is on it at the end. It has to be started in a mount
// namespace of its own.
func smallDisk() int {
	size, dir := os.Args[1], os.Args[2]
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fails(err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		return fails(err)
	}
	os.Args = append([]string{"shark"}, os.Args[3:]...)
	code := process()
	for _, name := range filesIn(dir) {
		fmt.Fprintln(os.Stderr, leftBehind+strings.TrimPrefix(name, dir))
	}
	return code
}

// inNamespace lets a program mount what others do not see.
func inNamespace(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
}

// smallFiles BYTES ARGUMENT... is shark whose files may not grow beyond.
func smallFiles() int {
	n, err := strconv.ParseUint(os.Args[1], 10, 64)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n})
	}
	if err != nil {
		return fails(err)
	}
	os.Args = append([]string{"shark"}, os.Args[2:]...)
	return process()
}

// nobody ARGUMENT... is shark without the rights of root.
func nobody() int {
	if os.Geteuid() == 0 {
		if err := syscall.Setgroups(nil); err != nil {
			return fails(err)
		}
		if err := syscall.Setgid(65534); err != nil {
			return fails(err)
		}
		if err := syscall.Setuid(65534); err != nil {
			return fails(err)
		}
	}
	return process()
}
