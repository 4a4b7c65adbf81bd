package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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

// exportFile writes to a file that appears under its name only when it is whole.
func exportFile(ctx context.Context, e *workbench.Evidence, q workbench.Export, path string) (done *workbench.Exported, err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return exportTo(ctx, e, q, path) // a pipe or a device has no name to give
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link, such as /dev/stdout, stays one
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*")
	if err != nil {
		return nil, writing(path, "", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	done, err = e.Export(ctx, q, f)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return nil, writing(path, f.Name(), err)
	}
	return done, os.Rename(f.Name(), path)
}

// exportTo writes to what is there already.
func exportTo(ctx context.Context, e *workbench.Evidence, q workbench.Export, path string) (*workbench.Exported, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, writing(path, "", err)
	}
	done, err := e.Export(ctx, q, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return done, nil
}

// writing names in an error the file that is to be, not the one that was to become it.
func writing(path, part string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) && (part == "" || p.Path == part) {
		return fmt.Errorf("writing %s: %w", path, p.Err)
	}
	return err
}
