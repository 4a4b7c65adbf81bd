package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"

	"shark/dissector"
	"shark/dissector/field"
	"shark/kfl"
)

// maxGroups bounds the groups of one aggregate.
const maxGroups = 100_000

// ErrGroups says that an aggregate has too many groups to be of use.
var ErrGroups = errors.New("too many groups")

// Group is the sum of the entries that have the same values of some fields.
type Group struct {
	Key    []any // a value for each of the fields
	Count  int64
	Failed int64 // of Count: the answer says that the call failed
	Timed  int64 // of Count: both halves were seen, so that the time between is known
	// Percentiles of the elapsed time of those, in µs: the smallest time that at
	// least so many of them do not exceed. Above 1 ms a percentile may be up to
	// 0.1 % too high. Max is exact.
	P50, P95, P99, Max int64
}

// Stats groups the entries of a query by the values of fields; by none, it is one
// group of all. The largest groups come first.
func (db *DB) Stats(ctx context.Context, plan *kfl.Plan, opts QueryOptions, by ...*field.Field) ([]Group, error) {
	opts.Fields = db.schema.StatsFields(by...)
	groups, err := Aggregate(db.Query(ctx, plan, opts), by...)
	if errors.Is(err, ErrGroups) {
		err = fmt.Errorf("index %s: %w", db.path, err)
	}
	return groups, err
}

// StatsFields are the fields that Aggregate reads of every row.
func (s *Schema) StatsFields(by ...*field.Field) []*field.Field {
	list := append(slices.Clone(by), s.catalogue.Lookup("elapsed_time"), dissector.Failed.Field)
	return slices.DeleteFunc(list, func(f *field.Field) bool { return f == nil })
}

// Aggregate is Stats for rows that come from anywhere.
func Aggregate(rows iter.Seq2[*Row, error], by ...*field.Field) ([]Group, error) {
	groups := make(map[string]*group)
	var key []byte
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		s := row.db.schema
		elapsed, failed := spot{tableEntries, s.byName["elapsed_time"]}, spot{tableEntries, s.byName["failed"]}
		key = key[:0]
		values := make([]any, len(by))
		for i, x := range by {
			values[i] = row.Value(x)
			key = appendKey(key, values[i])
		}
		g := groups[string(key)]
		if g == nil {
			if len(groups) == maxGroups {
				return nil, fmt.Errorf("%w: more than %d", ErrGroups, maxGroups)
			}
			g = &group{Group: Group{Key: values}, times: make(histogram)}
			groups[string(key)] = g
		}
		g.Count++
		if stmt, col := row.cell(failed); stmt != nil && stmt.ColumnInt64(col) != 0 {
			g.Failed++
		}
		if stmt, col := row.cell(elapsed); stmt != nil && !stmt.ColumnIsNull(col) {
			g.add(stmt.ColumnInt64(col))
		}
	}
	return finish(groups), nil
}

// appendKey tells values apart that JSON tells apart.
func appendKey(b []byte, v any) []byte {
	b, _ = (&node{zero: true}).boxed(b, v, true)
	return append(b, 0)
}

type group struct {
	Group
	times histogram
}

func (g *group) add(elapsed int64) {
	g.Timed++
	g.Max = max(g.Max, elapsed)
	g.times[bucket(elapsed)]++
}

// finish sorts the groups: by size, then by key.
func finish(groups map[string]*group) []Group {
	keys := make([]string, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(groups[b].Count, groups[a].Count), strings.Compare(a, b))
	})
	out := make([]Group, 0, len(keys))
	for _, k := range keys {
		g := groups[k]
		g.percentiles()
		out = append(out, g.Group)
	}
	return out
}

func (g *group) percentiles() {
	filled := make([]int, 0, len(g.times))
	for b := range g.times {
		filled = append(filled, b)
	}
	slices.Sort(filled)
	for _, p := range []struct {
		percent int64
		out     *int64
	}{{50, &g.P50}, {95, &g.P95}, {99, &g.P99}} {
		rank, sum := (g.Timed*p.percent+99)/100, int64(0)
		for _, b := range filled {
			if sum += g.times[b]; sum >= rank {
				*p.out = min(highest(b), g.Max)
				break
			}
		}
	}
}

// histogram counts times by bucket. A bucket below 2^precision holds one time;
// above, each doubling has 2^(precision-1) buckets.
type histogram map[int]int64

const precision = 11

func bucket(t int64) int {
	t = max(t, 0)
	shift := max(bits.Len64(uint64(t))-precision, 0)
	return shift<<(precision-1) + int(t>>shift)
}

// highest returns the largest time of a bucket.
func highest(b int) int64 {
	shift := max(b>>(precision-1)-1, 0)
	return (int64(b)-int64(shift)<<(precision-1)+1)<<shift - 1
}
