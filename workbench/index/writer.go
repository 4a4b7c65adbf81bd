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
	// over all shards; 0 is 64 MiB. A shard may hold 1 MiB whatever the bound.
	Memory int
	// Resolver says who owned the addresses; nil when the input does not tell.
	Resolver Resolver
}

// Writer writes one database.
type Writer struct {
	path   string
	dir    string // everything unfinished, beside path
	opts   Options
	serial atomic.Int64
	count  atomic.Int64 // shards

	mu     sync.Mutex
	shards []*Shard
	runs   []string
}

// Create begins a database that Finish will put at path. Until then everything
// stands in a folder of its own beside path.
func Create(path string, opts Options) (*Writer, error) {
	if opts.Schema == nil {
		return nil, errors.New("an index without a schema")
	}
	opts.Memory = cmp.Or(opts.Memory, defaultMemory)
	dir, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-")
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", path, err)
	}
	return &Writer{path: path, dir: dir, opts: opts}, nil
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
// of what had the name before. No shard may be used any more. On an error, such
// as a full disk or the end of ctx, nothing is left.
func (w *Writer) Finish(ctx context.Context, m Meta) error {
	err := w.finish(ctx, m)
	if err = errors.Join(err, w.Abort()); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("index %s: %w", w.path, err)
	}
	return nil
}

func (w *Writer) finish(ctx context.Context, m Meta) error {
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
		return errors.Join(err, rows.close())
	}
	if err := rows.finish(); err != nil {
		return err
	}
	if err := syncFile(tmp); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Rename(tmp, w.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(w.path))
}

// fill merges the shards into the tables.
func (w *Writer) fill(ctx context.Context, rows *tables, m *Meta) error {
	sources, err := w.sources(ctx)
	if err != nil {
		return err
	}
	f := filler{schema: w.opts.Schema, rows: rows, ends: newEndpoints(w.opts.Resolver, rows)}
	if err := merge(ctx, sources, f.row); err != nil {
		return err
	}
	m.Entries, m.First, m.Last = f.id, f.first, f.last
	return w.opts.Schema.writeMeta(rows, m)
}

// filler turns merged rows into the rows of the tables.
type filler struct {
	schema      *Schema
	rows        *tables
	ends        *endpoints
	id          int64
	first, last int64
	rec         record
	cells       []cell
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
	f.entry(r, src, dst)
	if err := f.rows.insert(tableEntries, f.id, f.cells); err != nil {
		return err
	}
	for _, own := range r.fields {
		if err := f.rows.insertRow(own.table, f.id, own.row); err != nil {
			return err
		}
	}
	f.ends.names.read(r)
	if n := r.num[numPackets]; n > 0 {
		return f.rows.insert(tableConnections, f.id, []cell{intCell(int64(r.conn)), intCell(n), blobCell(r.packets)})
	}
	return nil
}

// entry sets the columns of the table entries, in their order.
func (f *filler) entry(r *record, src, dst int64) {
	n := &r.num
	seen := func(bit int64) cell { return boolCell(n[numBits]&bit != 0) }
	unless := func(absent bool, v int64) cell {
		if absent {
			return cell{}
		}
		return intCell(v)
	}
	text := func(b []byte) cell { return cell{kind: cellText, b: b} }
	f.cells = append(f.cells[:0],
		intCell(r.time), intCell(r.time+n[numDuration]), unless(n[numElapsed] < 0, n[numElapsed]), unless(n[numFirstByte] < 0, n[numFirstByte]),
		intCell(n[numProtocol]), intCell(n[numFlags]), intCell(src), intCell(dst), intCell(n[numSrcPort]), intCell(n[numDstPort]),
		intCell(n[numTransport]), intCell(int64(r.conn)), intCell(n[numGroup]), intCell(int64(r.index)),
		text(r.operation), text(r.summary), text(r.status), intCell(n[numStatusCode]), seen(bitFailed),
		unless(n[numBits]&bitRequest == 0, n[numRequestSize]), unless(n[numBits]&bitResponse == 0, n[numResponseSize]),
		seen(bitRequest), seen(bitResponse), seen(bitOneWay),
		intCell(n[numMarks]), intCell(n[numLost]), intCell(int64(r.first)), intCell(n[numLast]),
		intCell(n[numVLAN]), intCell(n[numTunnel]), intCell(n[numTunnelID]), intCell(n[numInterface]),
	)
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
