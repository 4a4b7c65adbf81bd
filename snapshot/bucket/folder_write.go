package bucket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Drafts lie in the folder of what they are to become, hidden by a dot.
const (
	draftBegin = ".draft-"
	claimBegin = ".claim-"
)

func isDraft(key string) bool {
	name := path.Base(key)
	return strings.HasPrefix(name, draftBegin) || strings.HasPrefix(name, claimBegin)
}

// folderWriter writes a draft that Close gives its name.
type folderWriter struct {
	ctx         context.Context
	root        *os.Root
	out         *os.File
	key         string
	name, draft string // paths in root
	err         error  // the first
	done        bool
}

func (f *folder) Create(ctx context.Context, key string) (Writer, error) {
	return f.draft(ctx, key)
}

// draft begins a draft of an object.
func (f *folder) draft(ctx context.Context, key string) (*folderWriter, error) {
	if err := check(join(f.prefix, key)); err != nil {
		return nil, err
	}
	if err := makeFolder(f.dir); err != nil {
		return nil, fmt.Errorf("folder %w", inWords(f.dir, err))
	}
	root, name, err := f.root(ctx, key)
	if err != nil {
		return nil, err
	}
	draft := filepath.Join(filepath.Dir(name), draftBegin+strings.ToLower(rand.Text()))
	// Whoever removes the last object of a folder removes the folder, too, perhaps
	// right after it was found or made here: then it is there, or is not.
	var out *os.File
	for range 100 {
		if err = root.MkdirAll(filepath.Dir(name), dirMode); err == nil || errors.Is(err, fs.ErrNotExist) {
			out, err = root.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		root.Close()
		return nil, inWords(key, err)
	}
	return &folderWriter{ctx: ctx, root: root, out: out, key: key, name: name, draft: draft}, nil
}

// makeFolder makes a folder and those above it, and makes sure that what it made is
// on the disk.
func makeFolder(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := makeFolder(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(above)
	if err != nil {
		return nil // who may not read it cannot sync it
	}
	defer d.Close()
	return syncNames(d)
}

func (w *folderWriter) Write(p []byte) (n int, err error) {
	if w.err == nil && w.done {
		w.err = errAborted
	}
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err = w.out.Write(p)
	w.err = inWords(w.key, err)
	return n, w.err
}

func (w *folderWriter) Close() error {
	return w.finish(func() error {
		return inWords(w.key, w.root.Rename(w.draft, w.name))
	})
}

// finish makes sure that the draft is on the disk, lets name give it its name, and
// makes sure of that.
func (w *folderWriter) finish(name func() error) error {
	if w.done {
		return errAborted
	}
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err == nil {
		w.err = inWords(w.key, w.out.Sync())
	}
	if w.err == nil {
		// Windows does not rename what is open.
		w.err = inWords(w.key, w.out.Close())
	}
	if w.err == nil {
		w.err = name()
	}
	if w.err == nil {
		w.err = inWords(w.key, syncFolder(w.root, filepath.Dir(w.name)))
	}
	w.end()
	return w.err
}

func (w *folderWriter) Abort() {
	if !w.done {
		w.end()
	}
}

// end removes the draft, if it is still there.
func (w *folderWriter) end() {
	w.done = true
	_ = w.out.Close() // perhaps once more
	if err := w.root.Remove(w.draft); err == nil {
		prune(w.root, filepath.Dir(w.draft))
	}
	w.root.Close()
}

func (f *folder) Publish(ctx context.Context, key string, data []byte) error {
	w, err := f.draft(ctx, key)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		w.Abort()
		return err
	}
	err = w.finish(func() error { return f.publish(w) })
	if errors.Is(err, fs.ErrExist) {
		if there, e := same(ctx, f, key, data); there && e == nil {
			return nil
		}
	}
	return err
}

// publish gives a draft its name unless another has it. On file systems without
// links a file of its own keeps others away meanwhile.
func (f *folder) publish(w *folderWriter) error {
	err := f.link(w.root, w.draft, w.name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return inWords(w.key, err)
	}
	claim := filepath.Join(filepath.Dir(w.name), claimBegin+filepath.Base(w.name))
	c, err := w.root.OpenFile(claim, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return MayPass(fmt.Errorf("%s: another is publishing it, or was when it was interrupted: %s", w.key, claim))
	}
	if err != nil {
		return inWords(w.key, err)
	}
	defer func() {
		_ = c.Close()
		_ = w.root.Remove(claim) // else it is rubbish
	}()
	if _, err := w.root.Lstat(w.name); err == nil {
		return fmt.Errorf("%s: %w", w.key, fs.ErrExist)
	}
	return inWords(w.key, w.root.Rename(w.draft, w.name))
}

// syncFolder makes sure that the names in a folder and those of the folders above it
// are on the disk.
func syncFolder(root *os.Root, name string) error {
	for {
		d, err := root.Open(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed since, so nothing is in it
		case err != nil:
			return err
		default:
			err = syncNames(d)
			_ = d.Close()
			if err != nil {
				return err
			}
		}
		if name == "." {
			return nil
		}
		name = filepath.Dir(name)
	}
}
