package procfs

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"shark/recorder/netns"
)

// Root is where processes are.
const Root = "/proc"

// MaxFile is how much of a file is read: what processes may make long, such as their arguments,
// is cut.
const MaxFile = 4 << 20

// Tick is how exactly the start of a process is known: the kernel's constant USER_HZ is 100.
const Tick = 10 * time.Millisecond

// Path returns where a file of a process is.
func Path(pid uint32, name string) string {
	return Root + "/" + strconv.FormatUint(uint64(pid), 10) + "/" + name
}

// Read reads a file of a process, or its beginning; nothing if there is none.
func Read(pid uint32, name string) []byte {
	f, err := os.Open(Path(pid, name))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, MaxFile)) // of a process that ends what could be read
	return b
}

// PIDs lists the processes there are in a folder such as Root, in order.
func PIDs(dir string) ([]uint32, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []uint32
	for _, n := range names {
		if pid, err := strconv.ParseUint(n, 10, 32); err == nil {
			pids = append(pids, uint32(pid))
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// Stat is what /proc/PID/stat says.
type Stat struct {
	Comm    string
	Parent  uint32
	Started time.Duration // since boot, in whole Ticks
}

// StatOf reads it of a process that lives.
func StatOf(pid uint32) (Stat, bool) { return parseStat(Read(pid, "stat")) }

func parseStat(b []byte) (s Stat, ok bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')') // the name may have any byte
	if open < 0 || end < open {
		return s, false
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 20 {
		return s, false
	}
	if f[0] == "Z" || f[0] == "X" {
		return s, false // it has ended, and nobody has asked how
	}
	parent, err := strconv.ParseUint(f[1], 10, 32)
	ticks, bad := strconv.ParseUint(f[19], 10, 64)
	if err != nil || bad != nil || ticks > uint64(1<<63-1)/uint64(Tick) {
		return s, false
	}
	return Stat{string(b[open+1 : end]), uint32(parent), time.Duration(ticks) * Tick}, true
}

// NetNS returns the inode of the network namespace that a process is in; 0: it may not be seen.
func NetNS(pid uint32) uint32 { return uint32(netns.Inode(Path(pid, "ns/net"))) }

// Lines gives yield the lines of a file of a process, up to a number of them; all says that there
// are no more.
func Lines(pid uint32, name string, most int, yield func(line string)) (all bool, err error) {
	f, err := os.Open(Path(pid, name))
	if err != nil {
		return false, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for n := 0; in.Scan(); n++ {
		if n == most {
			return false, nil
		}
		yield(in.Text())
	}
	return true, in.Err()
}

// Sockets gives yield the inodes of the sockets that a process has open, and returns how many of
// its descriptors were looked at: most of them, at most.
func Sockets(pid uint32, most int, yield func(inode uint64)) int {
	d, err := os.Open(Path(pid, "fd"))
	if err != nil {
		return 0
	}
	defer d.Close()
	names, _ := d.Readdirnames(most) // a process that ended has none
	for _, fd := range names {
		to, err := os.Readlink(Path(pid, "fd/"+fd))
		number, is := strings.CutPrefix(to, "socket:[")
		if err != nil || !is {
			continue
		}
		if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64); err == nil {
			yield(inode)
		}
	}
	return len(names)
}

// SinceBoot returns the time since the machine booted, with that which it slept.
func SinceBoot() time.Duration { return clock(unix.CLOCK_BOOTTIME) }

// Realtime returns what is to be added to times since boot to have times since 1970. It changes
// when the machine's clock is set: the clocks are read one after the other until that takes less
// than a few microseconds.
func Realtime() time.Duration {
	var best, offset time.Duration = 1<<63 - 1, 0
	for range 10 {
		a, r, b := clock(unix.CLOCK_BOOTTIME), clock(unix.CLOCK_REALTIME), clock(unix.CLOCK_BOOTTIME)
		if b-a < best {
			best, offset = b-a, r-(a+b)/2
		}
		if best < 2*time.Microsecond {
			break
		}
	}
	return offset
}

func clock(id int32) time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(id, &t) // these clocks exist
	return time.Duration(t.Nano())
}
