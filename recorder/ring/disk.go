package ring

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// disk is what a Writer asks of a file system. Names are below the ring's folder.
type disk interface {
	// create makes a file with room for size bytes. If there is none, there is no file.
	create(name string, size int64) (file, error)
	// open opens a file to be overwritten and makes it size bytes long, or leaves it shorter where
	// there is no room.
	open(name string, size int64) (file, error)
	rename(from, to string) error
	remove(name string) error
}

// file is a file of a disk.
type file interface {
	io.WriterAt
	io.ReaderAt
	io.Closer
	Truncate(size int64) error
	Size() (int64, error)
}

// folder is a disk as it is.
type folder string

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d folder) path(name string) string { return filepath.Join(string(d), name) }

func (d folder) create(name string, size int64) (file, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := grow(f, size); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(d.path(name)))
	}
	return osFile{f}, nil
}

func (d folder) open(name string, size int64) (file, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.Size() < size {
		err = grow(f, size)
	} else if info.Size() > size {
		err = f.Truncate(size)
	}
	if err != nil && info.Size() < leastSegment/2 { // too small to be of use
		return nil, errors.Join(err, f.Close())
	}
	return osFile{f}, nil
}

func (d folder) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

func (d folder) remove(name string) error {
	err := os.Remove(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
