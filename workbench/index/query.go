package index

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"shark/dissector/field"
	"shark/kfl"
)

// QueryOptions say which of the entries are asked for, and how.
type QueryOptions struct {
	Limit    int   // at most so many; 0 for all
	Newest   bool  // from the newest to the oldest, rather than by time
	From, To int64 // only entries that begin in [From, To), ns since 1970; 0 for no limit
	After    int64 // only entries that come after this id, in the order asked for; 0 for all
	IDs      []int64
	// Fields are those that will be read of every row: they come with it. Nil
	// stands for all that entries have in common. Others can be read as well,
	// for one more look-up a row and protocol.
	Fields []*field.Field
	// Undecided is told of each entry on which the filter could not be evaluated,
	// which therefore does not match; it may be nil.
	Undecided func(id int64, err error)
}

// Query yields the entries that plan selects, in order; all when it is nil. A Row
// is good until the next one. After an error there are no more rows.
func (db *DB) Query(ctx context.Context, plan *kfl.Plan, opts QueryOptions) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		if err := db.query(ctx, plan, opts, func(r *Row) bool { return yield(r, nil) }); err != nil {
			yield(nil, fmt.Errorf("index %s: %w", db.path, blamed(err)))
		}
	}
}

// query calls yield with each row until it returns false.
func (db *DB) query(ctx context.Context, plan *kfl.Plan, opts QueryOptions, yield func(*Row) bool) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if plan == nil {
		plan = new(kfl.Plan)
	}
	s, err := db.session(ctx)
	if err != nil {
		return err
	}
	defer db.release(s)
	defer func() {
		if err = s.told(err); err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	q, err := db.statement(s, plan, opts)
	if err != nil {
		return err
	}
	stmt, _, err := s.conn.PrepareTransient(q.list + q.rest + q.order)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Finalize() }() // an error was already told by Step
	if err := bind(stmt, 1, q.args); err != nil {
		return err
	}
	row := &Row{db: db, session: s, stmt: stmt, columns: q.columns}
	for n := 0; opts.Limit == 0 || n < opts.Limit; {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		row.id, row.flags, row.err = stmt.ColumnInt64(0), uint64(stmt.ColumnInt64(1)), nil
		ok := true
		if plan.Residual() {
			ok, err = plan.Match(row)
			if err != nil && row.err == nil && opts.Undecided != nil {
				opts.Undecided(row.id, err)
			}
		}
		if ok && row.err == nil {
			n++
			if !yield(row) {
				return nil
			}
		}
		if row.err != nil {
			return row.err
		}
	}
	return nil
}

// statement is a SELECT: the id, the flags, then a column for each spot.
type statement struct {
	list, rest, order string
	args              []any
	columns           columns
}

// statement makes the SELECT of a query.
func (db *DB) statement(s *session, plan *kfl.Plan, opts QueryOptions) (statement, error) {
	if err := db.ahead(s, plan, opts); err != nil {
		return statement{}, err
	}
	lo, hi, err := db.bounds(s, opts)
	if err != nil {
		return statement{}, err
	}
	q := statement{columns: make(columns, len(db.schema.tables))}
	var n need
	for _, x := range plan.SQLFields() {
		db.schema.add(&n, x)
	}
	var list strings.Builder
	list.WriteString("SELECT e.id, e.flags")
	for i, at := range db.wanted(plan, opts) {
		db.schema.addSpot(&n, at)
		q.columns.add(db.schema, at, i+2)
		list.WriteString(", " + db.schema.raw(at))
	}
	q.list = list.String()
	q.rest = db.schema.from(n) + " WHERE e.id >= ? AND e.id <= ?"
	q.order = " ORDER BY e.id"
	if opts.Newest {
		q.order += " DESC"
	}
	if plan.Where != "" {
		q.rest += " AND (" + plan.Where + ")"
	}
	q.args = append([]any{lo, hi}, plan.Args...)
	if opts.IDs != nil {
		ids, err := json.Marshal(opts.IDs)
		if err != nil {
			return statement{}, err
		}
		q.rest += " AND e.id IN (SELECT value FROM json_each(?))"
		q.args = append(q.args, string(ids))
	}
	return q, nil
}

// ahead has what a question about a time will read of a file that lies elsewhere read at
// once, as far as the guide tells: the entries of the time, and what those have that fulfil
// the condition.
func (db *DB) ahead(s *session, plan *kfl.Plan, opts QueryOptions) error {
	if db.guide == nil || opts.From == 0 && opts.To == 0 {
		return nil
	}
	lo, hi := int64(0), int64(math.MaxInt64)
	if opts.From != 0 {
		lo, _ = db.guide.between(opts.From)
	}
	if opts.To != 0 {
		if _, after := db.guide.between(opts.To); after != 0 {
			hi = after
		}
	}
	var ranges [][2]int64
	for _, name := range db.schema.tablesOf(plan) {
		if r, ok := db.guide.rows(name, lo, hi, maxAhead); ok {
			ranges = append(ranges, r)
		}
	}
	return db.file.Ahead(s.handle.ctx, ranges)
}

// tablesOf are the tables that have what is surely read of the entries that a plan selects:
// their own, and those of protocols of which each has one.
func (s *Schema) tablesOf(plan *kfl.Plan) []string {
	out := []string{s.tables[tableEntries].name}
	for _, flags := range plan.Prove(func(*field.Field) kfl.Side { return kfl.NoSide }).Flags {
		for _, p := range s.protocols {
			if !slices.Contains(flags, p.Name) {
				continue
			}
			for _, f := range p.Fields {
				if at, ok := s.stored[f]; ok && !slices.Contains(out, s.tables[at.table].name) {
					out = append(out, s.tables[at.table].name)
				}
			}
		}
	}
	return out
}

