package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"sync"
	"time"

	"modernc.org/sqlite/vfs"
)

// File is a finished database that lies elsewhere. What is read of it is known to be what
// was written.
type File interface {
	// ReadAt fills p from byte at on. It ends with io.EOF if the file has fewer bytes.
	ReadAt(ctx context.Context, p []byte, at int64) (int, error)
	// Ahead reads what will be asked for: ranges, each [from, to) in bytes, all at once. It
	// may read less.
	Ahead(ctx context.Context, ranges [][2]int64) error
	Size() int64
	String() string // its location, for messages
}

// OpenAt opens a database that is read where it lies, page by page. It may come from a
// stranger, as with Open, but it is not read through: its bytes are File's to check. The
// guide is from Gather and may be missing.
func OpenAt(ctx context.Context, f File, guide []byte, schema *Schema) (*DB, error) {
	db := &DB{path: f.String(), file: f, guide: readGuide(guide), schema: schema}
	err := db.openAt(ctx)
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", db.path, err)
	}
	return db, nil
}

func (db *DB) openAt(ctx context.Context) error {
	var h [headerSize]byte
	if _, err := db.file.ReadAt(ctx, h[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := checkMarks(&h); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(h[sizeOffset:])) * pageSize
	if size != db.file.Size() {
		return fmt.Errorf("%w: it has %d bytes and should have %d", ErrNotIndex, db.file.Size(), size)
	}
	err := db.file.Ahead(ctx, db.guide.Common)
	if err != nil {
		return err
	}
	if db.vfs, err = registered(); err != nil {
		return err
	}
	return db.begin(ctx, false)
}

// registered registers with SQLite, once for the whole program, what reads Files.
var registered = sync.OnceValues(func() (string, error) {
	name, _, err := vfs.New(&remotes)
	return name, err
})

// remotes are the files that connections are reading, by the names under which SQLite
// opens them.
var remotes handles

type handles struct {
	mu   sync.Mutex
	last uint64
	open map[string]*handle
}

// handle is a file as one connection reads it.
type handle struct {
	file File
	name string

	ctx context.Context // of the query that runs
	at  int64
	err error // why the last read failed
}

// add gives a file a name.
func (h *handles) add(ctx context.Context, f File) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	x := &handle{file: f, name: strconv.FormatUint(h.last, 10), ctx: ctx}
	if h.open == nil {
		h.open = make(map[string]*handle)
	}
	h.open[x.name] = x
	return x
}

func (h *handles) remove(x *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, x.name)
}

// Open implements fs.FS. SQLite asks for journals, too, of which there are none.
func (h *handles) Open(name string) (fs.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x := h.open[name]; x != nil {
		return x, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// Seek implements io.Seeker.
func (x *handle) Seek(at int64, _ int) (int64, error) {
	x.at = at
	return at, nil
}

// Read implements fs.File.
func (x *handle) Read(p []byte) (int, error) {
	n, err := x.file.ReadAt(x.ctx, p, x.at)
	x.at += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		x.err = err
	}
	return n, err
}

// Stat implements fs.File.
func (x *handle) Stat() (fs.FileInfo, error) { return fileInfo{x}, nil }

// Close implements fs.File.
func (x *handle) Close() error { return nil }

// fileInfo describes a file to SQLite, which asks for the size alone.
type fileInfo struct{ x *handle }

func (i fileInfo) Name() string       { return i.x.name }
func (i fileInfo) Size() int64        { return i.x.file.Size() }
func (i fileInfo) Mode() fs.FileMode  { return 0o400 }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }
