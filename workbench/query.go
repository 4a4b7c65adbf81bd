package workbench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"shark/dissector/field"
	"shark/kfl"
	"shark/workbench/index"
)

// Query asks for entries.
type Query struct {
	KFL      string // empty: all
	From, To When   // entries that begin in [From, To); zero: no limit
	Limit    int    // 0: all
	Newest   bool   // newest first
	After    int64  // only entries that come after this id in the order asked for
}

// Answer is the entries that a query found, to be read once, and their coverage.
type Answer struct {
	Rows     iter.Seq2[*index.Row, error]
	Coverage Coverage
	// Hints say what probably was not meant; when the rows have been read, also on
	// how many entries the query could not be decided.
	Hints []string
	// Pause is called, if it is set, when all that was found so far has been read, and more may
	// be found later.
	Pause func()
}

// Query answers a query.
func (e *Evidence) Query(ctx context.Context, q Query) (*Answer, error) {
	parts, plan, err := e.ask(ctx, q, needCalls)
	if err != nil {
		return nil, err
	}
	opts, err := e.options(parts, q)
	if err != nil {
		return nil, err
	}
	var u undecided
	opts.Undecided = u.add
	a := &Answer{Coverage: e.asked(parts, opts), Hints: slices.Clone(plan.Hints)}
	a.Rows = func(yield func(*index.Row, error) bool) {
		u = undecided{}
		parts.query(ctx, plan, opts)(yield)
		a.Hints = slices.Concat(plan.Hints, u.hints())
	}
	return a, nil
}

// undecided counts entries on which a query could not be evaluated.
type undecided struct {
	n     int64
	first error
}

func (u *undecided) add(_ int64, err error) {
	if u.n++; u.first == nil {
		u.first = err
	}
}

func (u *undecided) hints() []string {
	if u.n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s left out, for which the query has no answer, such as: %v", Count(u.n, "entries"), u.first)}
}

// Explain tells how a query is answered.
func (w *Workbench) Explain(expr string) (string, error) {
	plan, err := w.compile(expr)
	if err != nil {
		return "", err
	}
	return plan.Explain(), nil
}

// JSON returns what writes entries as JSON objects of some fields, all when none
// is given.
func (w *Workbench) JSON(fields ...*field.Field) *index.Encoder { return w.schema.JSON(fields...) }

// compile makes a plan of an expression.
func (w *Workbench) compile(expr string) (*kfl.Plan, error) {
	plan, err := w.env.Compile(expr, w.cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return plan, nil
}

// compile makes a plan of an expression, which hints at protocols that nobody looked for: without
// that an empty answer would be taken for one.
func (e *Evidence) compile(ctx context.Context, expr string) (*kfl.Plan, error) {
	plan, err := e.w.compile(expr)
	if err != nil {
		return nil, err
	}
	hints, err := e.unsought(ctx, plan)
	if err != nil {
		return nil, err
	}
	plan.Hints = append(plan.Hints, hints...)
	return plan, nil
}

// unsought are the protocols that a plan asks for and the evidence is not, or an index database
// was not, dissected for.
func (e *Evidence) unsought(ctx context.Context, plan *kfl.Plan) (hints []string, err error) {
	choice, hint := &e.w.choice, "%s is not looked for, so there is no entry of it: --protocols +%[1]s adds it"
	if e.given != "" {
		x, err := e.index(ctx)
		if err != nil {
			return nil, err
		}
		if choice = x.choice; choice == nil {
			return nil, nil
		}
		hint = "%s was not looked for, so there is no entry of it: dissect the packets anew with --protocols +%[1]s"
	}
	for _, name := range choice.lacks(e.w.catalogue, plan.AllFields()) {
		hints = append(hints, fmt.Sprintf(hint, name))
	}
	return hints, nil
}

// plan compiles first, since that is quick, and dissects then, if need be, all there is.
func (e *Evidence) plan(ctx context.Context, expr string) (*opened, *kfl.Plan, error) {
	plan, err := e.compile(ctx, expr)
	if err != nil {
		return nil, nil, err
	}
	x, err := e.index(ctx)
	if err != nil {
		return nil, nil, err
	}
	return x, plan, nil
}

// options checks the window asked for against the one there is.
func (e *Evidence) options(parts asked, q Query) (index.QueryOptions, error) {
	c := e.coverageOf(parts)
	return e.optionsIn(q, c.From, c.To)
}

// optionsIn is options for what was recorded from first to last.
func (e *Evidence) optionsIn(q Query, first, last time.Time) (index.QueryOptions, error) {
	o := index.QueryOptions{Limit: q.Limit, Newest: q.Newest, After: q.After}
	if q.Limit < 0 {
		return o, usage("a limit of %d entries makes no sense", q.Limit)
	}
	from, to, err := e.window(q.From, q.To, first, last)
	if err != nil {
		return o, err
	}
	if !from.IsZero() {
		o.From = nanos(from)
	}
	if !to.IsZero() {
		o.To = nanos(to)
	}
	return o, nil
}

// asked is the coverage of an answer about the window from options.
func (e *Evidence) asked(parts asked, o index.QueryOptions) Coverage {
	return e.coverageOf(parts).about(o)
}

// about returns c as the coverage of an answer about the window of o.
func (c Coverage) about(o index.QueryOptions) Coverage {
	var from, to time.Time
	if o.From != 0 {
		from = time.Unix(0, o.From)
	}
	if o.To != 0 {
		to = time.Unix(0, o.To)
	}
	return c.within(from, to)
}

// Stats asks for aggregates.
type Stats struct {
	Query
	By []string // fields to group by; none: one group of all
}

// Stats answers an aggregate.
func (e *Evidence) Stats(ctx context.Context, q Stats) ([]index.Group, []*field.Field, Coverage, error) {
	by := make([]*field.Field, len(q.By))
	for i, name := range q.By {
		if by[i] = e.w.catalogue.Lookup(name); by[i] == nil {
			return nil, nil, Coverage{}, usage("there is no field %q; shark fields lists them", name)
		}
	}
	parts, plan, err := e.ask(ctx, q.Query, needCalls)
	if err != nil {
		return nil, nil, Coverage{}, err
	}
	opts, err := e.options(parts, q.Query)
	if err != nil {
		return nil, nil, Coverage{}, err
	}
	limit := opts.Limit
	opts.Limit = 0
	var u undecided
	opts.Undecided = u.add
	groups, err := parts.stats(ctx, e.w, plan, opts, by)
	if errors.Is(err, index.ErrGroups) {
		return nil, nil, Coverage{}, usage("%w: group by fewer or coarser fields", err)
	}
	if err != nil {
		return nil, nil, Coverage{}, err
	}
	if limit > 0 && len(groups) > limit {
		groups = groups[:limit]
	}
	c := e.asked(parts, opts)
	c.recorded(slices.Concat(plan.Hints, u.hints()), false)
	return groups, by, c, nil
}

// Functions lists what expressions may use besides fields.
func (w *Workbench) Functions() []kfl.Function { return kfl.Functions() }
