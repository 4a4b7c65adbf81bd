package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"shark/dissector"
)

// Options are what a Writer works by.
type Options struct {
	Schema *Schema
	// Memory bounds the rows held before they are written as runs, in bytes,
	// over all shards; 0 is 40 MiB. A shard may hold 1 MiB whatever the bound.
	Memory int
	// Resolver says who owned the addresses; nil when the input does not tell.
	Resolver Resolver
}

// Writer writes one database.
type Writer struct {
	dir    string // everything unfinished
	opts   Options
	serial atomic.Int64
	count  atomic.Int64 // shards
	words  vocabularies

	mu     sync.Mutex
	shards []*Shard
	runs   []string
}

// Draft is how the names of folders begin in which databases are made.
const Draft = ".index.tmp-"

// Create begins a database. Until Finish gives it its name everything stands in a
// folder of its own in dir.
func Create(dir string, opts Options) (*Writer, error) {
	if opts.Schema == nil {
		return nil, errors.New("an index without a schema")
	}
	opts.Memory = cmp.Or(opts.Memory, defaultMemory)
	tmp, err := os.MkdirTemp(dir, Draft)
	if err != nil {
		return nil, fmt.Errorf("folder of the index: %w", err)
	}
	return &Writer{dir: tmp, opts: opts}, nil
}

// Shard returns a sink for one worker. Each may get entries of all partitions, but no
// two may get entries of one partition at the same time.
func (w *Writer) Shard() *Shard {
	s := &Shard{w: w, enc: encoder{schema: w.opts.Schema, words: &w.words, dns: w.opts.Schema.dnsFields()}}
	w.count.Add(1)
	w.mu.Lock()
	w.shards = append(w.shards, s)
	w.mu.Unlock()
	return s
}

// Abort removes all that was written. It is harmless after Finish.
func (w *Writer) Abort() error {
	w.shards, w.runs = nil, nil
	return os.RemoveAll(w.dir)
}

// Finish makes the database of all entries and gives it its name, in the place
// of what had the name before. It must be on the file system of Create's folder. No
// shard may be used any more. On an error, such as a full disk or the end of ctx,
// nothing is left.
func (w *Writer) Finish(ctx context.Context, path string, m Meta) error {
	err := w.finish(ctx, path, m)
	if err = errors.Join(err, w.Abort()); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("index %s: %w", path, err)
	}
	return nil
}

func (w *Writer) finish(ctx context.Context, path string, m Meta) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var sorting sync.WaitGroup
	for _, s := range w.shards {
		sorting.Go(s.sort)
	}
	tmp := filepath.Join(w.dir, "index.db")
	rows, err := w.createTables(ctx, tmp)
	sorting.Wait()
	if err != nil {
		return err
	}
	if err := w.fill(ctx, rows, &m); err != nil {
		return errors.Join(err, rows.abort())
	}
	if err := rows.finish(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename lasting. Windows has no such thing and needs none.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}

var _ dissector.Sink = (*Shard)(nil)
