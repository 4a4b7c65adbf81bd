package workbench

import (
	"context"

	"shark/dissector/field"
	"shark/workbench/index"
)

// Columns returns the fields that the entries of the evidence may have: those of every
// entry, and those of the protocols that there are entries of.
func (e *Evidence) Columns(ctx context.Context) ([]*field.Field, error) {
	taken := make(map[*field.Field]bool)
	var out []*field.Field
	for _, g := range e.w.catalogue.Groups() {
		if g.Flag {
			some, err := e.some(ctx, g.Name)
			if err != nil {
				return nil, err
			}
			if !some {
				continue
			}
			out = append(out, e.w.catalogue.Flag(g.Name))
		}
		for _, f := range g.Fields {
			if !taken[f] {
				taken[f] = true
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// some tells whether an expression selects anything.
func (e *Evidence) some(ctx context.Context, expr string) (bool, error) {
	x, plan, err := e.plan(ctx, expr)
	if err != nil {
		return false, err
	}
	for _, err := range x.db.Query(ctx, plan, index.QueryOptions{Limit: 1}) {
		return err == nil, err
	}
	return false, nil
}
