package workbench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"shark/workbench/index"
)

// Publish puts the index of a snapshot beside it, dissecting first if need be: whoever asks
// the same version of shark about the snapshot is answered from there. Nothing is done when
// one is there already; published is false then.
func (e *Evidence) Publish(ctx context.Context) (d *Dissected, published bool, err error) {
	if e.snapshot == nil {
		return nil, false, usage("%s is no snapshot: an index database is published with one", e.Name)
	}
	d, err = e.Dissect(ctx, DissectOptions{})
	if err != nil || d.Fetched {
		return d, false, err
	}
	if len(e.scratch) > 0 {
		return d, false, fmt.Errorf("%s: some of its packets could not be read: the index is not published", e.Name)
	}
	source, err := e.digest(ctx, nil)
	if err != nil {
		return d, false, err
	}
	name := e.w.indexName(source)
	there, err := e.snapshot.Published(ctx, name)
	if err != nil || there && e.unusable == "" {
		return d, false, err
	}
	if there { // nobody can use it
		if err := e.snapshot.Unpublish(ctx, name); err != nil {
			return d, false, err
		}
	}
	if published, err = e.publish(ctx, name, d.Path); err != nil {
		return d, published, err
	}
	return d, published, e.snapshot.RemoveShares(ctx, name)
}

// publish puts the index at a path beside the snapshot, its tables in order.
func (e *Evidence) publish(ctx context.Context, name, path string) (published bool, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), index.Draft)
	if err != nil {
		return false, fmt.Errorf("publishing the index: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ordered := filepath.Join(dir, "index.db")
	guide, err := index.Gather(ctx, path, ordered)
	if err != nil {
		return false, err
	}
	return e.snapshot.Publish(ctx, name, "shark "+e.w.cfg.Version, ordered, guide, func(done, total int64) {
		e.w.cfg.Progress(Progress{Task: "publishing", Bytes: done, Total: total, Done: done == total})
	})
}

// fetch opens the index that was published with the snapshot by this version with these
// options, if there is one. One that cannot be used is noted.
func (e *Evidence) fetch(ctx context.Context, sum *digesting, o DissectOptions, d *Dissected) (found bool, err error) {
	if e.snapshot == nil || e.w.cfg.NoFetch || o.anew() || o.Output != "" {
		return false, nil
	}
	if err := sum.wait(); err != nil {
		return false, err
	}
	err = e.openPublished(ctx, sum.text)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		e.unusable = fmt.Sprintf("the index database that is published with it was not used: %v", err)
		return false, nil
	}
	d.Path, d.Cached, d.Fetched = e.opened.db.Path(), true, true
	e.account(d)
	return true, nil
}

// openPublished opens what was published.
func (e *Evidence) openPublished(ctx context.Context, source string) error {
	r, err := e.snapshot.Dissection(ctx, e.w.indexName(source))
	if err != nil {
		return err
	}
	db, err := index.OpenAt(ctx, r, r.Dissection.Shards[0].Guide, e.w.schema)
	if err != nil {
		return err
	}
	note := fmt.Sprintf("answered from the index database that %s published with it on %s, which no signature covers; --no-fetch dissects the packets",
		r.Dissection.Creator, r.Dissection.Created.UTC().Format(time.DateOnly))
	x, err := e.use(db, r.String(), source, note)
	if err == nil {
		e.opened = x
	}
	return err
}
