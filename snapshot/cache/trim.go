package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Usage is what a cache holds.
type Usage struct {
	Parts      int64     `json:"parts"` // of what was read of buckets
	PartBytes  int64     `json:"part_bytes"`
	Indexes    int64     `json:"indexes"` // index databases
	IndexBytes int64     `json:"index_bytes"`
	Rows       int64     `json:"dissected_parts"` // of snapshots, of which index databases are made
	RowBytes   int64     `json:"dissected_part_bytes"`
	Left       int64     `json:"unfinished"` // files and folders of programs that are at work, or were killed
	LeftBytes  int64     `json:"unfinished_bytes"`
	Oldest     time.Time `json:"oldest,omitzero"` // last use of what was not used for the longest time
}

// Bytes is how many there are in all.
func (u *Usage) Bytes() int64 { return u.PartBytes + u.IndexBytes + u.RowBytes + u.LeftBytes }

// kind is what a file or folder of the cache is.
type kind int

const (
	part kind = iota
	database
	rows
	left
)

// item is what is kept, or removed, as one.
type item struct {
	path string
	kind kind
	size int64
	used time.Time
}

// Usage looks what there is. What cannot be looked at is not counted.
func (c *Cache) Usage() Usage {
	var u Usage
	if c == nil {
		return u
	}
	for _, x := range c.items() {
		switch x.kind {
		case part:
			u.Parts, u.PartBytes = u.Parts+1, u.PartBytes+x.size
		case database:
			u.Indexes, u.IndexBytes = u.Indexes+1, u.IndexBytes+x.size
		case rows:
			u.Rows, u.RowBytes = u.Rows+1, u.RowBytes+x.size
		case left:
			u.Left, u.LeftBytes = u.Left+1, u.LeftBytes+x.size
		}
		if u.Oldest.IsZero() || x.used.Before(u.Oldest) {
			u.Oldest = x.used
		}
	}
	return u
}

// items lists what is in the cache, and nothing that others may have put into its folder.
func (c *Cache) items() []item {
	var list []item
	folders, _ := os.ReadDir(filepath.Join(c.dir, parts)) // none is an empty cache
	for _, f := range folders {
		if len(f.Name()) == 2 && f.IsDir() {
			list = append(list, itemsOf(filepath.Join(c.dir, parts, f.Name()), func(name string) (kind, bool) {
				return part, len(name) == 2*len(Sum{})
			})...)
		}
	}
	databases := func(name string) (kind, bool) { return database, strings.HasSuffix(name, indexSuffix) }
	dir := filepath.Join(c.dir, Indexes)
	list = append(list, itemsOf(dir, func(name string) (kind, bool) {
		if strings.HasSuffix(name, RowsSuffix) {
			return rows, true
		}
		return databases(name)
	})...)
	folders, _ = os.ReadDir(dir)
	for _, f := range folders {
		if f.IsDir() && strings.HasSuffix(f.Name(), ExcerptsSuffix) {
			list = append(list, itemsOf(filepath.Join(dir, f.Name()), databases)...)
		}
	}
	return list
}

// itemsOf lists what is ours in a folder.
func itemsOf(dir string, ours func(string) (kind, bool)) (list []item) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		x := item{path: filepath.Join(dir, e.Name())}
		info, err := e.Info()
		if err != nil { // it is gone
			continue
		}
		x.size, x.used = info.Size(), info.ModTime()
		k, kept := ours(e.Name())
		switch {
		case info.Mode().IsRegular() && kept:
			x.kind = k
		case info.Mode().IsRegular() && strings.HasPrefix(e.Name(), newPrefix):
			x.kind = left
		case e.IsDir() && strings.HasPrefix(e.Name(), draftPrefix):
			x.kind = left
			x.measure()
		default:
			continue
		}
		list = append(list, x)
	}
	return list
}

// measure adds up the files of a folder, and finds when the last of them was written to.
func (x *item) measure() {
	x.size = 0
	_ = filepath.WalkDir(x.path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it is gone
		}
		if info, err := d.Info(); err == nil {
			if info.Mode().IsRegular() {
				x.size += info.Size()
			}
			if info.ModTime().After(x.used) {
				x.used = info.ModTime()
			}
		}
		return nil
	})
}

// Trim removes what killed programs have left, and then what was not used for the longest
// time until a sixteenth of the size is free. An index database that somebody has used
// within the hour stays. What cannot be removed stays, too.
func (c *Cache) Trim() {
	if c == nil {
		return
	}
	now := c.now()
	list := c.items()
	total := int64(0)
	for _, x := range list {
		total += x.size
	}
	slices.SortFunc(list, func(a, b item) int { return a.used.Compare(b.used) })
	for i := range list {
		if x := &list[i]; x.kind == left && now.Sub(x.used) > abandoned && os.RemoveAll(x.path) == nil {
			total -= x.size
		}
	}
	if total <= c.size {
		return
	}
	for _, x := range list {
		if total <= c.size-c.size/share {
			return
		}
		if x.kind == left || x.kind == database && now.Sub(x.used) < inUse {
			continue
		}
		if os.Remove(x.path) == nil {
			total -= x.size
		}
	}
}

// Clear removes all that is there, whoever uses it: what programs are writing just now,
// too. It returns what it has removed.
func (c *Cache) Clear() (Usage, error) {
	if c == nil {
		return Usage{}, nil
	}
	before := c.Usage()
	err := errors.Join(os.RemoveAll(filepath.Join(c.dir, parts)), os.RemoveAll(filepath.Join(c.dir, Indexes)))
	return before, err
}
