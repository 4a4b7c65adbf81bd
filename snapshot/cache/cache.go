// Package cache keeps on this machine's disk what was read of buckets: blocks and
// indexes of packets, identity logs, parts of index databases.
//
// In: bytes with their sum, which a manifest or an index tells. Out: the same bytes, as
// long as they are there. Whatever is read is compared with its sum, so the cache cannot
// answer wrongly; and nothing depends on it, so it never fails: what cannot be kept, for
// want of room, of rights or of a folder, is read from the bucket again.
//
// Several programs may use one folder. Files appear whole or not at all; what programs
// that were killed leave behind is removed after a day. The folder stays within its
// size, by what was not used for the longest time; of each program that fills it at the
// same time it may have a sixteenth more for a moment.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Sum is the first half of the SHA-256 of what is kept.
type Sum [16]byte

// SumOf returns the sum of data.
func SumOf(data []byte) Sum {
	whole := sha256.Sum256(data)
	return Sum(whole[:])
}

// ParseSum reads the sum that begins a SHA-256 in hexadecimal digits.
func ParseSum(digits string) (Sum, bool) {
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) < len(Sum{}) {
		return Sum{}, false
	}
	return Sum(b[:len(Sum{})]), true
}

// Indexes is the folder of index databases, which others make and which count here: one
// folder has one bound.
const Indexes = "index"

// ExcerptsSuffix is how the names of folders in it end that have index databases, too: of
// parts of what the one has that is called so otherwise.
const ExcerptsSuffix = ".excerpts"

// RowsSuffix is how the names of files in it end that have what was found of one part of a
// snapshot, of which index databases are made.
const RowsSuffix = ".rows"

const (
	// parts is the folder of what was read of buckets.
	parts = "parts"
	// indexSuffix and draftPrefix are how index databases are called, and what is to
	// become one.
	indexSuffix, draftPrefix = ".db", ".index.tmp-"
	// newPrefix is how files are called while they are written.
	newPrefix = ".new-"

	dirMode = 0o700
	// share is the part of the size that is written before the folder is looked through.
	share = 16
)

// How long what others may be busy with is left alone.
const (
	// abandoned is for how long nobody has written to what a killed program left behind.
	abandoned = 24 * time.Hour
	// inUse is for how long an index database counts as being asked: it is opened by its
	// name again whenever more questions come at once.
	inUse = time.Hour
)

// Cache is a folder of limited size. Nil keeps nothing. It may be used by several
// goroutines.
type Cache struct {
	dir  string
	size int64
	now  func() time.Time

	failed atomic.Bool // writing did: the disk is full, or not ours
	trim   sync.Mutex  // held while the folder is looked through
	fresh  atomic.Int64
	begun  atomic.Bool // the folder was looked through once
}

// New makes a cache of a folder, which need not exist, of at most size bytes. Without a
// folder or a size it keeps nothing.
func New(dir string, size int64) *Cache {
	if dir == "" || size <= 0 {
		return nil
	}
	return &Cache{dir: dir, size: size, now: time.Now}
}

// Size is how many bytes the cache may have.
func (c *Cache) Size() int64 {
	if c == nil {
		return 0
	}
	return c.size
}

// path is where what has a sum is kept.
func (c *Cache) path(sum Sum) string {
	name := hex.EncodeToString(sum[:])
	return filepath.Join(c.dir, parts, name[:2], name)
}

// Get returns the n bytes that have a sum, nil if they are not there. What is there and is
// something else is removed.
func (c *Cache) Get(sum Sum, n int64) []byte {
	if c == nil {
		return nil
	}
	path := c.path(sum)
	info, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	if info.Mode().IsRegular() && info.Size() == n { // of another size it would be read in vain
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		if SumOf(data) == sum {
			touch(path, info, c.now())
			return data
		}
	}
	_ = os.Remove(path) // it is written anew
	return nil
}

// recent is how old the time of the last use may get.
const recent = time.Minute

// touch notes that a file was used. Without rights to it, or with a disk that is full, it
// only counts as older than it is.
func touch(path string, info os.FileInfo, now time.Time) {
	if now.Sub(info.ModTime()) > recent {
		_ = os.Chtimes(path, now, now)
	}
}

// Used notes that an index database of the cache, or the rows of a part, were used.
func (c *Cache) Used(path string) {
	if c == nil {
		return
	}
	if info, err := os.Lstat(path); err == nil {
		touch(path, info, c.now())
	}
}

// Fits tells whether something of n bytes is kept: nothing may drive out most of the others.
func (c *Cache) Fits(n int64) bool { return c != nil && n <= c.size/share }

// Put keeps data, which has the sum. After it failed once nothing more is kept.
func (c *Cache) Put(sum Sum, data []byte) {
	if !c.Fits(int64(len(data))) || c.failed.Load() {
		return
	}
	path := c.path(sum)
	if err := Write(path, data); err != nil {
		c.failed.Store(true)
		return
	}
	c.Grown(int64(len(data)))
}

// Recall returns what Remember kept under a name, nil if it is not there.
func (c *Cache) Recall(name string) []byte {
	if c == nil {
		return nil
	}
	path := c.path(SumOf([]byte(name)))
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	n := len(Sum{})
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && len(data) >= n && SumOf(data[n:]) == Sum(data) {
		touch(path, info, c.now())
		return data[n:]
	}
	_ = os.Remove(path)
	return nil
}

// Remember keeps data of which no sum is known before it is read, with its own sum, under a
// name that tells it from all else: what is under a name never changes.
func (c *Cache) Remember(name string, data []byte) {
	sum := SumOf(data)
	c.Put(SumOf([]byte(name)), append(sum[:], data...))
}

// Grown tells that the folder has n bytes more, and makes room when they are many.
func (c *Cache) Grown(n int64) {
	if c == nil {
		return
	}
	if c.fresh.Add(n) < c.size/share && c.begun.Swap(true) {
		return
	}
	if c.trim.TryLock() { // else somebody else does it
		defer c.trim.Unlock()
		c.fresh.Store(0)
		c.Trim()
	}
}

// Write writes a small file so that it appears whole or not at all, and the folders above
// it. It is not safe against the loss of power: whoever reads it has to compare it with
// something.
func Write(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, newPrefix+"*")
	if os.IsNotExist(err) {
		if err = os.MkdirAll(dir, dirMode); err == nil {
			f, err = os.CreateTemp(dir, newPrefix+"*")
		}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what is left is removed with other rubbish
	}
	return err
}

// Has tells whether something is there that should have a sum. Get may still find that it
// does not.
func (c *Cache) Has(sum Sum) bool {
	if c == nil {
		return false
	}
	_, err := os.Lstat(c.path(sum))
	return err == nil
}
