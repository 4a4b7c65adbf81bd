package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Captured traffic holds secrets: it is its owner's only until they say otherwise.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// folder is where the objects of one snapshot are. Their keys are relative and
// have slashes. A symbolic link out of the folder is an error, and what is not a
// regular file no object.
type folder struct{ dir string }

func (f folder) path(key string) string { return filepath.Join(f.dir, filepath.FromSlash(key)) }

func (f folder) root() (*os.Root, error) { return os.OpenRoot(f.dir) }

// open opens an object for reading.
func (f folder) open(key string) (*os.File, error) {
	root, err := f.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if _, err := regular(root, key); err != nil { // opening a pipe would wait
		return nil, err
	}
	in, err := root.Open(filepath.FromSlash(key))
	return in, inWords(key, err)
}

// inWords says what an error is about in the words of the snapshot. Those of the
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

// size returns the size of an object in bytes.
func (f folder) size(key string) (int64, error) {
	root, err := f.root()
	if err != nil {
		return 0, err
	}
	defer root.Close()
	return regular(root, key)
}

func regular(root *os.Root, key string) (size int64, err error) {
	info, err := root.Lstat(filepath.FromSlash(key))
	if err != nil {
		return 0, inWords(key, err)
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", key)
	}
	return info.Size(), nil
}

// read reads a whole object of a bounded size.
func (f folder) read(key string, most int64) ([]byte, error) {
	in, err := f.open(key)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%w: %s is larger than %d bytes", ErrIntegrity, key, most)
	}
	return data, err
}

// object is an object being written.
type object struct {
	Object
	f   *os.File
	sum hash.Hash
}

// create begins an object, which must not exist.
func (f folder) create(o Object) (*object, error) {
	root, err := f.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := root.MkdirAll(filepath.FromSlash(path.Dir(o.Path)), dirMode); err != nil {
		return nil, inWords(path.Dir(o.Path), err)
	}
	out, err := root.OpenFile(filepath.FromSlash(o.Path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, inWords(o.Path, err)
	}
	return &object{o, out, sha256.New()}, nil
}

func (o *object) Write(p []byte) (int, error) {
	n, err := o.f.Write(p)
	o.sum.Write(p[:n])
	o.Size += int64(n)
	return n, err
}

// close makes sure that the object is on the disk, unless writing it failed with
// err, and fills in its sum.
func (o *object) close(err error) error {
	if err == nil {
		err = o.f.Sync()
	}
	o.SHA256 = hex.EncodeToString(o.sum.Sum(nil))
	return errors.Join(err, o.f.Close())
}

// commit writes the manifest, which must not exist, whole or not at all.
func (f folder) commit(data []byte) error {
	root, err := f.root()
	if err != nil {
		return err
	}
	defer root.Close()
	const draft = "." + manifestName + ".new"
	out, err := root.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return inWords(manifestName, err)
	}
	_, err = out.Write(data)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = publish(root, draft)
	}
	if _, gone := root.Lstat(draft); gone == nil {
		err = errors.Join(err, inWords(draft, root.Remove(draft)))
	}
	if d, e := root.Open("."); err == nil && e == nil {
		_ = d.Sync() // not every system can; the file itself is on the disk
		_ = d.Close()
	}
	return err
}

// publish gives the draft its name. A link is never made over what is there; on
// file systems without links nothing else writes to the folder of a new id.
func publish(root *os.Root, draft string) error {
	err := root.Link(draft, manifestName)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return inWords(manifestName, err)
	}
	if _, err := root.Lstat(manifestName); err == nil {
		return fmt.Errorf("%s: %w", manifestName, fs.ErrExist)
	}
	return inWords(manifestName, root.Rename(draft, manifestName))
}

// delete removes the manifest, and with it the snapshot, then all else.
func (f folder) delete() error {
	root, err := f.root()
	if err != nil {
		return err
	}
	err = root.Remove(manifestName)
	root.Close()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return inWords(manifestName, err)
	}
	return os.RemoveAll(f.dir)
}

// list returns the keys of all that is there, in order.
func (f folder) list() ([]string, error) {
	root, err := f.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var keys []string
	err = fs.WalkDir(root.FS(), ".", func(key string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			keys = append(keys, key)
		}
		return inWords(key, err)
	})
	slices.Sort(keys)
	return keys, err
}