// wanted lists the columns to fetch with each row: what the residual reads and
// what was asked for. A filter that may drop most rows fetches no more than that;
// the rest is looked up for the rows that stay.
func (db *DB) wanted(plan *kfl.Plan, opts QueryOptions) []spot {
	var out []spot
	add := func(x *field.Field) {
		for x.From != nil {
			x = x.From
		}
		if p := db.schema.place(x); p.way == wayColumn && !slices.Contains(out, p.at) {
			out = append(out, p.at)
		}
	}
	if plan.Residual() {
		for _, x := range plan.Fields() {
			add(x)
		}
	} else if opts.Fields == nil {
		for _, x := range db.schema.catalogue.Fields() {
			if db.schema.place(x).at.table == tableEntries {
				add(x)
			}
		}
	}
	for _, x := range opts.Fields {
		add(x)
	}
	return out
}

// bounds turns times into ids, which are in the order of time.
func (db *DB) bounds(s *session, opts QueryOptions) (lo, hi int64, err error) {
	lo, hi = db.meta.Before+1, db.meta.Before+db.meta.Entries
	if opts.From != 0 {
		if lo, err = db.firstAt(s.conn, opts.From); err != nil {
			return 0, 0, err
		}
	}
	if opts.To != 0 {
		n, err := db.firstAt(s.conn, opts.To)
		if err != nil {
			return 0, 0, err
		}
		hi = n - 1
	}
	if opts.After != 0 && opts.Newest {
		hi = min(hi, opts.After-1)
	} else if opts.After != 0 {
		lo = max(lo, opts.After+1)
	}
	return lo, hi, nil
}

// Has tells whether an entry's id is one of the database's.
func (db *DB) Has(id int64) bool {
	return id > db.meta.Before && id <= db.meta.Before+db.meta.Entries
}

// firstAt returns the id of the first entry that begins at t or later, one above all when
// there is none. From afar each look may be a request, so it looks three times where t
// should be if entries came equally fast, then ever farther from the end that is nearer in
// time, until it halves what is left.
func (db *DB) firstAt(conn *sqlite.Conn, t int64) (int64, error) {
	lo, hi := db.meta.Before+1, db.meta.Before+db.meta.Entries+1 // it is one of these or between them
	before, after := db.meta.First, db.meta.Last
	var guesses []int64
	if db.guide != nil {
		early, late := db.guide.between(t)
		guesses = []int64{early, late}
	}
	for n, step := 0, int64(16); lo < hi; n++ {
		mid := lo + (hi-lo)/2
		switch {
		case n < len(guesses) && lo <= guesses[n] && guesses[n] < hi:
			mid = guesses[n]
		case n < 3+len(guesses) && before < t && t < after:
			share := float64(t-before) / float64(after-before)
			mid = min(lo+int64(share*float64(hi-lo)), hi-1)
		case t-before < after-t:
			mid, step = min(mid, lo+step), 4*step
		default:
			mid, step = max(mid, hi-1-step), 4*step
		}
		var ts int64
		if err := query(conn, `SELECT ts FROM entries WHERE id = ?`, func(r *sqlite.Stmt) error {
			ts = r.ColumnInt64(0)
			return nil
		}, mid); err != nil {
			return 0, err
		}
		if ts < t {
			lo, before = mid+1, ts
		} else {
			hi, after = mid, ts
		}
	}
	return lo, nil
}

// Entry calls visit with one entry, or returns ErrNotFound. The Row is good until
// visit returns.
func (db *DB) Entry(ctx context.Context, id int64, visit func(*Row) error) error {
	var err error
	found := false
	for row, fault := range db.Query(ctx, nil, QueryOptions{IDs: []int64{id}}) {
		if fault != nil {
			return fault
		}
		found = true
		err = visit(row)
	}
	if !found {
		return fmt.Errorf("index %s: entry %d: %w", db.path, id, ErrNotFound)
	}
	return err
}

// Count returns how many entries a query has; Limit bounds it.
func (db *DB) Count(ctx context.Context, plan *kfl.Plan, opts QueryOptions) (int64, error) {
	if (plan == nil || !plan.Residual()) && opts.Limit == 0 {
		return db.count(ctx, plan, opts)
	}
	opts.Fields = []*field.Field{}
	var n int64
	for _, err := range db.Query(ctx, plan, opts) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// count lets SQLite count.
func (db *DB) count(ctx context.Context, plan *kfl.Plan, opts QueryOptions) (n int64, err error) {
	if plan == nil {
		plan = new(kfl.Plan)
	}
	s, err := db.session(ctx)
	if err != nil {
		return 0, fmt.Errorf("index %s: %w", db.path, err)
	}
	defer db.release(s)
	opts.Fields = []*field.Field{}
	q, err := db.statement(s, plan, opts)
	if err == nil {
		err = query(s.conn, "SELECT count(*)"+q.rest, func(r *sqlite.Stmt) error {
			n = r.ColumnInt64(0)
			return nil
		}, q.args...)
	}
	if err = s.told(err); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return 0, fmt.Errorf("index %s: %w", db.path, err)
	}
	return n, nil
}
