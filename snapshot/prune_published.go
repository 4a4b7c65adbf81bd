package snapshot

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"shark/snapshot/bucket"
)

// allPublished decides about what is published with the snapshots that stay.
func (p *pruner) allPublished(ctx context.Context, all []Listed) error {
	gone := make(map[string]bool)
	for i := range p.list {
		if x := &p.list[i]; x.Remove && !x.Rubbish {
			gone[x.ID] = true
		}
	}
	lists := make([][]Pruned, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loaders)
	for i := range all {
		if l := &all[i]; l.Manifest != nil && !gone[l.ID] {
			group.Go(func() (err error) {
				lists[i], err = p.published(ctx, l)
				return err
			})
		}
	}
	err := group.Wait()
	p.list = append(p.list, slices.Concat(lists...)...)
	return err
}

// published decides about what is published with a snapshot: indexes that are too old, and what a
// publish has left that nobody finished. Shares without an index are left: somebody may yet make
// one of them.
func (p *pruner) published(ctx context.Context, l *Listed) (list []Pruned, err error) {
	all := make(map[string][]bucket.Object) // by the name of the dissection, without the id
	for o, err := range p.s.files.List(ctx, l.ID+"/dissections/") {
		if err != nil {
			return nil, err
		}
		o.Key = o.Key[len(l.ID)+1:]
		if name, ok := dissectionOf(o.Key); ok {
			all[name] = append(all[name], o)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x, err := p.dissection(ctx, l, name, all[name])
		if err != nil {
			return nil, err
		}
		if x.Remove && l.Hold != nil {
			x.Remove, x.Why = false, "held "+l.Hold.String()
		}
		if x.Objects > 0 {
			list = append(list, x)
		}
	}
	return list, nil
}

// dissection decides about what is published under a name. With nothing to be removed, now or
// later, it has no objects.
func (p *pruner) dissection(ctx context.Context, l *Listed, name string, files []bucket.Object) (Pruned, error) {
	dir := dissectionPath(name)
	whole := Pruned{ID: l.ID, Path: strings.TrimSuffix(dir, "/"), Rubbish: true, Remove: true, Why: "a published index older than " + durationText(p.o.Indexes)}
	left := Pruned{ID: l.ID, Path: whole.Path, Rubbish: true, Remove: true, Why: "what a publish of an index has left"}
	known, found, err := p.own(ctx, l, dir, files)
	if err != nil {
		return left, err
	}
	for _, o := range files {
		whole.count(o)
		whole.keys = append(whole.keys, o.Key)
		if _, ok := parseShare(o.Key, o.Size); !ok && !known[o.Key] && validKey(o.Key) {
			left.count(o)
			left.keys = append(left.keys, o.Key)
		}
	}
	if found && p.o.Indexes > 0 && whole.Created.Before(p.o.Now.Add(-p.o.Indexes)) {
		// Its description goes first, and with it the index.
		whole.keys = slices.Insert(slices.DeleteFunc(whole.keys, func(key string) bool { return key == dir+dissectionName }), 0, dir+dissectionName)
		return whole, nil
	}
	left.orphans = found
	if !left.Created.Before(p.before) {
		left.Remove, left.Why = false, "no index yet, but somebody may be publishing it: younger than "+durationText(p.o.Age)
	}
	return left, nil
}

// own returns which files are those of the index that is published under a name, and whether
// there is one. All are, where its description cannot be read.
func (p *pruner) own(ctx context.Context, l *Listed, dir string, files []bucket.Object) (known map[string]bool, found bool, err error) {
	known = make(map[string]bool)
	if !slices.ContainsFunc(files, func(o bucket.Object) bool { return o.Key == dir+dissectionName }) {
		return known, false, nil
	}
	known[dir+dissectionName] = true
	text, err := bucket.ReadAll(ctx, p.s.files.Sub(l.ID), dir+dissectionName, maxDissection)
	if errors.Is(err, fs.ErrNotExist) { // it is being removed
		return known, false, nil
	}
	if err != nil && (bucket.Temporary(err) || ctx.Err() != nil) {
		return nil, false, err
	}
	var d *Dissection
	if err == nil {
		d, err = describe(text, l.digest)
	}
	if err != nil {
		for _, o := range files {
			known[o.Key] = true
		}
		return known, true, nil //nolint:nilerr // whatever it is, it is nobody's rubbish
	}
	known[dir+d.Shards[0].Path], known[dir+d.Shards[0].Sums] = true, true
	return known, true, nil
}

// removePublished removes what is published, unless a hold came, or an index that has it.
func removePublished(ctx context.Context, files bucket.Bucket, x *Pruned) error {
	if err := unheld(ctx, files); err != nil {
		return err
	}
	if description := x.Path + "/" + dissectionName; x.keys[0] != description {
		if _, err := files.Stat(ctx, description); !errors.Is(err, fs.ErrNotExist) && !x.orphans {
			return cmp.Or(err, errors.New("an index is published there by now"))
		}
	}
	for _, key := range x.keys {
		if err := files.Remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
