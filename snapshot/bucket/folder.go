package bucket

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Captured traffic holds secrets: it is its owner's only until they say otherwise.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// folder is a bucket in a folder. The folder need not exist until something is
// written. Nothing is read or written through symbolic links that lead out of it,
// and what is not a regular file is no object.
type folder struct {
	dir    string // of all objects
	prefix string // of those of this part
	// link gives a file a second name, never over what is there. Tests make it fail.
	link func(root *os.Root, old, new string) error
}

func newFolder(dir string) *folder { return &folder{dir: dir, link: (*os.Root).Link} }

// IsFolder tells whether a bucket is a folder of this machine.
func IsFolder(b Bucket) bool {
	_, ok := b.(*folder)
	return ok
}

func (f *folder) Sub(prefix string) Bucket {
	return &folder{f.dir, join(f.prefix, prefix), f.link}
}

func (f *folder) String() string { return filepath.Join(f.dir, filepath.FromSlash(f.prefix)) }

func (f *folder) Close() error { return nil }

// root opens the folder. The path of a key in it is name.
func (f *folder) root(ctx context.Context, key string) (root *os.Root, name string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	full := join(f.prefix, key)
	if err := check(full); err != nil {
		return nil, "", err
	}
	root, err = os.OpenRoot(f.dir)
	return root, filepath.FromSlash(full), inWords(key, err)
}

// inWords says what an error is about in the words of the bucket. Those of the
// system name the system call, such as "statat", which tells people nothing.
func inWords(key string, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("%s: %w", key, err)
}

// regular describes an object.
func regular(root *os.Root, key, name string) (Object, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return Object{}, inWords(key, err)
	}
	if !info.Mode().IsRegular() {
		return Object{}, fmt.Errorf("%s is not a regular file", key)
	}
	return Object{key, info.Size(), info.ModTime()}, nil
}

func (f *folder) Stat(ctx context.Context, key string) (Object, error) {
	root, name, err := f.root(ctx, key)
	if err != nil {
		return Object{}, err
	}
	defer root.Close()
	return regular(root, key, name)
}

func (f *folder) Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	if err := checkRange(key, from, n); err != nil {
		return nil, err
	}
	root, name, err := f.root(ctx, key)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if _, err := regular(root, key, name); err != nil { // opening a pipe would wait
		return nil, err
	}
	in, err := root.Open(name)
	if err != nil {
		return nil, inWords(key, err)
	}
	info, err := in.Stat()
	if err != nil {
		_ = in.Close()
		return nil, inWords(key, err)
	}
	if n < 0 {
		n = info.Size() - from // negative behind the end
	}
	if n < 0 {
		_ = in.Close()
		return nil, short(key)
	}
	return &folderReader{ctx, key, in, from, n}, nil
}

// folderReader reads a part of a file.
type folderReader struct {
	ctx     context.Context
	key     string
	in      *os.File
	at, rem int64
}

func (r *folderReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.rem == 0 {
		return 0, io.EOF
	}
	n, err := r.in.ReadAt(p[:min(int64(len(p)), r.rem)], r.at)
	r.at += int64(n)
	r.rem -= int64(n)
	switch {
	case err == nil || err == io.EOF && r.rem == 0:
		return n, nil
	case err == io.EOF:
		return n, short(r.key)
	}
	return n, inWords(r.key, err)
}

func (r *folderReader) Close() error { return r.in.Close() }

