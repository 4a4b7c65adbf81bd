package libraries

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"shark/recorder/plaintext/object"
	"shark/recorder/procfs"
)

// OpenFile opens a file through one of the processes that map it, and makes sure that it is this
// one. Whoever opens it closes it soon: an open file keeps the mount busy that it was opened through.
func (f *File) OpenFile() (*os.File, error) {
	errs := []error{errGone}
	for _, at := range f.places {
		file, _, err := at.open(f.ID)
		if err == nil {
			return file, nil
		}
		if errs = append(errs, err); len(errs) > maxTries {
			break
		}
	}
	return nil, fmt.Errorf("open %s: %w", f.Path, errors.Join(errs...))
}

const maxTries = 8 // to open a file

// inspect reads what a new file is.
func inspect(id ID, at place) (string, *object.Object, error) {
	file, path, err := at.open(id)
	if err != nil {
		return "", nil, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return "", nil, err
	}
	if !st.Mode().IsRegular() {
		return "", nil, object.ErrNotELF
	}
	o, err := object.Inspect(file, st.Size())
	return path, o, err
}

// open opens the file that a process has mapped at a place: by the mapping itself, or where that
// is not allowed by its name. It returns the name too.
func (at place) open(id ID) (*os.File, string, error) {
	link := procfs.Path(at.tgid, fmt.Sprintf("map_files/%x-%x", at.start, at.end))
	path, err := os.Readlink(link)
	if err == nil {
		var file *os.File
		if file, err = os.Open(link); err == nil {
			return file, path, id.check(file)
		}
	}
	if !errors.Is(err, fs.ErrPermission) {
		return nil, "", err
	}
	path, err = at.name()
	if err != nil {
		return nil, "", err
	}
	root, err := os.OpenRoot(procfs.Path(at.tgid, "root"))
	if err != nil {
		return nil, "", err
	}
	defer root.Close()
	file, err := root.OpenFile(strings.TrimPrefix(path, "/"), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", err
	}
	return file, path, id.check(file)
}

// check closes a file that is not the one that it should be. An overlay mount gives the device of
// its own, and may give an inode of its own: there the name is believed.
func (id ID) check(file *os.File) error {
	var st unix.Stat_t
	err := unix.Fstat(int(file.Fd()), &st)
	if err == nil && (st.Size != id.Size || !overlay(file.Name()) && (st.Ino != id.Inode || st.Dev != id.Device)) {
		err = fmt.Errorf("%s: %w", file.Name(), errOther)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	return nil
}

// overlay says whether a file is seen through an overlay mount.
func overlay(path string) bool {
	var in unix.Statfs_t
	return unix.Statfs(path, &in) == nil && in.Type == unix.OVERLAYFS_SUPER_MAGIC
}

// name returns the name that /proc/PID/maps has for a mapping.
func (at place) name() (string, error) {
	f, err := os.Open(procfs.Path(at.tgid, "maps"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if m, ok := parseMap(lines.Bytes()); ok && m.start == at.start {
			return m.path, nil
		}
	}
	return "", errors.Join(errGone, lines.Err())
}

// line is one of /proc/PID/maps.
type line struct {
	start, end    uint64
	executable    bool
	device, inode uint64
	path          string
}

// parseMap reads one line; it is false for a mapping of no file.
func parseMap(b []byte) (m line, ok bool) {
	words := bytes.SplitN(b, []byte(" "), 6)
	if len(words) < 6 {
		return m, false
	}
	from, to, _ := strings.Cut(string(words[0]), "-")
	major, minor, _ := strings.Cut(string(words[3]), ":")
	var n [5]uint64
	for i, s := range []string{from, to, major, minor} {
		var err error
		if n[i], err = strconv.ParseUint(s, 16, 64); err != nil {
			return m, false
		}
	}
	inode, err := strconv.ParseUint(string(words[4]), 10, 64)
	if err != nil || inode == 0 {
		return m, false
	}
	return line{
		start: n[0], end: n[1], executable: bytes.IndexByte(words[1], 'x') >= 0,
		device: unix.Mkdev(uint32(n[2]), uint32(n[3])), inode: inode, path: string(bytes.TrimLeft(words[5], " ")),
	}, true
}

// fromProc gives yield the mappings of all processes as /proc has them.
func fromProc(yield func(Process, ID, place)) error {
	pids, err := procfs.PIDs(procfs.Root)
	for _, tgid := range pids {
		ofProcess(tgid, yield) // it may be gone, or not ours to see
	}
	return err
}

// ofProcess gives yield the mappings of one process.
func ofProcess(tgid uint32, yield func(Process, ID, place)) {
	f, err := os.Open(procfs.Path(tgid, "maps"))
	if err != nil {
		return
	}
	defer f.Close()
	var p Process
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		m, ok := parseMap(lines.Bytes())
		if !ok || !m.executable {
			continue
		}
		if p.TGID == 0 {
			p = describe(tgid)
		}
		if id, ok := through(procfs.Path(tgid, "root")+m.path, m); ok {
			yield(p, id, place{tgid, m.start, m.end})
		}
	}
}

// through returns what a file is known by that was mapped under a name. It is false when the name
// is another's by now.
func through(path string, m line) (ID, bool) {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ID{}, false
	}
	id := ID{st.Dev, st.Ino, st.Size, st.Mtim.Nano()}
	if overlay(path) {
		id.Device = 0
		return id, true
	}
	return id, st.Ino == m.inode && st.Dev == m.device
}

// describe returns where a process is. What /proc does not tell is 0.
func describe(tgid uint32) Process {
	p := Process{TGID: tgid, NetNS: procfs.NetNS(tgid)}
	if s, ok := procfs.StatOf(tgid); ok {
		p.Comm, p.Started = s.Comm, s.Started
	}
	return p
}
