package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shark/workbench"
	"shark/workbench/index"
)

// checkTarget refuses to write over what is to be read and over what a snapshot
// consists of, always, and over anything else that is there unless force says so. A
// pipe, a device and an empty file hold nothing that could be lost.
func checkTarget(file string, refs []string, force bool) error {
	if file == "-" {
		return nil
	}
	if workbench.InSnapshot(file) {
		return usagef("%s is in the folder of a snapshot, which never changes, not even with --force: write to another file", file)
	}
	to, err := os.Stat(file)
	if err != nil || !to.Mode().IsRegular() {
		return nil
	}
	for _, r := range refs {
		if from, err := os.Stat(r); err == nil && os.SameFile(from, to) {
			return usagef("%s is what is read and is never replaced, not even with --force: write to another file", file)
		}
	}
	switch {
	case force || to.Size() == 0:
		return nil
	case index.Is(file):
		return usagef("%s is an index database: write to another file, or replace it with --force", file)
	}
	return usagef("%s is there already: write to another file, or replace it with --force", file)
}

// exportPackets answers an export into a file, or with - to standard output.
func exportPackets(ctx context.Context, a *app, e *workbench.Evidence, q workbench.Export, file string) (*workbench.Exported, error) {
	if file != "-" {
		return exportFile(ctx, e, q, file)
	}
	out := bufio.NewWriterSize(a.out, 1<<16)
	done, err := e.Export(ctx, q, out)
	if err != nil {
		return nil, err
	}
	return done, out.Flush()
}

// The modes of files that are written. What opens TLS, and what was said in it, is its owner's only.
const (
	public  os.FileMode = 0o644
	private os.FileMode = 0o600
)

// modeOf returns the mode of the files of an export.
func modeOf(q workbench.Export) os.FileMode {
	if q.Secrets || q.Plaintext != workbench.WithoutPlaintext {
		return private
	}
	return public
}

// modeOfEntries returns the mode of files of entries.
func modeOfEntries(c workbench.Coverage) os.FileMode {
	for how := range c.TLS {
		if !strings.HasPrefix(how, "opaque") {
			return private
		}
	}
	return public
}

// exportFile writes packets to a file.
func exportFile(ctx context.Context, e *workbench.Evidence, q workbench.Export, path string) (done *workbench.Exported, err error) {
	err = writeFile(path, modeOf(q), func(out io.Writer) error {
		done, err = e.Export(ctx, q, out)
		return err
	})
	return done, err
}

// writeFile writes to a file that appears under its name only when it is whole.
func writeFile(path string, mode os.FileMode, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeTo(path, write) // a pipe or a device has no name to give
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link, such as /dev/stdout, stays one
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*")
	if err != nil {
		return writing(path, "", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = write(f)
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return writing(path, f.Name(), err)
	}
	return os.Rename(f.Name(), path)
}

// writeTo writes to what is there already.
func writeTo(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return writing(path, "", err)
	}
	return errors.Join(write(f), f.Close())
}

// fileSet is the files of an export that is split: out.pcapng is out-KEY.pcapng of each.
// They appear under their names when all are whole.
type fileSet struct {
	stem, ext string
	read      []string // which are never replaced
	force     bool
	mode      os.FileMode
	parts     []filePart
}

// filePart is one of the files: what it is to be called, and where it is until then.
type filePart struct{ part, path, temp string }

var _ workbench.Files = (*fileSet)(nil)

func newFileSet(pattern string, read []string, force bool, mode os.FileMode) *fileSet {
	ext := filepath.Ext(pattern)
	return &fileSet{stem: strings.TrimSuffix(pattern, ext), ext: ext, read: read, force: force, mode: mode}
}

// Create implements workbench.Files.
func (s *fileSet) Create(part string) (io.WriteCloser, error) {
	path := s.stem + "-" + part + s.ext
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, usagef("%s is there already and is no file: write to others", path)
	}
	if err := checkTarget(path, s.read, s.force); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".shark.part-*")
	if err != nil {
		return nil, writing(path, "", err)
	}
	s.parts = append(s.parts, filePart{part, path, f.Name()})
	if err := f.Chmod(s.mode); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Append implements workbench.Files.
func (s *fileSet) Append(part string) (io.WriteCloser, error) {
	i := slices.IndexFunc(s.parts, func(p filePart) bool { return p.part == part })
	if i < 0 {
		return nil, fmt.Errorf("file %s was not begun", part)
	}
	f, err := os.OpenFile(s.parts[i].temp, os.O_WRONLY, 0)
	if err != nil {
		return nil, writing(s.parts[i].path, s.parts[i].temp, err)
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Clear implements workbench.Files.
func (s *fileSet) Clear() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, os.Remove(p.temp))
	}
	s.parts = nil
	return errors.Join(errs...)
}

// commit gives the files their names, and returns those.
func (s *fileSet) commit() (paths []string, err error) {
	for len(s.parts) > 0 {
		p := s.parts[0]
		if err := os.Rename(p.temp, p.path); err != nil {
			return nil, err
		}
		paths, s.parts = append(paths, p.path), s.parts[1:]
	}
	return paths, nil
}

// writing names in an error the file that is to be, not the one that was to become it.
func writing(path, part string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) && (part == "" || p.Path == part) {
		return fmt.Errorf("writing %s: %w", path, p.Err)
	}
	return err
}
