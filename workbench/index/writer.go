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

	mu     sync.Mutex
	shards []*Shard
	runs   []string
}

// Create begins a database. Until Finish gives it its name everything stands in a
// folder of its own in dir.
func Create(dir string, opts Options) (*Writer, error) {
	if opts.Schema == nil {
		return nil, errors.New("an index without a schema")
	}
	opts.Memory = cmp.Or(opts.Memory, defaultMemory)
	tmp, err := os.MkdirTemp(dir, ".index.tmp-")
	if err != nil {
		return nil, fmt.Errorf("folder of the index: %w", err)
	}
	return &Writer{dir: tmp, opts: opts}, nil
}

// Shard returns a sink for one worker.
func (w *Writer) Shard() *Shard {
	s := &Shard{w: w, enc: encoder{schema: w.opts.Schema, dns: w.opts.Schema.dnsFields()}}
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
	sorting.Wait()
	tmp := filepath.Join(w.dir, "index.db")
	rows, err := w.createTables(ctx, tmp)
	if err != nil {
		return err
	}
	if err := w.fill(ctx, rows, &m); err != nil {
		cause := rows.abort()
		if errors.Is(err, errStopped) {
			return cause
		}
		return errors.Join(err, cause)
	}
	if err := rows.finish(); err != nil {
		return err
	}
	if err := seal(tmp); err != nil {
		return err
	}
	if err := syncFile(tmp); err != nil {
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

// fill merges the shards into the tables.
func (w *Writer) fill(ctx context.Context, rows *tables, m *Meta) error {
	sources, err := w.sources(ctx)
	if err != nil {
		return err
	}
	f := filler{
		schema: w.opts.Schema, rows: rows, ends: newEndpoints(w.opts.Resolver, rows),
		links: links{rows: rows, ids: make(map[linkKey]int64)},
	}
	if err := merge(ctx, sources, f.row); err != nil {
		return err
	}
	if err := w.fillWords(rows); err != nil {
		return err
	}
	m.Entries, m.First, m.Last = f.id, f.first, f.last
	return w.opts.Schema.writeMeta(rows, m)
}

// fillWords writes the words that every index has, and those of all shards. A
// partition's are all in one of them.
func (w *Writer) fillWords(rows *tables) error {
	for i, text := range static {
		if err := rows.insert(tableWords, int64(firstStatic+i), []cell{textCell(text)}); err != nil {
			return err
		}
	}
	for p := range dissector.Partitions {
		for _, s := range w.shards {
			v := s.enc.words[p]
			if v == nil {
				continue
			}
			for i, text := range v.texts {
				if err := rows.insert(tableWords, v.first+int64(i), []cell{textCell(text)}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// filler turns merged rows into the rows of the tables.
type filler struct {
	schema      *Schema
	rows        *tables
	ends        *endpoints
	links       links
	id          int64
	first, last int64
	rec         record
}

func (f *filler) row(row []byte) error {
	r := &f.rec
	if err := f.schema.decode(row, r); err != nil {
		return err
	}
	f.id++
	if f.id == 1 {
		f.first = r.time
	}
	f.last = r.time
	f.ends.names.until(r.time)
	src, err := f.ends.id(r.src, r.time)
	if err != nil {
		return err
	}
	dst, err := f.ends.id(r.dst, r.time)
	if err != nil {
		return err
	}
	l := readLink(r.link, r.conn)
	id, err := f.links.id(&l, src, dst)
	if err != nil {
		return err
	}
	if err := f.rows.insertEntry(f.id, id, r.types, r.values); err != nil {
		return err
	}
	for _, own := range r.rows {
		if err := f.rows.insertRow(own.table, f.id, own.row); err != nil {
			return err
		}
		if own.table == tableConnections {
			if err := f.rows.note(tableConnections, connectionsConn, int64(r.conn), f.id); err != nil {
				return err
			}
		}
	}
	f.ends.names.read(r)
	return nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return cmp.Or(f.Sync(), f.Close())
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