func (f *folder) Remove(ctx context.Context, key string) error {
	root, name, err := f.root(ctx, key)
	if err == nil {
		defer root.Close()
		err = inWords(key, root.Remove(name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	above := filepath.Dir(name)
	if err := syncFolder(root, above); err != nil {
		return inWords(key, err)
	}
	prune(root, above)
	return nil
}

// prune removes a folder and those above it as far as they are empty.
func prune(root *os.Root, name string) {
	for ; name != "." && root.Remove(name) == nil; name = filepath.Dir(name) {
	}
}

// entry is a file, or a folder, whose key ends with a slash.
type entry struct {
	key  string
	info fs.FileInfo
}

// entries reads a folder, in the order of keys. What is gone is empty.
func entries(root *os.Root, dir string, withHidden bool) ([]entry, error) {
	in, err := root.Open(filepath.FromSlash(cmp.Or(dir, ".")))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, inWords(dir, err)
	}
	defer in.Close()
	infos, err := in.Readdir(-1)
	if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
		return nil, nil
	}
	if err != nil {
		return nil, inWords(dir, err)
	}
	var all []entry
	for _, info := range infos {
		key := join(dir, info.Name())
		switch {
		case info.Name()[0] == '.' && (!withHidden || info.IsDir()):
		case info.IsDir():
			all = append(all, entry{key + "/", info})
		case info.Mode().IsRegular():
			all = append(all, entry{key, info})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	return all, nil
}

// walk calls each with the files in and below dir, in the order of their keys, and
// passes over folders that cannot have keys that begin with prefix. It returns
// false when each has.
func walk(ctx context.Context, root *os.Root, dir, prefix string, withHidden bool, each func(entry) bool) (bool, error) {
	all, err := entries(root, dir, withHidden)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return false, err
	}
	for _, e := range all {
		below, folder := strings.CutSuffix(e.key, "/")
		switch {
		case folder && (strings.HasPrefix(e.key, prefix) || strings.HasPrefix(prefix, e.key)):
			if on, err := walk(ctx, root, below, prefix, withHidden, each); !on || err != nil {
				return false, err
			}
		case !folder && strings.HasPrefix(e.key, prefix):
			if !each(e) {
				return false, nil
			}
		}
	}
	return true, nil
}

// within opens the folder of this part of the bucket for f, unless it is not there.
func (f *folder) within(ctx context.Context, do func(root *os.Root) error) error {
	if f.prefix != "" {
		if err := check(f.prefix); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := os.OpenRoot(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("folder %w", inWords(f.dir, err))
	}
	defer root.Close()
	return do(root)
}

// below is the key that this part of the bucket has for one of the whole.
func (f *folder) below(key string) string {
	if f.prefix == "" {
		return key
	}
	return key[len(f.prefix)+1:]
}

func (f *folder) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		err := f.within(ctx, func(root *os.Root) error {
			_, err := walk(ctx, root, f.prefix, join(f.prefix, prefix), false, func(e entry) bool {
				return yield(Object{f.below(e.key), e.info.Size(), e.info.ModTime()}, nil)
			})
			return err
		})
		if err != nil {
			yield(Object{}, fmt.Errorf("list: %w", err))
		}
	}
}

func (f *folder) Folders(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := f.within(ctx, func(root *os.Root) error {
			all, err := entries(root, f.prefix, false)
			if err != nil {
				return err
			}
			for _, e := range all {
				name, folder := strings.CutSuffix(e.key, "/")
				if !folder {
					continue
				}
				// One without objects is what an interrupted writer has left.
				empty, err := walk(ctx, root, name, "", false, func(entry) bool { return false })
				if err != nil {
					return err
				}
				if !empty && !yield(path.Base(name), nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield("", fmt.Errorf("list: %w", err))
		}
	}
}

func (f *folder) Rubbish(ctx context.Context, before time.Time, remove bool) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		err := f.within(ctx, func(root *os.Root) error {
			var failed error
			each := func(e entry) bool {
				if !e.info.ModTime().Before(before) {
					return true
				}
				name := filepath.FromSlash(strings.TrimSuffix(e.key, "/"))
				if remove {
					if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
						failed = inWords(f.below(e.key), err)
						return false
					}
					prune(root, filepath.Dir(name))
				}
				o := Object{f.below(e.key), e.info.Size(), e.info.ModTime()}
				if e.info.IsDir() {
					o.Size = 0 // that of a folder says nothing
				}
				return yield(o, nil)
			}
			on, err := walk(ctx, root, f.prefix, "", true, func(e entry) bool { return !isDraft(e.key) || each(e) })
			if on && err == nil {
				_, err = emptyFolders(ctx, root, f.prefix, each)
			}
			return cmp.Or(failed, err)
		})
		if err != nil {
			yield(Object{}, fmt.Errorf("rubbish: %w", err))
		}
	}
}

// emptyFolders calls each with the folders in and below dir that hold nothing at all. It
// returns false when each has.
func emptyFolders(ctx context.Context, root *os.Root, dir string, each func(entry) bool) (bool, error) {
	in, err := root.Open(filepath.FromSlash(cmp.Or(dir, ".")))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, inWords(dir, err)
	}
	infos, err := in.Readdir(-1)
	self, wrong := in.Stat()
	_ = in.Close() // it was only read from
	if err := cmp.Or(err, wrong, ctx.Err()); err != nil {
		return false, inWords(dir, err)
	}
	if len(infos) == 0 && dir != "" {
		return each(entry{dir + "/", self}), nil
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	for _, info := range infos {
		if info.IsDir() && info.Name()[0] != '.' {
			if on, err := emptyFolders(ctx, root, join(dir, info.Name()), each); !on || err != nil {
				return on, err
			}
		}
	}
	return true, nil
}

// same tells whether an object has exactly these bytes.
func same(ctx context.Context, b Bucket, key string, data []byte) (bool, error) {
	o, err := b.Stat(ctx, key)
	if err != nil || o.Size != int64(len(data)) {
		return false, err
	}
	there, err := ReadAll(ctx, b, key, o.Size)
	return bytes.Equal(there, data), err
}
