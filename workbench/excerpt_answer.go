package workbench

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"shark/dissector/field"
	"shark/kfl"
	"shark/workbench/index"
)

// The choices of Config.Partial.
const (
	PartialAuto   = "auto"   // where the snapshot is not small, and it saves much
	PartialAlways = "always" // wherever it is possible
	PartialNever  = "never"
)

// askedPart is a part of an answer: the entries of an index that begin in [from, to), where
// 0 is no limit.
type askedPart struct {
	x        *opened
	from, to int64
}

// asked is what a query is put to: parts in their order of time.
type asked []askedPart

// ask compiles a query and provides what it is put to, dissecting what is missing: an
// excerpt if that is enough, else all.
func (e *Evidence) ask(ctx context.Context, q Query, need need) (asked, *kfl.Plan, error) {
	plan, err := e.compile(ctx, q.KFL)
	if err != nil {
		return nil, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	parts, err := e.askPlan(ctx, plan, q, need)
	return parts, plan, err
}

// askEarly is ask for who is given what is found meanwhile, too.
func (e *Evidence) askEarly(ctx context.Context, t *early) (asked, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.early = t
	defer func() { e.early = nil }()
	return e.askPlan(ctx, t.plan, t.q, needCalls)
}

// askPlan is ask with the lock held.
func (e *Evidence) askPlan(ctx context.Context, plan *kfl.Plan, q Query, need need) (asked, error) {
	if e.snapshot != nil {
		parts, err := e.partly(ctx, plan, q, need)
		if err != nil || parts != nil {
			return parts, err
		}
	}
	x, err := e.indexLocked(ctx)
	if err != nil {
		return nil, err
	}
	return asked{{x: x}}, nil
}

// partly provides the excerpt for a query on a snapshot that was not dissected; nil when it
// was, or has to be.
func (e *Evidence) partly(ctx context.Context, plan *kfl.Plan, q Query, need need) (asked, error) {
	if e.opened != nil {
		return nil, nil
	}
	sum := e.startDigest(ctx)
	defer sum.stop()
	var d Dissected
	if err := e.find(sum, DissectOptions{}, &d); err != nil || d.Cached {
		return nil, err
	}
	if published, err := e.fetch(ctx, sum, DissectOptions{}, &d); published || err != nil {
		return nil, err
	}
	want, err := e.wanted(ctx, plan, q, need)
	if want == nil || err != nil {
		return nil, err
	}
	return e.provide(ctx, want)
}

// indexOfEntry opens the index that has an entry, by its id.
func (e *Evidence) indexOfEntry(ctx context.Context, id int64) (*opened, error) {
	number := id / idsPerExcerpt
	if number <= 0 || e.snapshot == nil {
		return e.index(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	source, dir, err := e.excerptFolder(ctx)
	if err != nil {
		return nil, err
	}
	path := excerptPath(dir, number)
	if x := e.excerpts[path]; x != nil {
		return x, nil
	}
	x, err := e.load(path, source)
	if err != nil || x.account.Excerpt == nil {
		return nil, fmt.Errorf("entry %d is of an excerpt that is not in the cache any more: put the query again that found it, which gives it the same id: %w", id, ErrNotFound)
	}
	e.excerpts[path] = x
	return x, nil
}

// query yields the entries that a plan selects, in order.
func (a asked) query(ctx context.Context, plan *kfl.Plan, opts index.QueryOptions) iter.Seq2[*index.Row, error] {
	parts := slices.Clone(a)
	if opts.Newest {
		slices.Reverse(parts)
	}
	if after := slices.IndexFunc(parts, func(p askedPart) bool { return p.x.db.Has(opts.After) }); after > 0 {
		parts = parts[after:]
	}
	return func(yield func(*index.Row, error) bool) {
		rest := opts
		for _, p := range parts {
			o := rest
			o.From, o.To = p.clip(o.From, o.To)
			for row, err := range p.x.db.Query(ctx, plan, o) {
				if !yield(row, err) || err != nil {
					return
				}
				if rest.Limit == 1 {
					return
				}
				rest.Limit = max(rest.Limit-1, 0)
			}
			rest.After = 0
		}
	}
}

// clip narrows a time to that of the part.
func (p *askedPart) clip(from, to int64) (int64, int64) {
	if p.from != 0 && (from == 0 || from < p.from) {
		from = p.from
	}
	if p.to != 0 && (to == 0 || to > p.to) {
		to = p.to
	}
	return from, to
}

// stats groups the entries that a plan selects.
func (a asked) stats(ctx context.Context, w *Workbench, plan *kfl.Plan, opts index.QueryOptions, by []*field.Field) ([]index.Group, error) {
	opts.Fields = w.schema.StatsFields(by...)
	return index.Aggregate(a.query(ctx, plan, opts), by...)
}

// coverageOf tells of all that an answer is from.
func (e *Evidence) coverageOf(a asked) Coverage {
	c := e.coverage(a[0].x)
	for _, p := range a[1:] {
		c.join(e.coverage(p.x))
	}
	return c
}

// join adds the coverage of another part.
func (c *Coverage) join(o Coverage) {
	c.Packets, c.Bytes = c.Packets+o.Packets, c.Bytes+o.Bytes
	c.Partial, c.Unsound = c.Partial || o.Partial, c.Unsound || o.Unsound
	for how, n := range o.TLS {
		if c.TLS == nil {
			c.TLS = make(map[string]int64)
		}
		c.TLS[how] += n
	}
	for _, d := range o.Damage {
		if !slices.Contains(c.Damage, d) {
			c.Damage = append(c.Damage, d)
		}
	}
	for _, n := range o.Notes {
		if !slices.Contains(c.Notes, n) {
			c.Notes = append(c.Notes, n)
		}
	}
}

// partialOf checks the choice.
func partialOf(choice string) (string, error) {
	switch choice {
	case "":
		return PartialAuto, nil
	case PartialAuto, PartialAlways, PartialNever:
		return choice, nil
	}
	return "", usage("--partial %s: it is %s, %s or %s", choice, PartialAuto, PartialAlways, PartialNever)
}
