package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// liveFile is a file that is written for a while. Where nothing is there it has its name from the
// beginning, so that it may be read meanwhile and a crash leaves what was written. What is
// there stays as it is until the new one is complete. Only its owner may read it.
type liveFile struct {
	*os.File
	path string // it gets this name in the end; empty: it has its own
	made bool   // by us
}

// createLive makes the file, which checkTarget has allowed.
func createLive(path string) (*liveFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return &liveFile{File: f, made: true}, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, writing(path, "", err)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("writing %s: it is a link to what is not there: name a file", path)
	}
	if err != nil {
		return nil, writing(path, "", err)
	}
	if !info.Mode().IsRegular() { // a pipe or a device has no name to give
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, writing(path, "", err)
		}
		return &liveFile{File: f}, nil
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link, such as /dev/stdout, stays one
	}
	if f, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*"); err != nil {
		return nil, writing(path, "", err)
	}
	return &liveFile{File: f, path: path, made: true}, nil
}

// keep ends the file, which is complete.
func (f *liveFile) keep() error {
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing %s: %w", f.Name(), err)
	}
	if f.path == "" {
		return nil
	}
	return os.Rename(f.Name(), f.path)
}

// discard ends the file as if it had never been begun.
func (f *liveFile) discard() error {
	err := f.Close()
	if f.made {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// recording is where packets are recorded to.
type recording struct {
	io.Writer
	name   string    // for people
	stdout bool      // it is standard output
	file   *liveFile // nil: standard output
}

// create makes the file, unless packets go to standard output.
func (o *recordOptions) create(a *app) (*recording, error) {
	out := &recording{Writer: a.out, name: "standard output", stdout: true}
	if o.file != "-" {
		if err := checkTarget(o.file, nil, o.force); err != nil {
			return nil, err
		}
		stdout := a.isOutput(o.file)
		f, err := createLive(o.file)
		if err != nil {
			return nil, err
		}
		out = &recording{Writer: f, name: o.file, file: f, stdout: stdout}
	}
	if out.file == nil && a.terminal || out.file != nil && isTerminal(out.file.File) {
		return nil, errors.Join(usagef("packets are not for a terminal: name a file with -w, or send standard output to a file or a program"), out.discard())
	}
	return out, nil
}

// isOutput tells whether a file is what standard output goes to, as /dev/stdout is.
func (a *app) isOutput(path string) bool {
	out, ok := a.out.(*output)
	if !ok {
		return false
	}
	f, ok := out.w.(*os.File)
	if !ok {
		return false
	}
	goes, err := f.Stat()
	is, wrong := os.Stat(path)
	return err == nil && wrong == nil && os.SameFile(goes, is)
}

func (r *recording) keep() error {
	if r.file == nil {
		return nil
	}
	return r.file.keep()
}

func (r *recording) discard() error {
	if r.file == nil {
		return nil
	}
	return r.file.discard()
}
