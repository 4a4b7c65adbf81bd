//go:build linux

// Package mappings asks the kernel which files processes have mapped executable, and hears
// when that may have changed.
//
// In: nothing. Out: a row for each executable mapping of a file, with the device and inode that
// are really mapped, below all overlay mounts; and notices that a process began, forked, ended
// or made a mapping. Notices that find no room are counted.
package mappings

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"shark/bpf/loader"
)

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package mappings Mappings mappings.bpf.c -- -O2 -g -mcpu=v3 -Wall -Werror -I..

// Mapping is a part of a file that a process may execute.
type Mapping struct {
	TGID       uint32
	NetNS      uint32 // inode of the network namespace
	Cgroup     uint64
	Device     uint64 // as stat gives it
	Inode      uint64
	Generation uint32 // another when the inode is used again
	Size       int64  // of the file
	Start, End uint64
	Started    time.Duration // when the process began, since boot
	Comm       string
}

// What a notice is about.
const (
	Exec uint32 = 1 + iota
	Fork
	Exit
	Map
)

// Notice says that the mappings of a process may have changed.
type Notice struct {
	TGID uint32
	What uint32
}

// Set is the programs, loaded and attached.
type Set struct {
	objects MappingsObjects
	links   loader.Links
	notices *loader.Ring
}

// Open loads and attaches the programs. What the kernel does not have, or does not allow, is an
// error that wraps errors.ErrUnsupported.
func Open() (*Set, error) {
	s := new(Set)
	if err := LoadMappingsObjects(&s.objects, nil); err != nil {
		return nil, loader.Unsupported("load the programs that see mappings", err)
	}
	var err error
	if s.links, err = loader.Trace(s.objects.OnExec, s.objects.OnFork, s.objects.OnExit, s.objects.OnMap); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.notices, err = loader.OpenRing(s.objects.Notices); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Read waits for a notice until the deadline, which is an error that wraps os.ErrDeadlineExceeded.
// After Interrupt it is one that wraps os.ErrClosed.
func (s *Set) Read(deadline time.Time) (Notice, error) {
	b, err := s.notices.Read(deadline)
	if err != nil {
		return Notice{}, err
	}
	if len(b) < 8 {
		return Notice{}, fmt.Errorf("a notice of %d bytes", len(b))
	}
	return Notice{binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:])}, nil
}

// Interrupt ends Read, for good; another goroutine may call it.
func (s *Set) Interrupt() error { return s.notices.Close() }

// Lost returns how many notices found no room.
func (s *Set) Lost() (uint64, error) {
	var n uint64
	if err := s.objects.Lost.Lookup(uint32(0), &n); err != nil {
		return 0, fmt.Errorf("read how many notices were lost: %w", err)
	}
	return n, nil
}

// Close detaches and unloads the programs.
func (s *Set) Close() error {
	err := s.links.Close()
	if s.notices != nil {
		err = errors.Join(err, s.notices.Close())
	}
	return errors.Join(err, s.objects.Close())
}

const rowSize = 80

// Scan gives yield the executable mappings of a process, or of all with 0. A kernel that can
// only give all (before 6.1) answers for one with an error that wraps errors.ErrUnsupported.
func (s *Set) Scan(tgid uint32, yield func(Mapping)) error {
	f, err := iterate(s.objects.Scan, tgid)
	if err != nil {
		return fmt.Errorf("scan the mappings of processes: %w", err)
	}
	defer f.Close()
	buf := make([]byte, 256*rowSize)
	for have := 0; ; {
		n, err := f.Read(buf[have:])
		have += n
		whole := have - have%rowSize
		for at := 0; at < whole; at += rowSize {
			yield(decode(buf[at : at+rowSize]))
		}
		copy(buf, buf[whole:have])
		have -= whole
		switch {
		case err == io.EOF || err == nil && n == 0:
			return nil
		case err != nil && !errors.Is(err, unix.EAGAIN):
			return fmt.Errorf("scan the mappings of processes: %w", err)
		}
	}
}

// decode reads a row by the offsets of struct mapping_row.
func decode(b []byte) Mapping {
	e := binary.NativeEndian
	dev := e.Uint32(b[48:]) // 20 bits of minor in the kernel
	comm := b[64:80]
	if i := bytes.IndexByte(comm, 0); i >= 0 {
		comm = comm[:i]
	}
	return Mapping{
		TGID: e.Uint32(b), NetNS: e.Uint32(b[4:]), Cgroup: e.Uint64(b[8:]), Inode: e.Uint64(b[16:]),
		Start: e.Uint64(b[24:]), End: e.Uint64(b[32:]), Started: time.Duration(e.Uint64(b[40:])),
		Device: unix.Mkdev(dev>>20, dev&0xfffff), Generation: e.Uint32(b[52:]), Size: int64(e.Uint64(b[56:])), Comm: string(comm),
	}
}

// iterate runs an iterator over the tasks of a process, or of all with 0. The library has no
// way to name a process, so the two system calls are made here.
func iterate(p *ebpf.Program, tgid uint32) (*os.File, error) {
	const linkCreate, iterCreate, traceIter = 28, 33, 28
	info := &struct{ tid, pid, pidfd uint32 }{pid: tgid}
	var pinned runtime.Pinner // the kernel gets info's address as a number
	pinned.Pin(info)
	defer pinned.Unpin()
	create := struct {
		program, target, attach, flags uint32
		info                           uint64
		size, unused                   uint32
	}{program: uint32(p.FD()), attach: traceIter}
	if tgid != 0 {
		create.info, create.size = uint64(uintptr(unsafe.Pointer(info))), uint32(unsafe.Sizeof(*info))
	}
	fd, err := bpf(linkCreate, unsafe.Pointer(&create), unsafe.Sizeof(create))
	if err != nil {
		if tgid != 0 && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.E2BIG)) {
			err = fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
		}
		return nil, fmt.Errorf("attach the iterator: %w", err)
	}
	link := os.NewFile(uintptr(fd), "link")
	defer link.Close()
	open := struct{ link, flags uint32 }{link: uint32(fd)}
	it, err := bpf(iterCreate, unsafe.Pointer(&open), unsafe.Sizeof(open))
	if err != nil {
		return nil, fmt.Errorf("open the iterator: %w", err)
	}
	return os.NewFile(uintptr(it), "mappings"), nil
}

func bpf(command uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(attr), size)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}
